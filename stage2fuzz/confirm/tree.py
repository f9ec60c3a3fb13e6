"""A minimal kernel of the user's own tree: minutes the first time, half a minute after an edit.

The tree is built in a folder of the cache, as it lies; nothing is written to it. Which processors
the build may use is the caller's business, as with any ``make``.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stage2fuzz.confirm.initrd import cross_compiler, default_cache
from stage2fuzz.errors import InputError
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.limits import Limits

FRAGMENT: Final = Path(__file__).parent / "minimal.config"
TOOLS: Final = ("make", "flex", "bison", "bc")
IMAGE: Final = Path("arch/arm64/boot/Image")
ABOUT: Final = 1900
"""Steps of a first build, for the estimate."""
LINES: Final = tuple(
    f"CFLAGS_{unit}.o=-g" for unit in ("mmu", "pgtable", "../../../virt/kvm/kvm_main")
)
"""Debug information for the units with anchors alone: for all it would cost a third more."""


def build_kernel(
    tree: Path, cache: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> Path:
    """The image of ``tree``, built as far as it is not up to date; InputError where it cannot."""
    tree = tree.resolve()
    for name in ("Makefile", "Kconfig", "arch/arm64/kvm/mmu.c", "kernel/fork.c"):
        if not (tree / name).is_file():
            raise InputError(str(tree), f"no {name}", "a whole Linux tree, to build a kernel of it")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise InputError(str(tree), f"cannot be built without {', '.join(missing)}", "install it")
    if (tree / ".config").exists():
        raise InputError(str(tree), "was built in place", "a clean tree: make mrproper")
    key = hashlib.sha256(str(tree).encode()).hexdigest()[:16]
    folder = (cache or default_cache()) / f"tree-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    build = _Build(tree, folder, progress)
    wanted = _fragment(tree)
    kept = folder / "minimal.config"
    if not (folder / ".config").is_file() or not kept.is_file() or kept.read_text() != wanted:
        build.make("tinyconfig")
        with (folder / ".config").open("a") as file:
            file.write(wanted)
        build.make("olddefconfig")
        if "CONFIG_KVM=y\n" not in (folder / ".config").read_text():
            what = "cannot have KVM in the small configuration"
            raise InputError(str(tree), what, "an image of your own configuration: --kernel")
        kept.write_text(wanted)
    build.make(f"-j{os.cpu_count() or 1}", *LINES, "Image")
    return folder / IMAGE


def _fragment(tree: Path) -> str:
    """What is asked of the configuration; up to 5.10 KVM depends on the network, for taskstats."""
    kconfig = tree / "arch/arm64/kvm/Kconfig"
    needs = kconfig.is_file() and re.search(r"depends on NET\b", kconfig.read_text())
    return FRAGMENT.read_text() + ("CONFIG_NET=y\n" if needs else "")


class _Build:
    """One ``make`` after another, its output in a file of the build folder."""

    def __init__(self, tree: Path, folder: Path, progress: Callable[[str], None]) -> None:
        self._tree, self._folder, self._progress = tree, folder, progress
        self._prefix = re.sub(r"gcc(-\d+)?$", "", cross_compiler())

    def make(self, *targets: str) -> None:
        """Run it; InputError with its first complaint if it fails."""
        command = [
            *(shutil.which("make") or "make", "-C", str(self._tree), f"O={self._folder}"),
            *("ARCH=arm64", f"CROSS_COMPILE={self._prefix}", *targets),
        ]
        steps, log = 0, self._folder / "build.log"
        confined = ConfinedProcess(
            command, self._folder, Limits(memory=0, file=0), stdout=subprocess.PIPE
        )
        try:
            assert confined.process.stdout is not None
            with log.open("w") as kept:
                for raw in confined.process.stdout:
                    line = raw.decode("utf-8", "replace")
                    kept.write(line)
                    if re.match(r"\s+[A-Z]+\s", line):
                        steps += 1
                        self._progress(f"building {self._tree.name}: step {steps} of about {ABOUT}")
        finally:
            code = confined.close()
        if code:
            said = log.read_text(errors="replace").splitlines()
            errors = [line for line in said if re.search(r"error:|\*\*\*|not found", line)]
            what = (errors or said or ["it failed"])[0].strip()
            raise InputError(str(self._tree), f"cannot be built: {what}", f"all of it is in {log}")
