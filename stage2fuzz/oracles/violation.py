"""Violation: what an oracle says when the events break its rule; a value, never an exception."""

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What kind of harm; a CI gate may ask for correctness alone."""

    CORRECTNESS = "correctness"
    PROGRESS = "progress"
    ECONOMY = "economy"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is right depends on the kernel's era; the engine says which era it models."""

    dirty_marked_under_lock: bool = True
    """v5.12 to v6.1 mark under mmu_lock; from v6.2 the mark follows after the unlock."""
    shared_faults: bool = False
    """From v6.2 faults walk under the read lock and change entries by cmpxchg only."""
    counts_any_nonzero: bool = False
    """From v5.13 any non-zero entry is counted; before, valid ones."""
    local_relax_flush: bool = False
    """From v6.6 a permission fault flushes the local TLB only."""
    rcu: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken once.

    ``oracle`` is the catalogue's number (``C6``), ``rule`` its short name. ``verdict`` is one
    sentence an engineer understands without the code. ``events`` are indices into the run's event
    list that prove it, in order. ``signature`` names the fault structurally: it must not change
    when vCPUs, pages or addresses are renumbered.
    """

    oracle: str
    rule: str
    category: Category
    verdict: str
    events: tuple[int, ...]
    signature: str
