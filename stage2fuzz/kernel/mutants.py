"""Can the engine and its judge see? Faults planted in a copy of the tree, each to be found.

A fault that nothing finds is a blind oracle or a missing operation. What the clean tree shows in
the same scenarios is the baseline: a fault is found by a violation of another signature.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.kernel.adapter import rules_of
from stage2fuzz.kernel.build import ARCH, Library, build
from stage2fuzz.kernel.explore import Child
from stage2fuzz.kernel.faults import FAULTS, Edit, Fault
from stage2fuzz.rules import Rules
from stage2fuzz.scenario import (
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)

BATCH: Final = 1000
ROUNDS: Final = 8
"""Batches a scenario gets before a fault counts as not found."""
ROOM: Final = 60
Judge = Callable[[list[Event], Rules, int, int], Sequence[tuple[str, str]]]
"""(events, rules, vCPUs, threads) -> (oracle, signature) of each violation."""

_R, _W, _X = READ, WRITE, EXECUTE


def _vcpus(*programs: str, page: int = 0) -> tuple[tuple[Access, ...], ...]:
    kinds = {"r": _R, "w": _W, "x": _X}
    return tuple(tuple(Access(kinds[c], page) for c in program) for program in programs)


_STICKY = Options(tlb=Tlb.STICKY)
_TEARDOWN = Options(teardown=True)

PROVING_GROUND: Final = (
    Scenario((Slot(4),), _vcpus("ww", "rr", "xr"), options=_TEARDOWN),
    Scenario(
        (Slot(4, logging=True),), _vcpus("rw", "w"), ((HostOp(Op.LOG_GET), HostOp(Op.LOG_GET)),)
    ),
    Scenario((Slot(4),), _vcpus("ww", "w"), ((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_GET)),)),
    Scenario((Slot(4),), _vcpus("w", "rr"), ((HostOp(Op.MOVE),),), options=_TEARDOWN),
    Scenario((Slot(4),), _vcpus("ww", "r"), ((HostOp(Op.PROTECT), HostOp(Op.UNPROTECT)),)),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("ww", "rx", page=1),
        ((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_DISABLE)),),
        options=_TEARDOWN,
    ),
    Scenario(
        (Slot(512, Backing.PMD, logging=True),),
        ((Access(_W, 0), Access(_R, 1)), (Access(_X, 511), Access(_W, 511))),
        ((HostOp(Op.LOG_DISABLE), HostOp(Op.MOVE, 0, 512)),),
        options=_TEARDOWN,
    ),
    Scenario((Slot(1 << 18, Backing.PUD),), _vcpus("w", "x", page=513), ((HostOp(Op.MOVE, 513),),)),
    Scenario((Slot(4),), _vcpus("w", "r"), ((HostOp(Op.SLOT_DELETE),),), options=_TEARDOWN),
    Scenario((Slot(4),), _vcpus("wr", "x"), ((HostOp(Op.AGE), HostOp(Op.AGE)),)),
    Scenario((Slot(4, Backing.DEVICE),), _vcpus("w", "r")),
    Scenario((Slot(4),), _vcpus("rw", "x"), host_pages=(HostPage(0, Host.LAZY),)),
    Scenario((Slot(4),), _vcpus("rw", "wr"), options=_STICKY),
    Scenario((Slot(4),), _vcpus("ww", "r"), ((HostOp(Op.LOG_ENABLE),),), options=_STICKY),
    Scenario(
        (Slot(2),),
        ((Access(_W, 0), Access(_R, 1)), (Access(_W, 1),)),
        ((HostOp(Op.MOVE, 0, 2),), (HostOp(Op.MOVE, 1),)),
        options=Options(fwb=True, teardown=True),
    ),
)
"""The scenarios in which each fault must show: every operation of the host, every size."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one fault."""

    fault: str
    what: str
    found_by: str
    """The oracle and signature that found it, empty if none did."""
    schedules: int
    """Schedules run until then."""
    planted: bool = True
    """False: no way of writing it fits this tree."""


def copy_tree(tree: Path, to: Path) -> None:
    """Copy what a build needs of a tree."""
    for folder in (ARCH / "kvm", ARCH / "include", ARCH / "tools"):
        if (tree / folder).is_dir():
            shutil.copytree(tree / folder, to / folder, symlinks=True)


def plant(tree: Path, fault: Fault) -> bool:
    """Apply the first way of ``fault`` that fits to ``tree``, a copy; False if none does."""
    for way in fault.ways:
        texts: dict[str, str] = {}
        for edit in way:
            text = texts.get(edit.file) or (tree / ARCH / "kvm" / edit.file).read_text()
            changed = _apply(text, edit)
            if changed is None:
                break
            texts[edit.file] = changed
        else:
            for name, text in texts.items():
                (tree / ARCH / "kvm" / name).write_text(text)
            return True
    return False


def run_mutants(
    tree: Path, judge: Judge, cache: Path | None = None, names: Sequence[str] = ()
) -> Iterator[Result]:
    """Plant each fault (or those of ``names``) and look for it; a result a fault, as they come."""
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        raise InputError("kernel mutants", f"no fault {', '.join(sorted(unknown))}")
    known = baseline(build(tree, cache), judge)
    for fault in FAULTS:
        if names and fault.name not in names:
            continue
        with tempfile.TemporaryDirectory() as name:
            copy = Path(name) / "tree"
            copy_tree(tree, copy)
            if not plant(copy, fault):
                yield Result(fault.name, fault.what, "", 0, planted=False)
                continue
            found_by, schedules = hunt(build(copy, Path(name) / "cache"), judge, known)
            yield Result(fault.name, fault.what, found_by, schedules)


def baseline(library: Library, judge: Judge) -> frozenset[str]:
    """The signatures that the clean tree shows on the proving ground."""
    found: set[str] = set()
    for _schedules, signatures in _campaign(library, judge):
        found.update(signature for _oracle, signature in signatures)
    return frozenset(found)


def hunt(library: Library, judge: Judge, known: frozenset[str]) -> tuple[str, int]:
    """(what found the fault, schedules until then); an empty text if nothing did."""
    schedules = 0
    for schedules, signatures in _campaign(library, judge):
        for _oracle, signature in signatures:
            if signature not in known:
                return signature, schedules
    return "", schedules


def _campaign(library: Library, judge: Judge) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """After each batch: schedules so far, and the violations in what it kept."""
    child, rules, schedules = Child(library.path), rules_of(library.has), 0
    try:
        for round_ in range(ROUNDS):
            for scenario in PROVING_GROUND:
                batch = child.explore(scenario, 1 + round_ * BATCH, BATCH, ROOM)
                schedules += batch.runs
                found: list[tuple[str, str]] = []
                for kept in batch.kept:
                    events = kept.trace.events
                    found += judge(events, rules, len(scenario.vcpus), scenario.threads)
                yield schedules, found
    finally:
        child.close()


def _apply(text: str, edit: Edit) -> str | None:
    """The text with one edit made, None where its pattern is not there."""
    start, end = 0, len(text)
    if edit.function:
        head = re.search(
            rf"^[a-z][^;{{}}=]*\b{edit.function}\([^;{{}}]*\)\n\{{", text, re.MULTILINE
        )
        if head is None:
            return None
        start, end = head.end(), text.index("\n}", head.end())
    body, made = re.subn(edit.pattern, edit.replacement, text[start:end], count=edit.count)
    return text[:start] + body + text[end:] if made else None
