"""Confirm a case: the machine booted once, the schedule forced so often, the controls beside it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from stage2fuzz.case.scenario import Backing, Op, Scenario
from stage2fuzz.confirm.anchors import RETURNS, Anchor, resolve
from stage2fuzz.confirm.driver import StubDriver
from stage2fuzz.confirm.force import PlanProgress, run_plan
from stage2fuzz.confirm.gdbstub import StubError
from stage2fuzz.confirm.lines import SourceLines, offset_of
from stage2fuzz.confirm.machine import MachineError, VirtualMachine
from stage2fuzz.confirm.observe import Observation, observe
from stage2fuzz.confirm.orders import orders
from stage2fuzz.confirm.plan import Plan, make_plan
from stage2fuzz.confirm.rules import LOG_FIRST, RULES
from stage2fuzz.confirm.subject import Subject
from stage2fuzz.confirm.symbols import Symbols
from stage2fuzz.errors import InputError

MEMORY = 1024
HUGE_MEMORY = 3072
"""MiB of a machine that holds a page of 1 GiB."""


class Answer(StrEnum):
    """What a run, or all runs together, say of the finding."""

    CONFIRMED = "confirmed"
    """The consequence was observed."""
    REFUTED = "refuted"
    """The schedule was followed and the consequence did not come."""
    NOT_REACHED = "not reached"
    """The schedule could not be followed, or not all of it can be told by anchors, or what was
    observed comes without any race."""


def answer_of(runs: Iterable[Answer]) -> Answer:
    """What runs say together: confirmed if any is, else refuted if any is."""
    answers = set(runs)
    for answer in (Answer.CONFIRMED, Answer.REFUTED):
        if answer in answers:
            return answer
    return Answer.NOT_REACHED


@dataclass(slots=True)
class ForcedRun:
    """One run on a machine."""

    answer: Answer
    shown: dict[str, str]
    """Rule -> what was observed, of those whose consequence was."""
    seen: Observation
    forced: PlanProgress = field(default_factory=PlanProgress)


@dataclass(slots=True)
class Confirmation:
    """All runs on one kernel."""

    image: Path
    release: str
    plan: Plan
    """What the runs were to follow, by the anchors of this kernel."""
    runs: list[ForcedRun] = field(default_factory=list)
    serial: ForcedRun | None = None
    """The same accesses and operations one after another: what needs no race."""
    names: dict[int, str] = field(default_factory=dict)
    """The functions of the addresses on the stacks."""

    @property
    def answer(self) -> Answer:
        """What the runs say together."""
        return answer_of(run.answer for run in self.runs)

    def count(self, answer: Answer) -> int:
        """How many runs ended so."""
        return sum(run.answer is answer for run in self.runs)


ProgressSink = Callable[[str], None]


def confirm(
    image: Path, subject: Subject, times: int, progress: ProgressSink = lambda _: None
) -> Confirmation:
    """Boot ``image`` once; the control, then the forced schedule ``times`` times.

    Raises InputError for an image that cannot be used.
    """
    scenario = subject.case.scenario
    huge = any(slot.backing is Backing.PUD for slot in scenario.slots)
    options = "hugepagesz=1G hugepages=2" if huge else ""
    memory = HUGE_MEMORY if huge else MEMORY
    progress(f"booting {image.name}")
    with VirtualMachine(image, scenario.threads + 1, memory, options) as machine:
        try:
            return confirm_on(machine, image, subject, times, progress)
        except (MachineError, StubError) as error:
            raise InputError(str(image), str(error), "the same command once more") from None


def confirm_on(
    machine: VirtualMachine, image: Path, subject: Subject, times: int, progress: ProgressSink
) -> Confirmation:
    """The same on a machine that runs already."""
    if not machine.can_age and any(
        each.op is Op.AGE for ops in subject.case.scenario.hosts for each in ops
    ):
        right = "a kernel with CONFIG_IDLE_PAGE_TRACKING; --tree builds one"
        raise InputError(str(image), "cannot age a page: it has no page_idle", right)
    symbols = Symbols(image, machine)
    progress(f"{machine.release} is up, reading its symbols")
    known = symbols.addresses()
    lines = SourceLines.beside(image)
    above = offset_of(lines, known)
    addresses: dict[Anchor, list[int]] = {
        anchor: [address] for anchor, address in resolve(known, str(image)).items()
    }
    addresses |= {a: [at + above for at in where] for a, where in lines.anchors().items()}
    plan = make_plan(subject.case.scenario, subject.events, addresses)
    missing = plan.anchors - set(addresses) - set(RETURNS)
    if missing:
        names = ", ".join(sorted(missing))
        raise InputError(str(image), f"lacks what the schedule is held at: {names}")
    done = Confirmation(image, machine.release, plan)
    driver = StubDriver(machine.stub, addresses, subject.case.scenario.threads)
    driver.let_run()
    log_first = not set(subject.rules) - LOG_FIRST
    progress(f"{machine.release}: the control, one item after another")
    done.serial = _serial(machine, subject, log_first)
    needs_race = [rule for rule in subject.rules if rule not in done.serial.shown]
    for number in range(times):
        progress(f"{machine.release}: run {number + 1} of {times}")
        done.runs.append(_forced(machine, driver, subject, plan, needs_race, log_first))
    wanted = {a for run in done.runs for held in run.forced.held for a in held.stack}
    done.names = symbols.names(sorted(wanted))
    done.names |= {at: name for at in wanted if (name := lines.place(at - above))}
    return done


def _serial(machine: VirtualMachine, subject: Subject, log_first: bool) -> ForcedRun:
    scenario = subject.case.scenario
    lines = machine.order(*orders(scenario))
    lines += machine.order("alone " + " ".join(map(str, subject.serial)))
    lines += machine.order(f"probe {'log' if log_first else 'write'}", "drop")
    seen = observe(lines)
    shown = _shown(scenario, seen, subject.rules)
    return ForcedRun(Answer.CONFIRMED if shown else Answer.REFUTED, shown, seen)


def _forced(
    machine: VirtualMachine,
    driver: StubDriver,
    subject: Subject,
    plan: Plan,
    rules: Sequence[str],
    log_first: bool,
) -> ForcedRun:
    """One forced run; ``rules`` are those that the control did not show."""
    scenario = subject.case.scenario
    after = (f"probe {'log' if log_first else 'write'}", "drop")
    lines, forced = run_plan(machine, driver, scenario, plan, after=after)
    seen = observe(lines)
    if not forced.missed:
        forced.missed = _not_aged(scenario, seen)
    if not forced.missed:  # else its faults are those of another schedule
        seen.expected = subject.expected
    shown = _shown(scenario, seen, rules)
    if not shown:
        forced.missed = forced.missed or forced.unsettled
    if shown:
        answer = Answer.CONFIRMED
    elif forced.missed or plan.lost or not rules:
        answer = Answer.NOT_REACHED
    else:
        answer = Answer.REFUTED
    return ForcedRun(answer, shown, seen, forced)


def _not_aged(scenario: Scenario, seen: Observation) -> str:
    """Why a page was not aged although the plan was followed; empty where all were."""
    vcpus = len(scenario.vcpus)
    for item in seen.items:
        host = scenario.hosts[item.thread - vcpus] if item.thread >= vcpus else ()
        if host and host[item.index].op is Op.AGE and item.result < 0:
            return f"thread {item.thread} could not age its page (errno {-item.result})"
    return ""


def _shown(scenario: Scenario, seen: Observation, rules: Sequence[str]) -> dict[str, str]:
    found = {rule: RULES[rule](scenario, seen) for rule in rules}
    return {rule: words for rule, words in found.items() if words}
