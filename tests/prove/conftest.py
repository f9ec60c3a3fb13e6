"""A search needs a tree, as the tests of the kernel engine do."""

from tests.kernel.conftest import cache, kernel, tree

__all__ = ["cache", "kernel", "tree"]
