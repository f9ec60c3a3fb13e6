"""A small kernel of a user's tree has KVM, or is refused before minutes of building."""

import shutil
from pathlib import Path

import pytest

from stage2fuzz.confirm.initrd import COMPILERS
from stage2fuzz.confirm.tree import IMAGE, TOOLS, build_kernel
from stage2fuzz.errors import InputError

MAKEFILE = """
tinyconfig:
\techo CONFIG_TINY=y >$(O)/.config
olddefconfig:
\tgrep -q CONFIG_NET=y $(O)/.config || sed -i /CONFIG_KVM=y/d $(O)/.config
Image:
\tmkdir -p $(O)/arch/arm64/boot && touch $(O)/arch/arm64/boot/Image
"""
"""A tree's, of one whose KVM depends on the network."""

pytestmark = pytest.mark.skipif(
    not any(shutil.which(each) for each in COMPILERS) or not all(map(shutil.which, TOOLS)),
    reason="needs gcc-aarch64-linux-gnu and what builds a kernel",
)


def tree_with(path: Path, kconfig: str) -> Path:
    files = {"Makefile": MAKEFILE, "arch/arm64/kvm/Kconfig": kconfig}
    for name in ("Kconfig", "arch/arm64/kvm/mmu.c", "kernel/fork.c"):
        files[name] = ""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return path


def test_a_tree_whose_kvm_depends_on_the_network_has_it(tmp_path: Path) -> None:
    tree = tree_with(tmp_path / "linux", "depends on OF\n\tdepends on NET && MULTIUSER\n")
    image = build_kernel(tree, tmp_path / "cache")
    config = (image.parents[3] / ".config").read_text()
    assert image.is_file()
    assert image.match(str(IMAGE))
    assert "CONFIG_KVM=y\n" in config


def test_a_tree_that_would_have_no_kvm_is_refused_before_it_is_built(tmp_path: Path) -> None:
    tree = tree_with(tmp_path / "linux", "depends on OF\n")
    for _again in range(2):
        with pytest.raises(InputError, match="cannot have KVM in the small configuration"):
            build_kernel(tree, tmp_path / "cache")
    assert not list(tmp_path.rglob("Image"))
