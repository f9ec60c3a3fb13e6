"""Build EL2 of a tree: its own files, unmodified, as a library of the runtime's.

The files of EL2 hold a second copy of ``hyp/pgtable.c``, so they are linked into one object first
whose names stay its own, but for the glue's; its data lies in sections of their own, so that the
runtime can put all of it back before each run.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.kernel import abi, registers
from stage2fuzz.kernel.build import RUNTIME_FILES as KERNEL_RUNTIME
from stage2fuzz.kernel.cache import (
    LIBRARY,
    PROVED,
    BuildReport,
    default_cache,
    load,
    store,
    workshop,
)
from stage2fuzz.kernel.compiling import check_compiled, write_headers, write_stubs
from stage2fuzz.kernel.lines import TREE, write_lines
from stage2fuzz.kernel.numbers import header
from stage2fuzz.kernel.repository import located
from stage2fuzz.kernel.toolchain import (
    DIALECT,
    RUNTIME_FLAGS,
    STRICT,
    Toolchain,
    find_toolchain,
    run_command,
)
from stage2fuzz.kernel.units import ARCH

HERE: Final = Path(__file__).parent
KERNEL: Final = HERE.parent / "kernel"
HYP: Final = ARCH / "kvm/hyp"
FILES: Final = (
    HYP / "pgtable.c",
    *(
        HYP / f"nvhe/{name}.c"
        for name in ("mem_protect", "page_alloc", "mm", "early_alloc", "tlb", "setup", "pkvm")
    ),
)
SERVED: Final = (
    "asm/kvm_pgtable.h",
    "asm/kvm_arm.h",
    "asm/kvm_pkvm.h",
    "asm/stage2_pgtable.h",
    "asm/pgtable-hwdef.h",
    "asm/esr.h",
    "asm/brk-imm.h",
    "asm/tlbflush.h",
)
"""Headers that the tree itself serves, below its ``arch/arm64/include``."""
SHARED: Final = (
    *("assertion", "sites", "record", "coroutine", "breaker", "strategy", "scheduler", "locks"),
    "execute",
    *("guard", "places", "classes", "explore", "features", "fuzz", "coverage", "interface"),
)
"""Modules that this engine has in common with the other."""
OWN: Final = (
    *("el2_absent", "machine", "walks", "el2_locks", "el2_trees", "el2_entries", "el2_tlb"),
    *("accesses", "host", "observe", "program", "el2_run", "el2_fold", "suspicion"),
)
ARENA: Final = "-DS2_ARENA_AT=0x100000000000UL"
MODELLED: Final = (
    "what hyp-main.c does around each hypercall, and the host behind it",
    "the ticket spin lock, per-CPU data, the jump through the identity map",
    "caches, the hardware walker and its TLB, FF-A's firmware, system registers of guests",
)
NEEDED: Final = "__pkvm_host_share_guest"
"""A hypercall that the glue makes: trees without it (before v6.14) are not served."""
INTRODUCED: Final = "v6.14"
assert set(SHARED) <= set(KERNEL_RUNTIME)


@dataclass(frozen=True, slots=True)
class HypLibrary:
    """EL2 of a tree as a library: where it is, and what it was made of."""

    path: Path
    key: str
    tree: Path
    compiler: str
    real: tuple[str, ...]
    """The user's own files in it, with the first digits of their SHA-256."""
    cached: bool = False


def find(tree: Path, cache: Path | None = None, proof: bool = True) -> HypLibrary | None:
    """EL2 of ``tree`` where it lies in ``cache``, and is proved if there must be a ``proof``."""
    library = planned(tree, cache)
    folder = library.path.parent
    if load(folder) is None or (proof and not (folder / PROVED).is_file()):
        return None
    return replace(library, cached=True)


def build(tree: Path, cache: Path | None = None, lines: bool = True) -> HypLibrary:
    """Build EL2 of ``tree``, or take it from ``cache``; InputError if it does not fit.

    Without ``lines`` a replay knows no source lines, which nobody asks of a planted fault.

    Compiles and runs scripts of the tree: ``proof`` has that done in a confined process.
    """
    tools = find_toolchain()
    library = planned(tree, cache, tools)
    folder = library.path.parent
    if load(folder) is not None:
        return replace(library, cached=True)
    with workshop(folder.parent) as work:
        _compile(library.tree, tools, work, lines)
        if planned(tree, cache, tools).key != library.key:
            raise InputError(str(library.tree), "the tree changed while it was compiled")
        store(work, folder, BuildReport({}, {}))
    return library


def missing(tree: Path) -> str:
    """Why there is no EL2 to build in ``tree``; empty where there is."""
    for name in FILES:
        if not (tree / name).is_file():
            return f"no {name}"
    text = (tree / HYP / "nvhe/mem_protect.c").read_text(errors="replace")
    return "" if NEEDED in text else f"no {NEEDED}, which came with {INTRODUCED}"


def planned(tree: Path, cache: Path | None = None, tools: Toolchain | None = None) -> HypLibrary:
    """What a build of ``tree`` is called and made of, whether or not there is one yet; InputError
    where the tree has no such EL2."""
    tools = tools or find_toolchain()
    try:
        tree = located(tree).resolve()
        lacks = missing(tree)
        if lacks:
            right = "a Linux tree with pKVM's guests, or REPOSITORY@COMMIT"
            raise InputError(str(tree), lacks, right)
        sources = {str(name): _digest(tree / name) for name in _sources(tree)}
    except (OSError, RuntimeError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise InputError(str(tree), what, "a Linux tree") from None
    key = _key(sources, tools)
    real = tuple(f"{name} {sources[str(name)][:12]}" for name in FILES)
    path = (cache or default_cache()).absolute() / key / LIBRARY
    return HypLibrary(path, key, tree, tools.version, real)


def _sources(tree: Path) -> Iterator[Path]:
    """Each file of the tree that goes in."""
    headers = [ARCH / "include" / name for name in SERVED]
    headers += [path.relative_to(tree) for path in sorted((tree / HYP / "include").rglob("*.h"))]
    yield from (name for name in (*FILES, *headers) if (tree / name).is_file())
    for name in (registers.GENERATOR, registers.TABLE):
        if (tree / name).is_file():
            yield name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(sources: dict[str, str], tools: Toolchain) -> str:
    digest = hashlib.sha256()
    flags = " ".join((*DIALECT, *RUNTIME_FLAGS, *tools.instrument, *tools.checks, ARENA))
    parts = [
        *sources.items(),
        ("compiler", tools.version),
        ("machine", tools.machine),
        ("numbers", header()),
        ("interface", abi.header()),
        ("flags", flags),
    ]
    ours = [*sorted(HERE.rglob("*.[ch]")), *sorted(KERNEL.glob("*/*.[ch]"))]
    ours += [HERE / "build.py", KERNEL / "compiling.py"]
    parts += [(path.name, path.read_text()) for path in ours]
    for part in parts:
        digest.update("\0".join(part).encode() + b"\0\0")
    return digest.hexdigest()[:24]


def _compile(tree: Path, tools: Toolchain, work: Path, lines: bool) -> None:
    """The library in ``work``."""
    stubs = work / "include"
    served = {name: tree / ARCH / "include" / name for name in SERVED}
    waiting = [*(tree / name for name in FILES), HERE / "glue/el2.c", *served.values()]
    waiting += [*(HERE / "shim").rglob("*.h"), KERNEL / "shim/dialect.h", KERNEL / "shim/shared.h"]
    ours = (HERE / "shim", HERE / "runtime", KERNEL / "shim", KERNEL / "runtime")
    write_stubs(stubs, waiting, served, ours, (tree / HYP / "include",))
    write_headers(stubs)
    (stubs / registers.HEADER).parent.mkdir(parents=True, exist_ok=True)
    (stubs / registers.HEADER).write_text(registers.fields(tree))
    (stubs / "config.h").write_text(_config(tree))
    command = _command(tree, tools, stubs)
    traced = [*command, *tools.instrument, *tools.checks]
    parts = [_object(tree, traced, tree / file, work) for file in FILES]
    parts.append(_object(tree, command, HERE / "glue/el2.c", work))
    witness = [*command, *tools.instrument]
    objects = [
        _joined(tree, parts, work),
        _object(tree, witness, KERNEL / "runtime/witness.c", work),
        _runtime(tree, tools, stubs, work),
    ]
    library = work / LIBRARY
    link = [tools.command, "-shared", "-Wl,-z,defs", *map(str, objects), "-o", str(library)]
    _check(tree, work, run_command(link))
    if lines:
        write_lines(library)
    for path in (*parts, *objects):
        path.unlink(missing_ok=True)
    shutil.rmtree(stubs)


def _config(tree: Path) -> str:
    """What was found out about the tree, for shim and glue."""
    setup = (tree / HYP / "nvhe/setup.c").read_text(errors="replace")
    counted = re.search(r"int __pkvm_init\([^)]*\bnr_cpus\b", setup) is not None
    return f"#define S2_HAS_CPUS_ARGUMENT {int(counted)}\n"


def _command(tree: Path, tools: Toolchain, stubs: Path) -> list[str]:
    """The compiler as EL2's code wants it: our headers for what is not EL2's own."""
    folders = [stubs, HERE / "shim", HERE / "runtime", KERNEL / "shim", KERNEL / "runtime"]
    folders += [tree / HYP / "include", tree / ARCH / "include", tree / ARCH / "kvm"]
    return [
        tools.command,
        *DIALECT,
        *STRICT,
        "-w",
        f"-fdebug-prefix-map={tree}/={TREE}",
        "-D__KVM_NVHE_HYPERVISOR__",
        ARENA,
        *(f"-I{folder}" for folder in folders),
        "-include",
        str(HERE / "shim/el2.h"),
    ]


def _object(tree: Path, command: list[str], source: Path, work: Path) -> Path:
    out = work / f"{'-'.join(source.parts[-2:])}.o"
    _check(tree, work, run_command([*command, "-c", str(source), "-o", str(out)]))
    return out


def _joined(tree: Path, parts: list[Path], work: Path) -> Path:
    """One object of EL2's, whose names are its own and whose data can be found."""
    out = work / "el2.o"
    sections = ("alloc", "load", "data", "contents")
    _check(tree, work, run_command(["ld", "-r", "-o", str(out), *map(str, parts)]))
    for options in (
        ["--wildcard", "--keep-global-symbol=el2_*"],
        [
            f"--rename-section=.bss=el2bss,{','.join(sections)}",
            f"--rename-section=.data=el2data,{','.join(sections)}",
        ],
    ):
        _check(tree, work, run_command(["objcopy", *options, str(out)]))
    return out


def _runtime(tree: Path, tools: Toolchain, stubs: Path, work: Path) -> Path:
    """The object of all modules of the runtime, as one unit."""
    unit, out = work / "runtime.c", work / "runtime.o"
    modules = "".join(f'#include "{name}.c"\n' for name in (*SHARED, *OWN))
    unit.write_text(f"#define S2_UNITY\n{modules}")
    folders = (stubs, HERE / "runtime", KERNEL / "runtime")
    quoted = [word for folder in folders for word in ("-iquote", str(folder))]
    # Modules of the other engine offer more than this one asks for.
    command = [tools.command, *RUNTIME_FLAGS, "-Wno-unused-function", ARENA, *quoted]
    _check(tree, work, run_command([*command, "-c", str(unit), "-o", str(out)]))
    unit.unlink()
    return out


def _check(tree: Path, work: Path, done: subprocess.CompletedProcess[str]) -> None:
    check_compiled(str(tree), work, done, "a tree whose EL2 the shim knows")
