"""The compiler: which one there is, its flags, and how it is told to announce plain accesses."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.process.life import alive

SIGN_SECONDS: Final = 1.0
DIALECT: Final = (
    "-std=gnu11",
    "-O2",
    "-gdwarf-4",  # what every addr2line reads, inlined functions included
    "-fno-optimize-sibling-calls",  # or a caller is missing from a stack
    "-fasynchronous-unwind-tables",  # or the stack ends
    "-fPIC",
    "-ffreestanding",
    "-nostdinc",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fno-delete-null-pointer-checks",
    "-fno-stack-protector",
    "-ftrivial-auto-var-init=pattern",  # what nobody set must not happen to be the good value
    "-fno-builtin-memset",
    "-Wno-int-conversion",  # an error by default from GCC 14 on
    "-Wno-incompatible-pointer-types",
    "-fvisibility=hidden",
)
RUNTIME_FLAGS: Final = (
    "-std=gnu11",
    "-O2",
    "-g",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-stack-protector",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-D_GNU_SOURCE",
    "-U_FORTIFY_SOURCE",
)
UNDEFINED: Final = ("shift", "bounds", "integer-divide-by-zero", "bool", "enum", "unreachable")
"""What the kernel's own UBSAN watches: signed overflow is defined here, as it is there."""
STRICT: Final = (
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler and how it is told to announce plain loads and stores."""

    command: str
    version: str
    machine: str
    """What it compiles for: a cache may be shared by machines of several kinds."""
    instrument: tuple[str, ...]
    checks: tuple[str, ...]
    """Flags that make undefined behaviour of the user's code a trap; none where it knows none."""


def find_toolchain() -> Toolchain:
    """Clang where there is one (it also counts edges), gcc otherwise; InputError if neither."""
    for command in ("clang", "gcc", "cc"):
        place = shutil.which(command)
        tools = _asked(command, place, Path(place).stat().st_mtime_ns) if place else None
        if tools is not None:
            return tools
    raise InputError("kernel build", "no usable C compiler", "clang 14 or gcc 12, or later")


@cache
def _asked(command: str, _place: str, _changed: int) -> Toolchain | None:
    """What a compiler says of itself, asked once a process while its file does not change."""
    version = run_command([command, "--version"]).stdout.splitlines()[0]
    machine = run_command([command, "-dumpmachine"]).stdout.strip()
    if "clang" in version:
        for coverage in ("inline-8bit-counters,pc-table,", "edge,"):
            flags = (f"-fsanitize-coverage={coverage}trace-loads,trace-stores",)
            if _announces(command, flags, "__sanitizer_cov_load8"):
                return Toolchain(command, version, machine, flags, _checks(command))
    flags = ("-fsanitize=thread",)
    if _announces(command, flags, "__tsan_read8"):
        return Toolchain(command, version, machine, flags, _checks(command))
    return None


def _checks(command: str) -> tuple[str, ...]:
    """The sanitizers with traps in place of a library that would report; each where it is known."""
    watched = ",".join(UNDEFINED)
    for trap in (f"-fsanitize-trap={watched}", "-fsanitize-undefined-trap-on-error"):
        flags = (f"-fsanitize={watched}", trap)
        done = run_command(
            [command, "-Werror", "-x", "c", *flags, "-fsyntax-only", "-"], "int a;\n"
        )
        if not done.returncode:
            return flags
    return ()


def _announces(command: str, flags: Iterable[str], symbol: str) -> bool:
    """Whether the compiler, told so, calls ``symbol`` before a plain load."""
    source = "long f(const long *p) { return p[0]; }\n"
    done = run_command([command, "-O2", "-x", "c", *flags, "-S", "-o", "-", "-"], source)
    return done.returncode == 0 and symbol in done.stdout


def run_command(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a compiler in the C locale, since its complaints are read; its caller checks its code.

    ``text`` goes over in a file: what a pipe has not taken when ``communicate`` times out is never
    written (CPython 3.11), and the tool would wait for it for ever.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as given:
        given.write(text)
        given.seek(0)
        with subprocess.Popen(
            command,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
        ) as process:
            while True:
                alive()  # a compiler works as long as it runs; the whole build has its limit
                try:
                    out, err = process.communicate(timeout=SIGN_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
                return subprocess.CompletedProcess(command, process.returncode, out, err)
