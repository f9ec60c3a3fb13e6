"""A run as lanes: each step with what holds while it happens, for pages that show it in full.

A lane is a thread's. Beside its words a step has the locks that are held, the entries that are
broken and not made yet, the entry that it writes field by field, and what each TLB may still hold
although the tables have gone on: what a reader would keep in mind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import PTE_VALID, describe, is_valid
from stage2fuzz.case.case import Case
from stage2fuzz.events import SETUP, Event
from stage2fuzz.oracles.judge import follow
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.oracles.world import World
from stage2fuzz.report.entry import EntryWrite
from stage2fuzz.report.story import Step, label, story
from stage2fuzz.report.words import Words

STORES: Final = (ev.STORE, ev.DRAIN)


@dataclass(frozen=True, slots=True)
class Moment:
    """One step, and what holds after it."""

    step: Step
    holders: frozenset[int]
    """Threads that hold mmu_lock, shared or not."""
    broken: tuple[str, ...]
    """Entries that are invalid on their way from one valid value to another."""
    entry: EntryWrite | None
    """The entry that the step writes; None where it writes none."""
    cached: tuple[tuple[int, str], ...]
    """(vCPU, entry in words) for all that a TLB may still hold and the tables no longer say."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """A whole run."""

    names: tuple[tuple[int, str], ...]
    """(thread, heading) of each lane, in the order of threads."""
    moments: tuple[Moment, ...]


def lanes(
    case: Case, events: list[Event], violations: Sequence[Violation], full: bool = False
) -> Lanes:
    """The steps that are worth a line, with what holds at each."""
    steps = {step.index: step for step in story(events, violations, full) if step.thread != SETUP}
    remade = _remade(events)
    words, held, broken = Words(events), set[int](), dict[int, str]()
    moments = []
    worlds = follow(events, len(case.scenario.vcpus), case.scenario.threads)
    for index, (event, world) in enumerate(zip(events, worlds, strict=True)):
        words.say(event)
        kind, thread, where, old, new, _aux = event
        if kind == ev.LOCK and where == ev.LOCK_MMU:
            held.add(thread)
        elif kind == ev.UNLOCK and where == ev.LOCK_MMU:
            held.discard(thread)
        elif kind in STORES and is_valid(old) and not is_valid(new) and index in remade:
            broken[where] = words.entry(where)
        elif kind in STORES and is_valid(new):
            broken.pop(where, None)
        step = steps.get(index)
        if step is not None:
            entry = EntryWrite.of(words, where, old, new) if kind in STORES else None
            cached = _cached(world, words)
            moments.append(Moment(step, frozenset(held), tuple(broken.values()), entry, cached))
    threads = sorted({step.thread for step in steps.values()})
    return Lanes(tuple((thread, label(case, thread)) for thread in threads), tuple(moments))


def _remade(events: Sequence[Event]) -> frozenset[int]:
    """The stores that break an entry which a later store makes valid again."""
    broken: dict[int, int] = {}
    remade = set()
    for index, (kind, _thread, where, old, new, _aux) in enumerate(events):
        if kind not in STORES:
            continue
        if old & PTE_VALID and not new & PTE_VALID:
            broken[where] = index
        elif new & PTE_VALID and where in broken:
            remade.add(broken.pop(where))
    return frozenset(remade)


def _cached(world: World, words: Words) -> tuple[tuple[int, str], ...]:
    """What each vCPU's TLB may hold beside what is in the tables now."""
    size = words.granule.page_size
    return tuple(
        (vcpu, f"{words.entry(record.location)}: {describe(value, record.level, size)}")
        for vcpu in range(world.vcpus)
        for record in world.window
        for value in record.stale(vcpu)
    )
