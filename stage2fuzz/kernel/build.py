"""Compile the user's unmodified pgtable.c and mmu.c, and what else of ``units.py`` the tree has.

Nothing is patched: whole files are compiled as they lie in the tree, against shim headers that
serve what the tree's few stage-2 headers do not (``emulate`` tells of the one exception). Features
are probed, never guessed from a version number, because users have backports.
"""

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from stage2fuzz.arch import GRANULE_4K, TranslationGranule
from stage2fuzz.errors import InputError
from stage2fuzz.kernel import abi, emulate, registers
from stage2fuzz.kernel.announced import can_be_read, without_idle_calls
from stage2fuzz.kernel.cache import (
    LIBRARY,
    PROVED,
    BuildReport,
    check_room,
    default_cache,
    load,
    store,
    workshop,
)
from stage2fuzz.kernel.compiling import check_compiled, write_headers, write_stubs
from stage2fuzz.kernel.diagnostics import complaint
from stage2fuzz.kernel.lines import TREE, write_lines
from stage2fuzz.kernel.numbers import header
from stage2fuzz.kernel.probes import Probe, probe
from stage2fuzz.kernel.repository import located
from stage2fuzz.kernel.toolchain import (
    DIALECT,
    RUNTIME_FLAGS,
    STRICT,
    Toolchain,
    find_toolchain,
    run_command,
)
from stage2fuzz.kernel.units import ARCH, OPTIONAL, STAGE2, UNITS, Unit

HERE: Final = Path(__file__).parent
KERNEL_FILES: Final = STAGE2.files
RUNTIME_FILES: Final = (
    *(
        "assertion",
        "sites",
        "record",
        "coroutine",
        "breaker",
        "strategy",
        "scheduler",
        "locks",
        "execute",
    ),
    *("guard", "window", "storebuffer", "entries", "pages", "rcu", "walk"),
    *("regime", "tlb", "tlbi", "sequences"),
    *("hostpages", "tags", "calls", "memslots", "notifier", "vncr", "nested"),
    *("caches", "hostthread", "guest"),
    *("scenario", "setup", "vm"),
    *("places", "tripwires", "lasso", "fold", "classes", "explore", "features", "fuzz"),
    *("words", "configs", "snapshot", "search"),
    *("coverage", "interface"),
)
"""The modules of the runtime: one translation unit, so that what they share can be inlined; each
compiles alone, too."""
WRAPPED: Final = tuple(
    f"kvm_pgtable_{name}"
    for name in (
        "stage2_map",
        "stage2_relax_perms",
        "stage2_unmap",
        "stage2_wrprotect",
        "stage2_flush",
        "stage2_mkyoung",
        "stage2_mkold",
        "stage2_is_young",
        "stage2_test_clear_young",
        "stage2_split",
        "stage2_destroy",
        "stage2_destroy_range",
        "stage2_destroy_pgd",
        "hyp_map",
    )
)
MODELLED: Final = (
    "memslots, SRCU and dirty bitmaps (virt/kvm)",
    "gfn to pfn lookup, pinning, host pages and VMAs",
    "MMU notifier begin and end, and their order against unmap",
    "memory caches, page reference counts, RCU callbacks",
    "the hardware walker and its TLB",
    "abort injection, MMIO, caches, CPU features",
    "VM creation and the VMM's own page tables",
)
TRACE: Final = re.compile(r"\btrace_kvm_[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Library:
    """A built engine: where it is, what it was made of, and what was found out about the tree."""

    path: Path
    key: str
    tree: Path
    compiler: str
    probes: dict[str, bool]
    real: tuple[str, ...]
    """The user's own files in it, with the first digits of their SHA-256."""
    refused: dict[str, str] = field(default_factory=dict)
    """Units that the tree has and the shim can't serve, with what they need."""
    cached: bool = False
    granule: TranslationGranule = GRANULE_4K
    """The page size that it was built for."""

    @property
    def has(self) -> frozenset[str]:
        """The features that the probes found."""
        return frozenset(name for name, found in self.probes.items() if found)

    @property
    def modelled(self) -> tuple[str, ...]:
        """What is not the user's code, the units among it that are not there."""
        missing = (unit for unit in OPTIONAL if not self.probes.get(unit.config))
        return (
            *MODELLED,
            *(unit.modelled + _because(self.refused.get(unit.name)) for unit in missing),
        )


def _because(needs: str | None) -> str:
    return f": the tree's own {needs}" if needs else ""


def find(
    tree: Path,
    cache: Path | None = None,
    proof: bool = True,
    granule: TranslationGranule = GRANULE_4K,
) -> Library | None:
    """The engine of ``tree`` where it lies in ``cache``, and is proved if there must be a
    ``proof``; none of the tree's code runs.
    """
    library = _planned(tree, find_toolchain(), cache, granule)[0]
    folder = library.path.parent
    report = load(folder) if not proof or (folder / PROVED).is_file() else None
    return None if report is None else _reported(library, report, cached=True)


def build(
    tree: Path, cache: Path | None = None, granule: TranslationGranule = GRANULE_4K
) -> Library:
    """Build the engine of ``tree``, or take it from ``cache``; InputError if it does not fit.

    Compiles and runs scripts of the tree: ``proof`` has that done in a confined process.
    """
    tools = find_toolchain()
    library, sources = _planned(tree, tools, cache, granule)
    folder = library.path.parent
    report = load(folder)
    if report is not None:
        return _reported(library, report, cached=True)
    with workshop(folder.parent) as work:
        report = _compile(library.tree, tools, work, granule)
        if _sources(library.tree) != sources:
            raise InputError(str(library.tree), "the tree changed while it was compiled")
        store(work, folder, report)
    return _reported(library, report, cached=False)


def _reported(library: Library, report: BuildReport, cached: bool) -> Library:
    """A library with what is known once it was built; a unit that was refused is not the user's."""
    left_out = {
        str(name)
        for unit in OPTIONAL
        if unit.name in report.refused
        for name in (*unit.files, *unit.taken)
    }
    real = tuple(line for line in library.real if line.split()[0] not in left_out)
    return replace(library, probes=report.probes, refused=report.refused, real=real, cached=cached)


def _planned(
    tree: Path, tools: Toolchain, cache: Path | None, granule: TranslationGranule
) -> tuple[Library, dict[str, str]]:
    """What a build of ``tree`` is called and made of, whether or not there is one yet."""
    tree = _resolved(tree)
    sources = _sources(tree)
    key = _key(sources, tools, granule)
    real = tuple(f"{name} {digest[:12]}" for name, digest in sources.items())
    path = (cache or default_cache()).absolute() / key / LIBRARY
    return Library(path, key, tree, tools.version, {}, real, granule=granule), sources


def _resolved(tree: Path) -> Path:
    """The tree's real path; InputError where there is no tree."""
    right = "a Linux tree, its arch/arm64 alone, or REPOSITORY@COMMIT"
    try:
        resolved = located(tree).resolve()
        missing = [name for name in KERNEL_FILES if not (resolved / name).is_file()]
    except (OSError, RuntimeError, ValueError) as error:
        # A loop of links is a RuntimeError up to Python 3.12, a zero byte a ValueError.
        what = getattr(error, "strerror", None) or str(error)
        raise InputError(str(tree), what, right) from None
    if missing:
        raise InputError(str(tree), f"no {missing[0]}", right)
    return resolved


def _sources(tree: Path) -> dict[str, str]:
    """Each file of the tree that goes in, with its SHA-256; InputError if one can't be read."""
    names = [name for unit in _units(tree) for name in _files(unit)]
    names += [ARCH / "kvm/trace.h", emulate.SOURCE, *registers.sources(tree)]
    return {str(name): _digest(tree / name) for name in names if (tree / name).is_file()}


def _units(tree: Path) -> tuple[Unit, ...]:
    """What the tree has the files of."""
    return (STAGE2, *(unit for unit in OPTIONAL if unit.present(tree)))


def _files(unit: Unit) -> tuple[Path, ...]:
    return (*unit.files, *(ARCH / "include" / name for name in unit.headers), *unit.taken)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        what = error.strerror or str(error)
        raise InputError(str(path), what, "a file that can be read") from None


def _key(sources: dict[str, str], tools: Toolchain, granule: TranslationGranule) -> str:
    digest = hashlib.sha256()
    parts = [
        *sources.items(),
        ("compiler", tools.version),
        ("machine", tools.machine),
        ("numbers", header(granule)),
        ("interface", abi.header()),
    ]
    parts += [("flags", " ".join((*DIALECT, *RUNTIME_FLAGS, *tools.instrument, *tools.checks)))]
    ours = [
        *sorted(HERE.rglob("*.[ch]")),
        HERE / "announced.py",
        HERE / "build.py",
        HERE / "compiling.py",
        HERE / "emulate.py",
        HERE / "lines.py",
        HERE / "probes.py",
        HERE / "units.py",
    ]
    parts += [(path.name, path.read_text()) for path in ours]
    for part in parts:
        digest.update("\0".join(part).encode() + b"\0\0")
    return digest.hexdigest()[:24]


def _compile(tree: Path, tools: Toolchain, work: Path, granule: TranslationGranule) -> BuildReport:
    """Everything from probes to the linked library, in ``work``; what was found out."""
    stubs = work / "include"
    units = _units(tree)
    served = {name: tree / ARCH / "include" / name for unit in units for name in unit.headers}
    waiting = [*(tree / name for unit in units for name in unit.files), HERE / "glue/glue.c"]
    write_stubs(stubs, [*waiting, *served.values()], served, (HERE / "runtime",))
    write_headers(stubs, granule)
    (stubs / registers.HEADER).write_text(registers.generate(tree))
    (stubs / emulate.HEADER).write_text(emulate.generate(tree))
    (stubs / emulate.GUEST_TLBI_HEADER).write_text(emulate.generate_guest_tlbi(tree))
    text = "".join((tree / name).read_text(errors="replace") for name in KERNEL_FILES)
    traces = "".join(
        f"#define {name}(...) ((void)0)\n" for name in sorted(set(TRACE.findall(text)))
    )
    (stubs / "config.h").write_text(traces)
    command = _kernel_command(tree, tools, stubs)
    probes = probe(Probe(tree, command, text, work))
    traced = [*command, *tools.instrument, *tools.checks]
    refused: dict[str, str] = {}
    objects: list[Path] = []
    for unit in OPTIONAL:
        probes[unit.config] = unit.present(tree) and (
            not unit.needs or probes[UNITS[unit.needs].config]
        )
        (stubs / "config.h").write_text(traces + _config(probes))
        made, needs = _unit_objects(tree, unit, traced, work) if probes[unit.config] else ([], "")
        objects += made
        if needs:
            refused[unit.name], probes[unit.config] = needs, False
    (stubs / "config.h").write_text(traces + _config(probes))
    objects += [
        *(_object(tree, traced, file, work) for file in STAGE2.files),
        _object(tree, command, HERE / "glue/glue.c", work),
        _object(tree, [*command, *tools.instrument], HERE / "runtime/witness.c", work),
        _compile_runtime(tools, stubs, work),
    ]
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    link = [tools.command, "-shared", "-Wl,-z,defs", *wraps]
    library = work / LIBRARY
    _check(tree, work, run_command([*link, *map(str, objects), "-o", str(library)]))
    write_lines(library)
    for path in objects:
        path.unlink()
    shutil.rmtree(stubs)
    return BuildReport(probes, refused)


def _config(probes: dict[str, bool]) -> str:
    return "".join(f"#define {name} {int(found)}\n" for name, found in probes.items())


def _object(tree: Path, command: list[str], source: Path, work: Path) -> Path:
    """The object of one file, of the tree's or ours; InputError if it does not compile."""
    out, done = _compiled(tree, command, source, work)
    _check(tree, work, done)
    return out


def _unit_objects(tree: Path, unit: Unit, command: list[str], work: Path) -> tuple[list[Path], str]:
    """The objects of an optional unit, or none and what it needs that the shim has not.

    Where it has two files of a kind, each is compiled under names of its own.
    """
    objects = []
    for file in (*unit.files, *(HERE / name for name in unit.ours)):
        forced = (f"-DS2_COPY={file.parent.name}", "-include", str(HERE / "shim" / unit.shim))
        out, done = _compiled(tree, [*command, *forced], file, work)
        if done.returncode:
            return [], complaint(done.stderr)
        objects.append(out)
    return objects, ""


def _compiled(
    tree: Path, command: list[str], source: Path, work: Path
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Where the object of one file is, if what the compiler said is no complaint."""
    out = work / f"{'-'.join(source.parts[-2:])}.o"
    traced = any("trace-stores" in each for each in command)
    if not (traced and can_be_read(find_toolchain())):
        return out, run_command([*command, "-c", str(tree / source), "-o", str(out)])
    text = out.with_suffix(".s")
    done = run_command([*command, "-S", str(tree / source), "-o", str(text)])
    if done.returncode:
        return out, done
    text.write_text(without_idle_calls(text.read_text()))
    done = run_command([command[0], "-c", str(text), "-o", str(out)])
    text.unlink()
    return out, done


def _kernel_command(tree: Path, tools: Toolchain, stubs: Path) -> list[str]:
    """The compiler as kernel code wants it: the tree's headers, the shim's, and empty ones."""
    return [
        tools.command,
        *DIALECT,
        *STRICT,
        f"-fdebug-prefix-map={tree}/={TREE}",
        "-D_TRACE_ARM_ARM64_KVM_H",
        "-D_TRACE_HANDLE_EXIT_ARM64_KVM_H",
        f"-I{stubs}",
        f"-I{HERE / 'shim'}",
        f"-I{HERE / 'runtime'}",
        f"-I{tree / ARCH / 'include'}",
        f"-I{tree / ARCH / 'kvm'}",
        "-include",
        str(HERE / "shim/kernel.h"),
    ]


def _compile_runtime(tools: Toolchain, stubs: Path, work: Path) -> Path:
    """The object of all our modules, as one unit."""
    runtime, out = work / "runtime.c", work / "runtime.o"
    unit = "".join(f'#include "{name}.c"\n' for name in RUNTIME_FILES)
    runtime.write_text(f"#define S2_UNITY\n{unit}")
    # Quoted includes only: libc's own headers must not meet the empty ones.
    ours = [tools.command, *RUNTIME_FLAGS, "-iquote", str(stubs), "-iquote", str(HERE / "runtime")]
    _must(work, run_command([*ours, "-c", str(runtime), "-o", str(out)]))
    runtime.unlink()
    return out


def _must(work: Path, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        check_room(work, done.stderr)
        raise InputError("kernel build", f"the runtime does not compile: {done.stderr[:2000]}")


def _check(tree: Path, work: Path, done: subprocess.CompletedProcess[str]) -> None:
    check_compiled(str(tree), work, done, "a tree whose stage-2 code the shim knows")
