"""G1: a vCPU that is stuck, proved by a lasso: the same state again, and no progress between.

A step limit or a count of faults only makes one suspect a livelock. Here the whole abstract state
is compared each time a vCPU re-enters the guest without having got on: entries, what TLBs may
hold, locks, dirty bits, notifier, host pages, and where each thread stands, which is told by its
events since it last re-entered the guest. If a state returns while no access, host call or thread
has finished in between, and every unfinished thread ran in between, a fair scheduler can go round
this cycle for ever.

Counters that only grow and the addresses of table pages are normalised, or no state would ever
return. What the events do not tell (a top-up that is to fail one day) is not part of the state.
"""

from typing import Any, Final

from stage2fuzz.arch import FAULT_NAMES, PTE_ADDRESS, PTE_TYPE, PTE_VALID, is_locked
from stage2fuzz.events import (
    ACCESS,
    DRAIN,
    EAGAIN,
    FAULT,
    FAULT_LEVEL,
    FIRST_HOST_CALL,
    INVALIDATE_BEGIN,
    INVALIDATE_END,
    RESUME,
    RETRY,
    RETURN,
    SEQ_READ,
    STORE,
    THREAD_END,
    TOPUP,
    Event,
    with_field,
)
from stage2fuzz.oracles.base import Oracle, fault_name, leaf_kind
from stage2fuzz.oracles.violation import Category
from stage2fuzz.oracles.world import World

ENTRY_EVENTS: Final = with_field("location")
PAGE_EVENTS: Final = with_field("page")
COUNTER_EVENTS: Final = (INVALIDATE_BEGIN, INVALIDATE_END, TOPUP)


class Progress(Oracle):
    """Every access completes under a fair scheduler, even with a TLB that never evicts."""

    oracle = "G1"
    rule = "progress"
    category = Category.PROGRESS
    lasso = True
    why = "No state returns without progress in a cycle in which every thread runs."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.seen: dict[Any, int] = self.per_run({})
        """State -> the event after which it was seen first since the last progress."""
        self.looked: list[int] = self.per_run([])
        """The events at which states were compared."""
        self.proved: list[int] = self.per_run([])

    def resume(self, index: int, thread: int) -> None:
        """A vCPU goes back to the guest, perhaps in a state that has been there before."""
        if self.proved or not (self.seen or self._again(thread)):
            return
        if self.seen and self._progress(self.looked[-1] + 1, index):
            self.seen.clear()
        self.looked.append(index)
        before = self.seen.setdefault(self._state(index), index)
        if before != index and self._fair(before, index):
            self._stuck(before, index)

    def _again(self, thread: int) -> bool:
        """Whether the access has just taken a kind of fault that it took before.

        A translation, a permission and an access-flag fault after one another are the ordinary way
        of a first access, so they are not worth a look.
        """
        attempts, events = self.world.attempts.get(thread), self.world.events
        if attempts is None or len(attempts) < 2:
            return False
        status = events[attempts[-1]][4]
        return any(events[attempt][4] == status for attempt in attempts[:-1])

    def _progress(self, start: int, index: int) -> bool:
        """Whether an access, a thread or a call of the host got done since ``start``."""
        for kind, _thread, _where, _old, new, aux in self.world.events[start : index + 1]:
            if kind in (ACCESS, THREAD_END):
                return True
            if kind == RESUME and new not in (1, -EAGAIN):
                return True
            if kind == RETURN and aux >= FIRST_HOST_CALL:
                return True
        return False

    def _fair(self, before: int, index: int) -> bool:
        """Whether every thread that has not ended ran in the cycle."""
        done = [False] * self.world.threads
        for at, event in enumerate(self.world.events[: index + 1]):
            if (at > before or event[0] == THREAD_END) and 0 <= event[1] < len(done):
                done[event[1]] = True
        return all(done)

    def _stuck(self, before: int, index: int) -> None:
        world = self.world
        cycle = world.events[before + 1 : index + 1]
        faults: dict[int, list[str]] = {}
        kinds: list[str] = []
        count, deepest = 0, 0
        for event in cycle:
            if event[0] == FAULT:
                _kind, thread, where, old, new, walk = event
                level = walk & FAULT_LEVEL
                count, deepest = count + 1, max(deepest, level)
                kinds.append(FAULT_NAMES.get(new, "?"))
                name = fault_name((0, where, old, new, level))
                names = faults.setdefault(thread, [])
                if name not in names:
                    names.append(name)
        self.proved.append(index)
        who = ", ".join(f"{world.name(t)} ({', '.join(faults[t])})" for t in sorted(faults))
        self.violation(
            f"{' and '.join(sorted(set(kinds)))} faults, {leaf_kind(deepest)} {_undone(cycle)}",
            f"stuck: the same state returns after {count} faults ({index - before} events) and no "
            f"access gets through, for ever if scheduled so: {who}",
            before,
            index,
        )

    def _state(self, index: int) -> tuple[Any, ...]:
        """Everything that decides what can happen next, as one value."""
        world = self.world
        names = PageNames(self.world.page_size)
        return (
            tuple(_tree(world, names, root) for root in world.roots),
            tuple(
                sorted(
                    (
                        names.location(r.location),
                        tuple(tuple(r.stale(p)) for p in range(world.vcpus)),
                    )
                    for r in world.window
                )
            )
            if world.window
            else (),
            tuple(sorted(world.held.items())),
            tuple(sorted(world.dirty)),
            world.invalidating,
            tuple(backing[:4] for backing in world.backings),
            tuple(slot[:3] for slot in world.slots.values()),
            tuple(
                sorted(
                    (names.location(at), *(store[1] for store in waiting))
                    for at, waiting in world.pending.items()
                )
            ),
            self._threads(index, names),
        )

    def _threads(self, index: int, names: "PageNames") -> tuple[Any, ...]:
        """What each thread has done since it began, re-entered the guest or completed an access."""
        world = self.world
        local: list[list[Any]] = [[] for _ in range(world.threads)]
        fresh = [True] * world.threads
        for event in world.events[index::-1]:
            kind, thread = event[0], event[1]
            if not 0 <= thread < world.threads or not fresh[thread]:
                continue
            if kind in (RESUME, ACCESS, THREAD_END):
                fresh[thread] = False
                local[thread].append(kind == THREAD_END)
                if not any(fresh):
                    break
            elif kind != DRAIN:
                local[thread].append(_normal(event, names, world.sequence))
        return tuple(tuple(events) for events in local)


def _undone(cycle: list[Event]) -> str:
    """Why nobody gets on, in the signature: who takes part and wants what is only how it shows."""
    for kind, _thread, _where, old, new, _aux in cycle:
        if kind == STORE and old & PTE_VALID and not new & PTE_VALID:
            return "broken each time"
    for kind, _thread, _where, _old, new, _aux in cycle:
        if kind == RETRY and new:
            return "retried each time"
        if kind == RETURN and new == -EAGAIN:
            return "refused each time"
    return "unchanged"


class PageNames:
    """Table pages by the order in which they are met, so that their addresses do not matter."""

    __slots__ = ("_names", "_page_size")

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._names: dict[int, int] = {}

    def page(self, page: int) -> int:
        """The page's name, a small number."""
        return self._names.setdefault(page, len(self._names))

    def location(self, location: int) -> tuple[int, int]:
        """(name of the page, offset in it)."""
        page = location & -self._page_size
        return self.page(page), location - page

    def value(self, value: int) -> int:
        """A descriptor: what an invalid entry still spells means nothing; tables by name."""
        if not value & PTE_VALID:
            return value if is_locked(value) else 0
        page = value & PTE_ADDRESS
        return (
            -1 - self._names[page]
            if value & PTE_TYPE == PTE_TYPE and page in self._names
            else value
        )


def _tree(world: World, names: PageNames, page: int) -> tuple[Any, ...]:
    """The visible tree below ``page``, its pages named in passing."""
    names.page(page)
    entries: list[tuple[int, Any]] = []
    for location, value in sorted(world.tables[page].items()):
        child = value & PTE_ADDRESS
        if value & PTE_TYPE == PTE_TYPE and world.parent.get(child) == location:
            entries.append((location - page, _tree(world, names, child)))
        elif names.value(value):
            entries.append((location - page, value))
    return tuple(entries)


def _normal(event: Event, names: PageNames, sequence: int) -> tuple[Any, ...]:
    """The event without what only grows and without page addresses."""
    kind, _thread, where, old, new, aux = event
    if kind in ENTRY_EVENTS:
        return kind, *names.location(where), names.value(old), names.value(new), aux
    if kind in PAGE_EVENTS:
        return kind, names.page(where), new
    if kind == SEQ_READ:
        return kind, new == sequence
    if kind == RETRY:
        return kind, old == sequence, new
    if kind in COUNTER_EVENTS:
        return kind, where
    return event
