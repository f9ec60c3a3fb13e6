"""The program that boots as /init: our own C, cross-compiled when needed, in a small archive."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError

SOURCES: Final = Path(__file__).parent / "guest"
COMPILERS: Final = ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-gcc-12", "aarch64-linux-musl-gcc")
FLAGS: Final = ("-static", "-O2", "-Wall", "-Wextra", "-pthread")


def cross_compiler() -> str:
    """The compiler for arm64 Linux programs; InputError with what to install."""
    wanted = os.environ.get("STAGE2FUZZ_CROSS_COMPILER")
    for command in (wanted,) if wanted else COMPILERS:
        if command and shutil.which(command):
            return command
    raise InputError(
        wanted or "aarch64-linux-gnu-gcc",
        "no cross compiler for arm64",
        "install gcc-aarch64-linux-gnu and libc6-dev-arm64-cross (Debian's names)",
    )


def default_cache() -> Path:
    """Where what is built once for all runs is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stage2fuzz" / "confirm"


def build_initrd(cache: Path | None = None, programs: Mapping[str, Path] | None = None) -> Path:
    """The archive, from the cache where source and compiler are the same as last time.

    ``programs`` are C files that become programs beside ours, each in one compilation.
    """
    compiler = cross_compiler()
    groups = {"init": sorted(SOURCES.glob("*.[ch]"))}
    groups |= {name: [path] for name, path in (programs or {}).items()}
    digest = hashlib.sha256("\0".join((compiler, *FLAGS)).encode())
    for name, sources in groups.items():
        digest.update(name.encode())
        for path in sources:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = cache or default_cache()
    target = folder / f"init-{digest.hexdigest()[:16]}.cpio"
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        files = {}
        for name, sources in groups.items():
            program = Path(scratch) / name
            _compile(compiler, [path for path in sources if path.suffix == ".c"], program)
            files[name] = program.read_bytes()
        whole = Path(scratch) / "initrd"
        whole.write_bytes(archive(files))
        whole.replace(target)
    return target


def _compile(compiler: str, sources: Sequence[Path], program: Path) -> None:
    command = [compiler, *FLAGS, "-o", str(program), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it failed"])[0]
        raise InputError(compiler, f"cannot compile {sources[0].name}: {said}")


def archive(files: dict[str, bytes]) -> bytes:
    """A cpio archive ("newc") of executable files and the console's device node."""
    entries = [("dev", 0o040755, b"", (0, 0)), ("dev/console", 0o020600, b"", (5, 1))]
    entries += [(name, 0o100755, content, (0, 0)) for name, content in files.items()]
    entries.append(("TRAILER!!!", 0, b"", (0, 0)))
    made = b""
    for number, (name, mode, content, device) in enumerate(entries, 1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        made += b"070701" + b"".join(b"%08X" % field for field in fields)
        made += name.encode() + b"\0"
        made += b"\0" * (-len(made) % 4) + content
        made += b"\0" * (-len(made) % 4)
    return made
