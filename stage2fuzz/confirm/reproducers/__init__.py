"""Programs for a mail: they show a finding with nothing but user space."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Op
from stage2fuzz.errors import InputError
from stage2fuzz.run import Outcome, run

LOST_DIRTY_PAGE: Final = Path(__file__).parent / "lost_dirty_page.c"
GUEST_TLBI: Final = Path(__file__).parent / "guest_tlbi.c"
DIRTY_RING: Final = Path(__file__).parent / "dirty_ring.c"
COMMAND: Final = "gcc -O2 -Wall -pthread -o reproducer {file} && ./reproducer"


def reproducer_of(rules: tuple[str, ...], where: str) -> Path:
    """The program that forces what these oracles say by starving threads; InputError for none."""
    if "C9" in rules and {"D1", "D3"} & set(rules):
        return LOST_DIRTY_PAGE
    what = "cannot be forced by starving threads"
    raise InputError(where, what, "--reproducer knows the lost dirty page (C9 with D1 or D3)")


def forces_itself(case: Case) -> bool:
    """Whether the case is of a kind whose program needs no starving, and so any engine's run.

    A VM with dirty rings alone loses pages in any order; a nested guest is held by userfaultfd.
    """
    return case.scenario.options.dirty_ring or bool(case.scenario.options.nested)


def reproducer_alone(case: Case, where: str, run: Callable[[Case], Outcome] = run) -> Path:
    """The program for such a case; InputError where its run shows nothing of it.

    That is so on an engine before v6.2, for one, which has no rings. ``run`` runs the case: in a
    confined process, where it may be a tree's.
    """
    spoke = {each.oracle for each in run(case).violations}
    if case.scenario.options.dirty_ring:
        if {"C9", "D1"} & spoke:
            return DIRTY_RING
        what = f"loses no dirty page on {case.engine} for want of a bitmap"
        raise InputError(where, what, "a case with dirty-ring that does, see replay")
    tlbis = (Op.GUEST_TLBI_IPA, Op.GUEST_TLBI_RANGE, Op.GUEST_TLBI_VMID, Op.GUEST_TLBI_ALL)
    if "N2" in spoke and any(each.op in tlbis for ops in case.scenario.hosts for each in ops):
        return GUEST_TLBI
    what = f"keeps no translation after a guest hypervisor's TLBI on {case.engine}"
    raise InputError(where, what, "a case with nested that does (N2), see replay")
