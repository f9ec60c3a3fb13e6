"""A hunt needs a tree, as the kernel's tests do."""

from tests.kernel.conftest import cache, kernel, tree

__all__ = ["cache", "kernel", "tree"]
