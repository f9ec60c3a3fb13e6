"""Hold the model against the kernel, step by step: the first difference of meaning in a run.

Meaning is what a user of KVM could see or a review would ask for: how each access and each fault
ended, what each call returned, the order of TLB invalidations, the dirty log, and the final table.
How often an entry was loaded, or which bits an invalid one keeps, is not. Both engines run the same
anchored schedule; the first difference names its thread, what one did and what the other did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import (
    ACCESS_NAMES,
    FAULT_NAMES,
    PTE_MEMATTR,
    TranslationGranule,
    address_of,
    is_leaf,
    is_table,
    rights,
    rights_text,
)
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario, Tlb
from stage2fuzz.engine import engine_of
from stage2fuzz.events import CALL_CODE, CALL_NAMES, Event
from stage2fuzz.schedule.anchored import AnchoredWalk
from stage2fuzz.schedule.base import Schedule

QUIET_CALLS: Final = frozenset((ev.CALL_IS_YOUNG, ev.CALL_MKYOUNG, ev.CALL_DESTROY))
"""Calls whose result differs by design: counted in another way, or not returned by some trees."""


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first thing in which two runs of one scenario differ."""

    seed: int
    scenario: Scenario
    topic: str
    """``thread 1``, ``dirty log`` or ``final table``."""
    step: int
    """Number of the item in its topic, from 1."""
    one: str
    other: str
    schedules: tuple[Schedule, Schedule]
    """What each engine executed: a case of its own for either."""

    def cases(self, engines: tuple[str, str]) -> tuple[Case, Case]:
        """The run of each engine as a case."""
        first, second = (
            Case(name, self.scenario, schedule, engine_of(name).build)
            for name, schedule in zip(engines, self.schedules, strict=True)
        )
        return first, second


def first_difference(one: str, other: str, scenario: Scenario, seed: int) -> FirstDifference | None:
    """Run ``scenario`` on both engines under anchored schedule ``seed``; their first difference."""
    options = replace(scenario.options, pending_stores=False, tlb=Tlb.FRESH)
    plain = replace(scenario, options=options)
    left = engine_of(one).run(plain, AnchoredWalk(seed))
    right = engine_of(other).run(plain, AnchoredWalk(seed))
    meanings = meaning(left.events, plain.threads), meaning(right.events, plain.threads)
    for topic in meanings[0]:
        first, second = meanings[0][topic], meanings[1][topic]
        if first == second:
            continue
        step = next(
            (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
            min(len(first), len(second)),
        )
        return FirstDifference(
            seed,
            plain,
            topic,
            step + 1,
            first[step] if step < len(first) else "nothing more",
            second[step] if step < len(second) else "nothing more",
            (left.schedule, right.schedule),
        )
    return None


def meaning(events: Sequence[Event], threads: int) -> dict[str, list[str]]:
    """What a run means, by topic; texts, so that a difference can be shown as it is."""
    told: dict[str, list[str]] = {f"thread {thread}": [] for thread in range(threads)}
    dirty: list[str] = []
    for event in events:
        kind, thread, where, old, new, aux = event
        if thread < 0:
            continue
        words = told[f"thread {thread}"]
        if kind == ev.ACCESS:
            words.append(f"{ACCESS_NAMES[old]} of {where:#x} reached {new:#x}")
        elif kind == ev.FAULT:
            fault = f"{FAULT_NAMES[new]} fault at L{aux & ev.FAULT_LEVEL}"
            words.append(f"{ACCESS_NAMES[old]} of {where:#x}: {fault}")
        elif kind == ev.RESUME:
            words.append(f"fault at {where:#x} ended with {new}")
        elif kind == ev.RETURN and aux & CALL_CODE not in QUIET_CALLS:
            words.append(f"{CALL_NAMES[aux & CALL_CODE]}({where:#x}) returned {new}")
        elif kind == ev.TLBI:
            words.append(_tlbi(where, aux))
        elif kind in (ev.MARK_DIRTY, ev.CLEAR_DIRTY, ev.REPORT):
            dirty.append(f"{ev.KINDS[kind].name} {where:#x}")
        elif kind == ev.WARN:
            words.append(f"WARN {aux}")
    told["dirty log"] = dirty
    told["final table"] = [
        f"{ipa:#x} L{level}: {address_of(pte):#x} {rights_text(rights(pte))} "
        f"attributes {pte & PTE_MEMATTR:#x}"
        for ipa, level, pte in final_leaves(events)
    ]
    return told


def _tlbi(where: int, aux: int) -> str:
    operation = aux & ev.TLBI_OPERATION
    name = {ev.TLBI_IPAS2E1: "ipas2e1", ev.TLBI_VMALLE1: "vmalle1"}.get(operation, "vmalls12e1")
    scope = "is" if aux & ev.TLBI_BROADCAST else ""
    return f"tlbi {name}{scope} {where:#x}"


def final_leaves(events: Sequence[Event]) -> Iterator[tuple[int, int, int]]:
    """(IPA, level, descriptor) of every valid leaf at the end, in the order of addresses."""
    entries: dict[int, int] = {}
    root, granule = (0, 0, 0), ev.granule_of(events)
    for kind, _thread, where, old, new, aux in events:
        if kind in (ev.STORE, ev.DRAIN, ev.HARDWARE_AF):
            entries[where] = new
        elif kind == ev.ROOT and new >= 0:
            root = (where, old, aux & ev.ROOT_BITS)
        elif kind in (ev.FREE, ev.ALLOC):
            for entry in [each for each in entries if each & -granule.page_size == where]:
                del entries[entry]
        elif kind == ev.QUIESCENT:
            break
    table, level, bits = root
    count = max(granule.entries, (1 << bits) // granule.sizes[level])
    yield from _leaves(entries, (table, level, 0), count, granule)


def _leaves(
    entries: dict[int, int], of: tuple[int, int, int], count: int, granule: TranslationGranule
) -> Iterator[tuple[int, int, int]]:
    table, level, base = of
    for entry in sorted(each for each in entries if table <= each < table + 8 * count):
        pte = entries[entry]
        ipa = base + (entry - table) // 8 * granule.sizes[level]
        if is_table(pte, level):
            below = (address_of(pte), level + 1, ipa)
            yield from _leaves(entries, below, granule.entries, granule)
        elif is_leaf(pte, level):
            yield ipa, level, pte
