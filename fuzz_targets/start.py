"""Start a fuzz target whose file was run by path, whatever Python came first.

Until the package is imported this needs nothing but the standard library of any Python 3: the
Python that ``env`` found may be too old, or know none of the libraries.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

OLDEST = (3, 11)
LATER = ("greenlet",)
"""Libraries that are imported when an engine is opened: too late to run the same elsewhere."""


def main(target: str, engine: str = "model:v5.10") -> None:
    """Run ``target`` here, or in the checkout's own environment, or say what to type."""
    root = _root()
    if sys.version_info < OLDEST:
        _elsewhere(root, f"is Python {sys.version_info[0]}.{sys.version_info[1]}, too old")
    here = Path(__file__).parent
    # The names of this folder (notifier, restart) are no modules of their own.
    sys.path[:] = [str(root), *(each for each in sys.path if Path(each) != here)]
    try:
        for name in LATER:
            import_module(name)
        driver = import_module("stage2fuzz.fuzz_targets.driver")
    except ModuleNotFoundError as error:
        _elsewhere(root, f"has no module {error.name}")
    driver.main(target, engine)


def _root() -> Path:
    """The folder that holds the package: of a checkout, or of an installed wheel."""
    folder = Path(__file__).resolve().parent.parent
    return folder if (folder / "stage2fuzz" / "__init__.py").is_file() else folder.parent


def _elsewhere(root: Path, why: str) -> NoReturn:
    """Run the same in the checkout's environment; without one say how to get it."""
    python = root / ".venv" / "bin" / "python"
    if python.exists() and Path(sys.prefix) != root / ".venv":
        os.execv(str(python), [str(python), *sys.argv])
    script = Path(sys.argv[0])
    command = os.path.relpath(str(root / "run")) if (root / "run").exists() else "stage2fuzz"
    typed = " ".join([command if "/" in command else f"./{command}", "target", script.stem])
    print(f"{script.name}: {sys.executable} {why}; type: {typed}", file=sys.stderr)
    sys.exit(2)
