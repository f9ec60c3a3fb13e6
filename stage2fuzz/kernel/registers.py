"""The header of register fields that newer trees generate instead of keeping it.

Their VTCR fields stand in a table, and the kernel's own build turns that table into a header with
an awk script. We run the tree's script on the tree's table, so the fields stay the user's own.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.process.life import alive

GENERATOR: Final = Path("arch/arm64/tools/gen-sysreg.awk")
TABLE: Final = Path("arch/arm64/tools/sysreg")
HEADER: Final = "asm/sysreg-defs.h"
USES_FIELDS: Final = "SYS_FIELD_PREP_ENUM("
"""What a header says that takes its fields from the table."""


def needed(tree: Path) -> bool:
    """Whether the tree's stage-2 headers name fields that only the generated header has."""
    header = tree / "arch/arm64/include/asm/kvm_arm.h"
    try:
        return header.is_file() and USES_FIELDS in header.read_text(errors="replace")
    except OSError as error:
        what = error.strerror or str(error)
        raise InputError(str(header), what, "a file that can be read") from None


def sources(tree: Path) -> tuple[Path, ...]:
    """The files behind the generated header, none where it is not needed; InputError if missing."""
    if not needed(tree):
        return ()
    _expect_files(tree)
    return GENERATOR, TABLE


def _expect_files(tree: Path) -> None:
    for name in (GENERATOR, TABLE):
        if not (tree / name).is_file():
            wanted = f"{GENERATOR.parent} beside arch/arm64/kvm: register fields come from there"
            raise InputError(str(tree), f"no {name}", wanted)


def generate(tree: Path) -> str:
    """The text of the generated header, empty where it is not needed."""
    return fields(tree) if needed(tree) else ""


def fields(tree: Path) -> str:
    """The text of the header, made by the tree's own script of its own table; InputError if one
    of them is missing or the script fails."""
    _expect_files(tree)
    awk = shutil.which("awk")
    if awk is None:
        raise InputError("kernel build", "no awk", f"awk, which {GENERATOR} is written in")
    alive()
    command = [awk, "-f", str(tree / GENERATOR), str(tree / TABLE)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        lines = done.stderr.splitlines() or [f"exit code {done.returncode}"]
        raise InputError(str(tree), f"{GENERATOR} fails: {lines[0]}")
    return done.stdout
