"""What user space sees of a run, by topic: of an engine's events, and of a machine's answers.

Whoever holds a model of the host against a kernel compares these, and nothing that user space
cannot see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import ACCESS_NAMES, FAULT_NAMES
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import SLOT_STRIDE, Backing, HostOp, Op, Scenario, ipa_of, page_of
from stage2fuzz.confirm.observe import Observation
from stage2fuzz.confirm.plan import items_of
from stage2fuzz.events import Event

RETURNING: Final[dict[Op, int]] = {
    op: getattr(ev, f"CALL_{op.name}")  # operation and call have one name
    for op in (Op.LOG_ENABLE, Op.LOG_DISABLE, Op.LOG_GET, Op.LOG_CLEAR, Op.SLOT_DELETE)
}
"""Operations whose result user space sees, and the call that tells it in the engine's run."""
MACHINE: Final = "the machine"
"""The topic of a case after which the machine did not go on."""
DONE, MMIO, ABORTED = "done", "an exit for MMIO", "an exception of the guest"


@dataclass(frozen=True, slots=True)
class HostDifference:
    """The first thing in which engine and kernel differ in one case."""

    seed: int
    case: Case
    topic: str
    engine: str
    kernel: str


def first_difference(
    seed: int, case: Case, engine: dict[str, str], kernel: dict[str, str]
) -> HostDifference | None:
    """The first topic of the engine's that the kernel tells otherwise; None where all agree."""
    for topic, words in engine.items():
        if kernel.get(topic, "nothing") != words:
            return HostDifference(seed, case, topic, words, kernel.get(topic, "nothing"))
    return None


def has_huge_pages(scenario: Scenario, seen: Observation) -> bool:
    """Whether the machine mapped each slot as the scenario wants it; it may be short of memory."""
    return all(
        seen.huge.get(number, 0) >= slot.pages * 4 - 2048 * bool(slot.skewed)
        for number, slot in enumerate(scenario.slots)
        if slot.backing is Backing.PMD
    )


def of_engine(scenario: Scenario, events: list[Event]) -> dict[str, str]:
    """What user space would see of a run of the engine, by topic."""
    told: dict[str, str] = {}
    item = dict.fromkeys(range(scenario.threads), 0)
    faults: dict[int, list[str]] = {}
    dirty: dict[int, bool] = {}
    logging: dict[int, bool] = {}
    reported: list[int] = []
    for event in events:
        kind, thread, where, old, new, aux = event
        if kind == ev.MARK_DIRTY:
            dirty[page_of(where)] = True
        elif kind == ev.CLEAR_DIRTY:
            dirty.pop(page_of(where), None)
        elif kind == ev.REPORT:
            reported.append(page_of(where))
        elif kind == ev.SLOT:
            first = page_of(where)
            logging[first] = bool(old and new & ev.SLOT_LOGGING)
            if thread >= 0 and not logging[first]:
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
        inside = [page - first for page in dirty if 0 <= page - first < slot.pages]
        pages = sorted(inside) if logging.get(first) else []  # a log that is off cannot be read
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
