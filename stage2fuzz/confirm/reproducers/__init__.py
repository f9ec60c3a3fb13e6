"""Programs for a mail: they show a finding with nothing but user space."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Op
from stage2fuzz.errors import InputError
from stage2fuzz.run import Outcome, run

FOLDER: Final = Path(__file__).parent
LOST_DIRTY_PAGE: Final = FOLDER / "lost_dirty_page.c"
COMMAND: Final = "gcc -O2 -Wall -pthread -o reproducer {file} && ./reproducer"


@dataclass(frozen=True, slots=True)
class Reproducer:
    """One that needs no forced schedule, and what it asks of the machine that it runs on.

    Its exit code says what it saw: 1 the harm, 0 none of it, 3 that it could not try.
    """

    path: Path
    shows: frozenset[str]
    """The oracles whose consequence it looks for."""
    tags: bool = False
    """Whether the machine must have memory tags."""
    sign: str = ""
    """What it prints where the kernel lacks what it needs."""
    lacks: str = ""
    """The same for a person, and what has it."""
    right: str = ""
    elsewhere: str = ""
    """Why the machine of ``confirm`` is none for it; empty where it is."""


GUEST_TLBI: Final = Reproducer(
    FOLDER / "guest_tlbi.c",
    frozenset({"N2"}),
    elsewhere="takes minutes to end on a machine that nests guests, which --kernel does not boot",
)
DIRTY_RING: Final = Reproducer(
    FOLDER / "dirty_ring.c",
    frozenset({"C9", "D1", "D2"}),
    sign="KVM_CAP_DIRTY_LOG_RING_ACQ_REL 0,",
    lacks="has no dirty rings",
    right="a kernel from 6.2 on",
)
MEMORY_TAGS: Final = Reproducer(
    FOLDER / "memory_tags.c",
    frozenset({"C15"}),
    tags=True,
    sign="KVM_CAP_ARM_MTE 0",
    lacks="gives a guest no memory tags",
    right="a kernel from 5.14 on, built with CONFIG_ARM64_MTE",
)


def reproducer_of(rules: tuple[str, ...], where: str) -> Path:
    """The program that forces what these oracles say by starving threads; InputError for none."""
    if "C9" in rules and {"D1", "D3"} & set(rules):
        return LOST_DIRTY_PAGE
    what = "cannot be forced by starving threads"
    raise InputError(where, what, "--reproducer knows the lost dirty page (C9 with D1 or D3)")


def forces_itself(case: Case) -> bool:
    """Whether the case is of a kind whose program needs no starving, and so any engine's run.

    A VM with dirty rings alone loses pages in any order; a nested guest is held by userfaultfd;
    old memory tags are there for who comes next.
    """
    options = case.scenario.options
    return options.dirty_ring or options.mte or bool(options.nested)


def program_of(
    case: Case, where: str, oracle: str = "", run: Callable[[Case], Outcome] = run
) -> Reproducer:
    """The program for such a case; InputError where its run shows nothing of it.

    That is so on an engine before v6.2, for one, which has no rings. ``oracle`` is the one that is
    asked about, if one is. ``run`` runs the case: in a confined process, where it may be a tree's.
    """
    spoke = {each.oracle for each in run(case).violations}
    program, what, right = _program(case)
    if oracle and oracle not in program.shows:
        shown = ", ".join(sorted(program.shows))
        raise InputError(where, f"has a program of its own, which shows {shown}, not {oracle}")
    if not _shows(case, program, spoke):
        raise InputError(where, f"{what} on {case.engine}", f"{right}, see replay")
    return program


def _program(case: Case) -> tuple[Reproducer, str, str]:
    """The program of the kind, and for a run that shows nothing what it lacks, what would do."""
    options = case.scenario.options
    if options.dirty_ring:
        return DIRTY_RING, "loses no dirty page for want of a bitmap", "a case that does"
    if options.nested:
        what = "keeps no translation after a guest hypervisor's TLBI"
        return GUEST_TLBI, what, "a case with nested that does (N2)"
    right = "a case that does (C15), and for any other finding the same without mte"
    return MEMORY_TAGS, "gives a guest no page with old memory tags", right


def _shows(case: Case, program: Reproducer, spoke: set[str]) -> bool:
    if program is GUEST_TLBI:
        tlbis = (Op.GUEST_TLBI_IPA, Op.GUEST_TLBI_RANGE, Op.GUEST_TLBI_VMID, Op.GUEST_TLBI_ALL)
        ops = {each.op for ops in case.scenario.hosts for each in ops}
        return "N2" in spoke and not ops.isdisjoint(tlbis)
    if program is DIRTY_RING:  # a read page that is reported, D2, comes without a ring, too
        return not spoke.isdisjoint({"C9", "D1"})
    return not spoke.isdisjoint(program.shows)
