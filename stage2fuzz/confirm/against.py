"""Is our model of the host true? Random sequential cases on compiled code and on a real kernel.

One machine boots once and runs many cases, some of which are sent ahead, so that neither side waits
for the other. What must agree is what user space sees: how each access
ended, the faults it took (kind, reason, level), what each operation returned, each dirty log, and
whether the kernel warned. The first difference of a case is kept.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import ACCESS_NAMES, FAULT_NAMES
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import SLOT_STRIDE, Backing, HostOp, Op, Scenario, ipa_of, page_of
from stage2fuzz.confirm.draw import draw
from stage2fuzz.confirm.machine import MachineError, VirtualMachine
from stage2fuzz.confirm.observe import Observation, observe
from stage2fuzz.confirm.orders import orders
from stage2fuzz.confirm.plan import items_of
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Schedule

THREADS: Final = 4
BATCH: Final = 8
"""Cases that are sent before the first of them is read; the console holds some 64 KiB."""
MACHINES: Final = 5
"""Machines that may die before it is no case's fault any more."""
QUICK: Final = "rcupdate.rcu_expedited=1"
"""Nobody is held here, so that no grace period need be waited for."""
RETURNING: Final = {
    Op.LOG_ENABLE: ev.CALL_LOG_ENABLE,
    Op.LOG_DISABLE: ev.CALL_LOG_DISABLE,
    Op.LOG_GET: ev.CALL_LOG_GET,
    Op.LOG_CLEAR: ev.CALL_LOG_CLEAR,
    Op.SLOT_DELETE: ev.CALL_SLOT_DELETE,
}
"""Operations whose result user space sees, and the call that tells it in the engine's run."""
DONE, MMIO, ABORTED = "done", "an exit for MMIO", "an exception of the guest"


@dataclass(frozen=True, slots=True)
class HostDifference:
    """The first thing in which engine and kernel differ in one case."""

    seed: int
    case: Case
    topic: str
    engine: str
    kernel: str


MACHINE: Final = "the machine"


@dataclass(slots=True)
class RealComparison:
    """All cases of one image."""

    release: str = ""
    cases: int = 0
    skipped: int = 0
    """Cases for which the machine had no huge page."""


def against(
    engine: str,
    image: Path,
    seconds: float,
    seed: int,
    found: Callable[[HostDifference], None],
    progress: Callable[[RealComparison], None] = lambda _: None,
) -> RealComparison:
    """Run cases from ``seed`` on for so long; ``found`` gets each difference."""
    done = RealComparison()
    end = time.monotonic() + seconds
    died = 0
    while time.monotonic() < end:
        with VirtualMachine(image, THREADS + 1, options=QUICK) as machine:
            done.release = machine.release
            for number, usable, difference in _compared(machine, engine, seed, end):
                seed = number + 1
                done.cases += usable
                done.skipped += not usable
                if difference is not None:
                    died += difference.topic == MACHINE
                    found(difference)
                progress(done)
        if died >= MACHINES:
            raise InputError(str(image), f"{died} machines died, the last in seed {seed - 1}")
    return done


@dataclass(frozen=True, slots=True)
class _SentCase:
    """A case whose orders the machine has."""

    seed: int
    scenario: Scenario
    schedule: Schedule
    lines: tuple[str, ...]


def _compared(
    machine: VirtualMachine, engine: str, seed: int, end: float
) -> Iterator[tuple[int, bool, HostDifference | None]]:
    """Cases from ``seed`` on, until the time is over or the machine dies.

    Of each its seed, whether the machine had the huge pages it wants, and its difference.
    """
    waiting: deque[_SentCase] = deque()
    while waiting or time.monotonic() < end:
        while len(waiting) < BATCH and time.monotonic() < end:
            case = _case(seed)
            machine.send(*case.lines)
            waiting.append(case)
            seed += 1
        if not waiting:
            return
        case = waiting.popleft()
        outcome = run(Case(engine, case.scenario, case.schedule))
        try:
            answers = [line for sent in case.lines for line in machine.answers(sent.split()[0])]
        except MachineError as error:
            died = HostDifference(case.seed, outcome.case, MACHINE, "goes on", str(error))
            yield case.seed, True, died
            return
        seen = observe(answers)
        if not _has_huge_pages(case.scenario, seen):
            yield case.seed, False, None
            continue
        said = of_engine(case.scenario, outcome.events)
        kernel = of_kernel(case.scenario, seen)
        yield case.seed, True, _first(case.seed, outcome.case, said, kernel)


def _has_huge_pages(scenario: Scenario, seen: Observation) -> bool:
    return all(
        seen.huge.get(number, 0) >= slot.pages * 4 - 2048 * slot.skewed
        for number, slot in enumerate(scenario.slots)
        if slot.backing is Backing.PMD
    )


def _case(seed: int) -> _SentCase:
    """All items of each thread in turn, and the log at the end."""
    scenario, schedule = draw(seed, THREADS)
    alone = " ".join(
        str(thread) for thread, _points in schedule.runs for _ in range(items_of(scenario, thread))
    )
    lines = ("sparse", *orders(scenario), f"alone {alone}", "dirty", "drop")
    return _SentCase(seed, scenario, schedule, lines)


def _first(
    seed: int, case: Case, engine: dict[str, str], kernel: dict[str, str]
) -> HostDifference | None:
    for topic, words in engine.items():
        if kernel.get(topic, "nothing") != words:
            return HostDifference(seed, case, topic, words, kernel.get(topic, "nothing"))
    return None


def of_engine(scenario: Scenario, events: list[Event]) -> dict[str, str]:
    """What user space would see of a sequential run of the engine, by topic."""
    told: dict[str, str] = {}
    item = dict.fromkeys(range(scenario.threads), 0)
    faults: dict[int, list[str]] = {}
    dirty: dict[int, bool] = {}
    reported: list[int] = []
    for event in events:
        kind, thread, where, old, new, aux = event
        if kind == ev.MARK_DIRTY:
            dirty[page_of(where)] = True
        elif kind == ev.CLEAR_DIRTY:
            dirty.pop(page_of(where), None)
        elif kind == ev.REPORT:
            reported.append(page_of(where))
        elif kind == ev.SLOT and thread >= 0 and not (old and new & ev.SLOT_LOGGING):
            first = page_of(where)
            dirty = {page: True for page in dirty if not 0 <= page - first < SLOT_STRIDE}
        elif kind == ev.FAULT:
            faults.setdefault(thread, []).append(
                f"{ACCESS_NAMES[old]} of page {page_of(where):#x}: {FAULT_NAMES[new]} at {aux}"
            )
        if thread not in item or item[thread] == items_of(scenario, thread):
            continue
        ended = _end_of_access(event) if thread < len(scenario.vcpus) else ""
        if ended:
            topic = f"access {item[thread] + 1} of vCPU {thread}"
            told[topic] = "; ".join([*faults.pop(thread, []), ended])
            item[thread] += 1
        elif kind == ev.RETURN and thread >= len(scenario.vcpus):
            told |= _end_of_operation(scenario, thread, item, event, reported)
    for number, slot in enumerate(scenario.slots):
        first = number * SLOT_STRIDE
        pages = sorted(page - first for page in dirty if 0 <= page - first < slot.pages)
        told[f"dirty log of slot {number}"] = " ".join(map(str, pages))
    return told | _warning(events)


def _warning(events: list[Event]) -> dict[str, str]:
    """Whether the kernel would have warned.

    Not compared where it is of an empty memory cache alone: the machine's vCPUs have run code
    before, so that theirs are never quite empty.
    """
    warnings = {event[5] for event in events if event[0] == ev.WARN}
    if warnings == {ev.WARN_MEMORY_CACHE}:
        return {}
    return {"warning": "yes" if warnings else "no"}


def _end_of_access(event: Event) -> str:
    """How the access ended with this event; empty where it goes on."""
    kind, _thread, _where, _old, new, _aux = event
    if kind == ev.ACCESS:
        return DONE
    if kind != ev.RESUME or new in (1, -ev.EAGAIN):
        return ""
    if new == 0:
        return MMIO
    return ABORTED if new == -ev.ENOEXEC else f"errno {-new}"


def _end_of_operation(
    scenario: Scenario, thread: int, item: dict[int, int], event: Event, reported: list[int]
) -> dict[str, str]:
    """What an operation that returns something returned.

    The engine leaves out an operation on a slot that was deleted; such a one is not compared.
    """
    code = event[5] & ev.CALL_CODE
    ops = scenario.hosts[thread - len(scenario.vcpus)]
    if code not in RETURNING.values():
        return {}
    while item[thread] < len(ops) and not _is_of(ops[item[thread]], code, event[2]):
        item[thread] += 1
    if item[thread] == len(ops):
        return {}
    op = ops[item[thread]]
    topic = f"{op.op.name.lower()} ({item[thread] + 1}) of host {thread - len(scenario.vcpus)}"
    item[thread] += 1
    words = f"returned {event[4]}"
    if op.op in (Op.LOG_GET, Op.LOG_CLEAR):
        first = op.page // SLOT_STRIDE * SLOT_STRIDE
        words += "".join(f" {page - first}" for page in sorted(reported))
        reported.clear()
    return {topic: words}


def _is_of(op: HostOp, code: int, ipa: int) -> bool:
    """Whether the call is that operation's."""
    return RETURNING.get(op.op) == code and ipa_of(op.page) == ipa


def of_kernel(scenario: Scenario, seen: Observation) -> dict[str, str]:
    """What user space saw of the same on the machine."""
    told: dict[str, str] = {}
    vcpus = len(scenario.vcpus)
    for each in seen.items:
        if each.thread < vcpus:
            words = [
                f"{ACCESS_NAMES[fault.kind]} of page {page_of(fault.ipa):#x}: "
                f"{FAULT_NAMES.get(fault.status, 'another')} at {fault.level}"
                for fault in seen.faults
                if fault.thread == each.thread and each.begin <= fault.at + 1000 <= each.end + 2000
            ]
            ends = {0: DONE, -5: MMIO, -ev.ENOEXEC: ABORTED}
            words.append(ends.get(each.result, f"errno {-each.result}"))
            told[f"access {each.index + 1} of vCPU {each.thread}"] = "; ".join(words)
            continue
        op = scenario.hosts[each.thread - vcpus][each.index]
        if op.op not in RETURNING:
            continue
        bits = seen.bits.get((each.thread, each.index), [])
        words_of = f"returned {each.result}" + "".join(f" {page}" for page in bits)
        topic = f"{op.op.name.lower()} ({each.index + 1}) of host {each.thread - vcpus}"
        told[topic] = words_of
    for number in range(len(scenario.slots)):
        told[f"dirty log of slot {number}"] = " ".join(map(str, seen.dirty.get(number, [])))
    told["warning"] = "yes" if seen.warnings else "no"
    return told


def differences_in_words(difference: HostDifference, engine: str) -> Iterator[str]:
    """The lines that show one difference to a person."""
    yield f"seed {difference.seed}, {difference.topic}:"
    yield f"  {engine}: {difference.engine}"
    yield f"  the real kernel: {difference.kernel}"
