"""Build the native judge, once for each text of the oracles and compiler, into the user's cache."""

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from stage2fuzz import arch, event_kind, events, rules, window
from stage2fuzz.oracles.native.translate import translate
from stage2fuzz.oracles.native.types import UnsupportedError

COMPILERS: Final = ("clang", "gcc", "cc")
FLAGS: Final = (
    *("-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-strict-aliasing"),
    *("-fno-stack-protector", "-U_FORTIFY_SOURCE"),
)
COMPILE_SECONDS: Final = 300
HERE: Final = Path(__file__).parent


def library() -> Path | None:
    """The judge of this checkout's oracles, compiled now if it was not before.

    None where there is no compiler, no room, or an oracle that can't be translated: then the
    oracles' own Python judges alone.
    """
    compiler = next((found for found in map(shutil.which, COMPILERS) if found), None)
    if compiler is None:
        return None
    try:
        folder = _cache()
        path = folder / f"{_key(compiler)}.so"
        if not _is_whole(path):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as work:
                if not _made(compiler, Path(work), path):
                    return None
        return path
    except (OSError, subprocess.SubprocessError):
        return None


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stage2fuzz" / "judge"


def _key(compiler: str) -> str:
    """What the library is made of: every text that is translated or translates, and by whom."""
    told = subprocess.run([compiler, "--version"], capture_output=True, check=True, timeout=20)
    digest = hashlib.sha256(told.stdout + platform.machine().encode() + " ".join(FLAGS).encode())
    oracles = [*HERE.parent.glob("*.py"), *HERE.glob("*.py"), *HERE.glob("*.h")]
    ours = [Path(str(module.__file__)) for module in (arch, event_kind, events, rules, window)]
    for path in sorted((*oracles, *ours)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


def _made(compiler: str, work: Path, path: Path) -> bool:
    """Translate and compile; the library gets its name when it is whole."""
    try:
        text = translate().text
    except UnsupportedError:
        return False
    source, made = work / "judge.c", work / "judge.so"
    source.write_text(text)
    command = [compiler, *FLAGS, f"-I{HERE}", str(source), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=COMPILE_SECONDS)
    if done.returncode:
        return False
    # A library that was cut short ends whoever loads it: its digest stands beside it.
    (work / "sum").write_text(_sum(made))
    (work / "sum").replace(path.with_suffix(".sum"))
    made.replace(path)
    return True


def _is_whole(path: Path) -> bool:
    try:
        return path.with_suffix(".sum").read_text() == _sum(path)
    except OSError:
        return False


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
