"""What is to be confirmed: a case run once on its engine, as a plan and as rules."""

from dataclasses import dataclass

from stage2fuzz.case.case import Case
from stage2fuzz.confirm.orders import check_scenario
from stage2fuzz.confirm.plan import ends_of_items
from stage2fuzz.confirm.rules import RULES, TLB_ORACLES, why_unseen
from stage2fuzz.engine import ENGINES, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.events import FAULT, Event
from stage2fuzz.run import Outcome, run


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


def prepare(case: Case, where: str, oracle: str = "") -> Subject:
    """Run the case and turn its switches into anchors; InputError where no machine can show it.

    ``oracle`` is the one that the finding is about; all that speak where it is empty.
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
    if rules:
        return rules
    if set(asked) <= TLB_ORACLES:
        what = "is about stale TLB entries or the order of TLB maintenance"
        raise InputError(where, f"{what}, which QEMU's TCG cannot show", "")
    reasons = dict.fromkeys(f"{each}: {why}" for each in asked if (why := why_unseen(each)))
    what = "; ".join(reasons) or f"{', '.join(asked)}: has no consequence to look for"
    raise InputError(where, what, f"a finding of {', '.join(sorted(RULES))}")
