"""A run's switches told by anchors: who runs until where, so that any kernel can follow.

A thread's events are cut at its anchors into blocks. Two blocks of different threads keep their
order where an event of one conflicts with one of the other; all other orders are free, and the plan
has as few switches as that allows, none of them inside a lock that need not be there. What cannot
be kept, because two blocks would have to come before one another, is counted and said.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import TRANSLATION
from stage2fuzz.case.scenario import HostOp, Op, Scenario
from stage2fuzz.confirm.anchors import STATEMENTS, Anchor, anchor_after, anchor_before
from stage2fuzz.events import Event

_READS: Final = frozenset((ev.LOAD, ev.WALK))
_WRITES: Final = frozenset((ev.STORE, ev.DRAIN, ev.HARDWARE_AF))
_RANGES: Final = frozenset((ev.INVALIDATE_BEGIN, ev.INVALIDATE_END))
_SAMPLES: Final = frozenset((ev.SEQ_READ, ev.RETRY))


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a thread is held: the ``arrival``-th time at ``anchor`` since ``item`` began."""

    item: int
    anchor: Anchor
    arrival: int

    def __str__(self) -> str:
        """In words."""
        if self.anchor is Anchor.ITEM:
            return f"item {self.item + 1}"
        often = "" if self.arrival == 1 else f" for the {self.arrival}th time"
        return f"{self.anchor}{often} in item {self.item + 1}"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Let ``thread`` run until ``stop`` and hold it there."""

    thread: int
    stop: Stop


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order; each thread begins held before its first item and is free at the end."""

    steps: tuple[PlannedStep, ...]
    lost: int
    """Orders of the run that these anchors cannot keep; 0 where all are kept."""

    @property
    def anchors(self) -> frozenset[Anchor]:
        """The anchors it needs."""
        return frozenset(step.stop.anchor for step in self.steps)


@dataclass(slots=True)
class _Block:
    """A thread's events from one anchor to the next."""

    thread: int
    start: Stop
    events: list[int] = field(default_factory=list)
    before: set[int] = field(default_factory=set)
    """Blocks that must come first."""
    locks: int = 0
    """Locks held where it starts."""


def make_plan(
    scenario: Scenario,
    events: Sequence[Event],
    statements: Collection[Anchor] = (),
    depths: bool = False,
) -> Plan:
    """The plan of a run that was executed: its events, in their total order.

    ``depths`` also keeps how deep each faulting walk got, which only its level shows.

    ``statements`` are the anchors by source line that the kernel has beside its functions. Where
    a lock is one, a thread is held there and not where its look-up returned to, which must be
    learnt on each machine anew.
    """
    without = STATEMENTS - set(statements)
    blocks = _cut(scenario, events, without or {Anchor.LOOKED_UP})
    _order(blocks, events, set() if depths else _passed_tables(events))
    sequence, lost = _sort(blocks)
    _leave_locks(sequence, blocks)
    steps: list[PlannedStep] = []
    following = _followers(blocks)
    for place, number in enumerate(sequence):
        after = sequence[place + 1] if place + 1 < len(sequence) else -1
        next_of_thread = following.get(number)
        if next_of_thread is not None and after == next_of_thread:
            continue
        thread = blocks[number].thread
        stop = blocks[next_of_thread].start if next_of_thread is not None else None
        steps.append(PlannedStep(thread, stop or Stop(items_of(scenario, thread), Anchor.ITEM, 1)))
    return Plan(tuple(steps), lost)


def ends_of_items(scenario: Scenario, events: Sequence[Event]) -> list[int]:
    """The thread of each item, in the order in which the items ended."""
    item = dict.fromkeys(range(scenario.threads), 0)
    ended: list[int] = []
    for event in events:
        thread = event[1]
        if thread not in item or item[thread] == items_of(scenario, thread):
            continue
        if _ends_item(scenario, thread, item[thread], event):
            item[thread] += 1
            ended.append(thread)
    return ended


def items_of(scenario: Scenario, thread: int) -> int:
    """How many accesses or operations the thread has."""
    vcpus = len(scenario.vcpus)
    return len(scenario.vcpus[thread] if thread < vcpus else scenario.hosts[thread - vcpus])


def _cut(scenario: Scenario, events: Sequence[Event], without: Collection[Anchor]) -> list[_Block]:
    """The blocks, in the order of their first events; ``without`` these anchors."""
    vcpus = len(scenario.vcpus)
    blocks: list[_Block] = []
    current: dict[int, _Block] = {}
    item = dict.fromkeys(range(scenario.threads), -1)
    over = dict.fromkeys(range(scenario.threads), True)
    counts: dict[tuple[int, Anchor], int] = {}
    locks = dict.fromkeys(range(scenario.threads), 0)
    pending: dict[int, Anchor] = {}
    for index, event in enumerate(events):
        kind, thread = event[0], event[1]
        if thread not in item or kind in (ev.THREAD_END, ev.QUIESCENT):
            continue
        if over[thread]:
            if item[thread] + 1 == items_of(scenario, thread):
                continue  # what the machine does after its last item is no step of the case
            item[thread] += 1
            over[thread] = False
            counts |= {(thread, each): 0 for each in Anchor}
            pending.pop(thread, None)
            current[thread] = _Block(thread, Stop(item[thread], Anchor.ITEM, 1))
            blocks.append(current[thread])
        here = pending.pop(thread, None)
        for anchor in (here, anchor_before(event)):
            if anchor is None or anchor in without or (anchor in STATEMENTS and thread >= vcpus):
                continue
            counts[thread, anchor] += 1
            if current[thread].events:
                stop = Stop(item[thread], anchor, counts[thread, anchor])
                current[thread] = _Block(thread, stop, locks=locks[thread])
                blocks.append(current[thread])
        current[thread].events.append(index)
        if kind in (ev.LOCK, ev.UNLOCK):
            locks[thread] += 1 if kind == ev.LOCK else -1
        over[thread] = _ends_item(scenario, thread, item[thread], event)
        after = anchor_after(event)
        if after is not None:
            pending[thread] = after
    return blocks


def _ends_item(scenario: Scenario, thread: int, item: int, event: Event) -> bool:
    """Whether the access or operation is over with this event."""
    kind, _thread, _where, _old, new, aux = event
    vcpus = len(scenario.vcpus)
    if thread < vcpus:
        refused = kind == ev.RESUME and new not in (1, -ev.EAGAIN)
        return kind == ev.ACCESS or refused
    op: HostOp = scenario.hosts[thread - vcpus][item]
    if op.op in (Op.MOVE, Op.CHANGE_PTE):
        return kind == ev.RETURN and aux & ev.CALL_CODE == ev.CALL_INVALIDATE_FINISH
    if op.op in (Op.PROTECT, Op.UNPROTECT):
        return kind == ev.UNLOCK and event[2] == ev.LOCK_MMAP
    code = aux & ev.CALL_CODE
    return kind == ev.RETURN and (code >= ev.CALL_LOG_ENABLE or code == ev.CALL_HYP_MAP)


def _order(blocks: list[_Block], events: Sequence[Event], free: set[int]) -> None:
    """Note for each block which blocks must come first; the events ``free`` order nothing."""
    owner = {index: number for number, block in enumerate(blocks) for index in block.events}
    last: dict[int, int] = {}
    for number, block in enumerate(blocks):
        if block.thread in last:
            block.before.add(last[block.thread])
        last[block.thread] = number
    indices = sorted(owner.keys() - free)
    for at, later in enumerate(indices):
        for earlier in indices[:at]:
            one, other = owner[earlier], owner[later]
            if blocks[one].thread != blocks[other].thread and _conflict(
                events[earlier], events[later]
            ):
                blocks[other].before.add(one)
    _wait_for_readers(blocks, owner, events)


def _passed_tables(events: Sequence[Event]) -> set[int]:
    """Walks that only led to an invalid entry: it matters that one was there, not how deep."""
    passed: set[int] = set()
    chain: dict[int, list[int]] = {}
    for index, (kind, thread, _where, _old, new, _aux) in enumerate(events):
        if kind == ev.WALK:
            chain.setdefault(thread, []).append(index)
            continue
        walked = chain.pop(thread, [])
        if kind == ev.FAULT and new == TRANSLATION:
            passed.update(walked[:-1])
    return passed


def _wait_for_readers(blocks: list[_Block], owner: dict[int, int], events: Sequence[Event]) -> None:
    """After new memslots are published, their thread waits for each fault that began before."""
    for index, event in enumerate(events):
        if event[0] != ev.SLOT or index not in owner:
            continue
        mine = event[1]
        waits = next((i for i in sorted(owner) if i > index and events[i][1] == mine), None)
        if waits is None:
            continue
        for thread in {block.thread for block in blocks} - {mine}:
            theirs = [i for i in sorted(owner) if events[i][1] == thread]
            begun = [i for i in theirs if i < index and events[i][0] == ev.FAULT]
            ended = [i for i in theirs if begun and i > begun[-1] and events[i][0] == ev.RESUME]
            if ended and index < ended[0] < waits:
                blocks[owner[waits]].before.add(owner[ended[0]])


def _conflict(one: Event, other: Event) -> bool:
    """Whether the order of two events of different threads means something."""
    a, b = one[0], other[0]
    if {a, b} <= _READS | _WRITES:
        return one[2] == other[2] and bool({a, b} & _WRITES)
    if {a, b} <= {ev.LOCK, ev.UNLOCK}:
        return one[2] == other[2] and not (one[5] and other[5])
    kinds = {a, b}
    if ev.SLOT in kinds:
        return bool(kinds & {ev.FAULT}) or a == b
    if ev.BACKING in kinds:
        return bool(kinds & {ev.PIN}) or a == b
    if kinds & _RANGES:
        return bool(kinds & _SAMPLES)
    if ev.CLEAR_DIRTY in kinds:
        return bool(kinds & {ev.MARK_DIRTY, ev.ACCESS}) and one[2] == other[2]
    return False


def _followers(blocks: list[_Block]) -> dict[int, int]:
    """For each block the next one of its thread."""
    last: dict[int, int] = {}
    found: dict[int, int] = {}
    for number, block in enumerate(blocks):
        if block.thread in last:
            found[last[block.thread]] = number
        last[block.thread] = number
    return found


def _sort(blocks: list[_Block]) -> tuple[list[int], int]:
    """An order that keeps what can be kept, with few switches; and how much it could not keep."""
    left = dict.fromkeys(range(len(blocks)))
    following = _followers(blocks)
    done: set[int] = set()
    sequence: list[int] = []
    lost = 0
    while left:
        ready = [number for number in left if blocks[number].before <= done]
        going = following.get(sequence[-1], -1) if sequence else -1
        if going in ready:
            chosen = going
        elif ready:
            chosen = ready[0]
        else:  # a circle: the earliest block that its own thread allows
            firsts = {blocks[n].thread: n for n in reversed(left)}
            chosen = min(firsts.values())
            lost += len(blocks[chosen].before - done)
        del left[chosen]
        done.add(chosen)
        sequence.append(chosen)
    return sequence, lost


def _leave_locks(sequence: list[int], blocks: list[_Block]) -> None:
    """Move a switch that lies inside a lock to before it, where nobody in between minds."""
    following = _followers(blocks)
    for number in reversed(range(len(blocks))):
        after = following.get(number)
        if after is None or not blocks[after].locks:
            continue
        here, there = sequence.index(number), sequence.index(after)
        between = sequence[here + 1 : there]
        if between and not any(number in _all_before(blocks, each) for each in between):
            sequence.remove(number)
            sequence.insert(sequence.index(after), number)


def _all_before(blocks: list[_Block], number: int) -> set[int]:
    """Every block that must come before ``number``, directly or not."""
    found: set[int] = set()
    work = list(blocks[number].before)
    while work:
        each = work.pop()
        if each not in found:
            found.add(each)
            work += blocks[each].before
    return found
