"""What is to be confirmed: a case run once on its engine, as a plan and as rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stage2fuzz.arch import PERMISSION, TRANSLATION
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import page_of
from stage2fuzz.confirm.orders import check_scenario
from stage2fuzz.confirm.plan import ends_of_items
from stage2fuzz.confirm.rules import RULES, TLB_ORACLES, why_unseen
from stage2fuzz.engine import ENGINES, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.events import ACCESS, FAULT, Event
from stage2fuzz.run import Outcome, run

SHOWN_BY_FAULT: Final = {
    "C6": (PERMISSION,),
    "G2": (PERMISSION, TRANSLATION),
    "G3": (PERMISSION, TRANSLATION),
}
"""Rules that speak of one more fault, and of which kind."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A case, ready for a machine."""

    case: Case
    events: tuple[Event, ...]
    """What happened in the engine's run, in its order."""
    serial: tuple[int, ...]
    """The thread of each item, in the order in which the items ended in the run."""
    rules: tuple[str, ...]
    expected: dict[int, list[tuple[int, int]]]
    """vCPU -> (kind, status) of its faults in the run."""
    verdicts: tuple[str, ...]
    """What the oracles say of the run, for a person."""


def prepare(
    case: Case, where: str, oracle: str = "", run: Callable[[Case], Outcome] = run
) -> Subject:
    """Run the case and turn its switches into anchors; InputError where no machine can show it.

    ``oracle`` is the one that the finding is about; all that speak where it is empty. ``run``
    runs the case: in a confined process, unless this is one.
    """
    if kind_of(case.engine) is not ENGINES["kernel"]:
        right = "a kernel's: --engine kernel:TREE runs it on one first"
        raise InputError(where, f"is a case of {case.engine}, not of a kernel", right)
    check_scenario(case.scenario, where)
    outcome = run(case)
    rules = observable_rules(outcome, where, oracle)
    serial = tuple(ends_of_items(case.scenario, outcome.events))
    expected: dict[int, list[tuple[int, int]]] = {}
    for kind, thread, _where, old, new, _aux in outcome.events:
        if kind == FAULT:
            expected.setdefault(thread, []).append((old, new))
    verdicts = tuple(
        f"{each.oracle} {each.rule}: {each.verdict}"
        for each in outcome.violations
        if each.oracle in rules
    )
    return Subject(outcome.case, tuple(outcome.events), serial, rules, expected, verdicts)


def _has_its_fault(rule: str, events: Sequence[Event]) -> bool:
    """Whether the run has the fault by which alone a machine could show what the rule says.

    That is one for what an access of that kind that is over had, or that the vCPU took before.
    """
    statuses = SHOWN_BY_FAULT.get(rule)
    if statuses is None:
        return True
    granted: set[tuple[int, int]] = set()
    taken: set[tuple[int, int, int]] = set()
    for kind, thread, where, old, new, _aux in events:
        page = page_of(where)
        if kind == ACCESS:
            granted.add((page, old))
        elif kind == FAULT:
            if new in statuses and ((page, old) in granted or (thread, page, old) in taken):
                return True
            taken.add((thread, page, old))
    return False


def observable_rules(outcome: Outcome, where: str, oracle: str) -> tuple[str, ...]:
    """The oracles of the run whose consequence can be looked for; InputError, with why, for none.

    ``oracle`` is the one that is asked about; all that spoke where it is empty.
    """
    spoke = sorted({violation.oracle for violation in outcome.violations})
    if not spoke:
        engine = outcome.case.engine
        raise InputError(where, f"shows no violation on {engine}", "a case that does, see replay")
    asked = [oracle] if oracle else spoke
    if oracle and oracle not in spoke:
        raise InputError(where, f"shows {', '.join(spoke)} now, but not {oracle}", "see replay")
    rules = tuple(each for each in asked if each in RULES)
    seen = tuple(each for each in rules if _has_its_fault(each, outcome.events))
    if seen:
        return seen
    if rules:
        what = f"costs nobody a fault in this run, and {', '.join(rules)} shows by nothing else"
        raise InputError(where, what, "a case in which a vCPU uses the page once more")
    if set(asked) <= TLB_ORACLES:
        raise InputError(where, why_unseen(asked[0]))
    reasons = dict.fromkeys(f"{each}: {why}" for each in asked if (why := why_unseen(each)))
    what = "; ".join(reasons) or f"{', '.join(asked)}: has no consequence to look for"
    raise InputError(where, what, f"a finding of {', '.join(sorted(RULES))}")
