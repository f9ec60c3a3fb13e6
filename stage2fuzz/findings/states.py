"""The states that rows of the service can be in, each with what it means for who reads the row."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a finding stands: the machine moves it up to ``minimised``, people from there."""

    NEW = "new"
    CONFIRMED = "confirmed"
    """Has reproduced from scratch in a clean process."""
    MINIMISED = "minimised"
    TRIAGED = "triaged"
    """A person has looked at it: it has a label, an owner or a note."""
    FIXED = "fixed"
    """Does not reproduce on the engine that ``fixed_in`` names."""
    DUPLICATE = "duplicate"
    """The same fault as ``duplicate_of``, by another signature."""
    INVALID = "invalid"
    """Not a fault: our model or an oracle is wrong."""


CLOSED: Final = (State.FIXED, State.DUPLICATE, State.INVALID)
"""States in which nobody needs to look at a finding any more."""


class CampaignState(StrEnum):
    """Where a campaign stands; a person moves it by hand, the coordinator by its budget."""

    RUNNING = "running"
    """Orders are planned, given out and merged."""
    PAUSED = "paused"
    """No order is given out; those in work are finished and their results kept."""
    DRAINING = "draining"
    """The budget is used up: no more fuzzing, but findings are still confirmed and minimised."""
    DONE = "done"
    """Ended by its budget, with every order accounted for."""
    STOPPED = "stopped"
    """Ended by a person; workers give up its orders at their next heartbeat."""


ACTIVE: Final = (CampaignState.RUNNING, CampaignState.DRAINING)
"""States in which the coordinator works for a campaign and workers may claim its orders."""
ENDED: Final = (CampaignState.DONE, CampaignState.STOPPED)


class LeaseState(StrEnum):
    """Where an order stands."""

    READY = "ready"
    """Waits to be claimed."""
    LEASED = "leased"
    """In a worker's hands until its deadline."""
    COMMITTED = "committed"
    """Its result is written."""
    POISONED = "poisoned"
    """Given up after the last attempt; the coordinator reports it and goes on without it."""
    CANCELLED = "cancelled"
    """Its campaign ended before it was done; what a worker still commits of it is refused."""


OPEN: Final = (LeaseState.READY, LeaseState.LEASED)
"""States of orders that are still to be done."""


class InputState(StrEnum):
    """What has become of a corpus input that a worker handed in."""

    NEW = "new"
    """Handed in, and not yet looked at by the coordinator."""
    KEPT = "kept"
    """Shows a feature that nothing before it showed: later orders start from it."""
    DROPPED = "dropped"
    """Shows nothing new."""
    KILLER = "killer"
    """Killed or hung the process that ran it: never handed out again."""


class Part(StrEnum):
    """What a process of a service is."""

    WORKER = "worker"
    """Carries out orders."""
    REAL = "real"
    """A worker's sign that it has QEMU and a kernel image, beside its own."""
    COORDINATOR = "coordinator"
    """Plans orders and merges results."""


class Presence(StrEnum):
    """Whether an engine shows a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    """The case can't run there, or the process died of it."""
