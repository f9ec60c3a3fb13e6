"""What a command costs before it does anything: ``python -m tests.quality.startup``.

User and system time of the whole process, the least of several calls, beside SQLAlchemy's import,
which bounds every command that opens a database. Not a test: machines differ and are shared. What a
command may not import is one, ``tests/cli/test_startup.py``. Compiled files are made first, as an
installation has them.
"""

import compileall
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import stage2fuzz

CALLS = 5
CASE = Path(__file__).resolve().parent.parent / "cases" / "lost_dirty_page.case"
COMMANDS = (
    "--help",
    "--version",
    "engines",
    "oracles",
    "targets",
    "kernel --help",
    "campaign --help",
    f"run {CASE}",
    f"replay {CASE}",
    "compare --help",
    "confirm --help",
    "fuzz --help",
    "findings list",
    "campaign list",
)
IMPORTS = ("import typer", "import sqlalchemy", "import sqlalchemy.orm, sqlalchemy.dialects.sqlite")


def seconds(command: list[str], folder: str) -> float:
    """CPU time of one call, the least of ``CALLS``."""
    environment = {**os.environ, "STAGE2FUZZ_DATABASE": str(Path(folder) / "findings.db")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    taken = []
    for _ in range(CALLS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, env=environment, cwd=folder, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def main() -> None:
    """A line a command, then a line an import."""
    compileall.compile_dir(str(Path(stage2fuzz.__file__).parent), quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        for line in COMMANDS:
            command = [sys.executable, "-m", "stage2fuzz", *line.split()]
            shown = line.replace(str(CASE), "FILE")
            print(f"{seconds(command, folder):.2f} s  {shown}", flush=True)
        for line in IMPORTS:
            print(f"{seconds([sys.executable, '-c', line], folder):.2f} s  python: {line}")


if __name__ == "__main__":
    main()
