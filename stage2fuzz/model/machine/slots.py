"""Memory slots and the host's pages behind them, as a fault handler and a notifier see them."""

from typing import Final

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.case.scenario import SLOT_STRIDE, Backing, Host, Slot, ipa_of
from stage2fuzz.events import (
    HOST_ABSENT,
    HOST_POISON,
    HOST_READ,
    HOST_WRITE,
    SLOT_LOGGING,
    SLOT_READONLY,
)

HOST_FLAGS: Final[dict[Host, int]] = {
    Host.RW: HOST_READ | HOST_WRITE,
    Host.R: HOST_READ,
    Host.LAZY: HOST_READ,
    Host.COW: HOST_READ,
    Host.ABSENT: HOST_ABSENT,
    Host.POISON: HOST_POISON,
}


class MemorySlot:
    """struct kvm_memory_slot: what a fault handler reads of a slot."""

    __slots__ = ("backing", "base", "dirty", "end", "flags", "number", "skewed", "start")

    def __init__(self, number: int, slot: Slot) -> None:
        self.number = number
        self.base = ipa_of(number * SLOT_STRIDE)
        """A multiple of every block, below the slot or its start: the host's mappings are aligned
        to it."""
        self.start = self.base + slot.first * PAGE_SIZE
        self.end = self.start + slot.pages * PAGE_SIZE
        self.flags = SLOT_READONLY if slot.readonly else 0
        if slot.logging and slot.backing is not Backing.DEVICE:
            self.flags |= SLOT_LOGGING
        self.backing = slot.backing
        self.skewed = slot.skewed
        self.dirty: dict[int, bool] = {}
        """The dirty bitmap: the set bits, by the page's IPA, in the order they were set."""

    @property
    def logging(self) -> bool:
        """kvm_slot_dirty_track_enabled of a writable slot (memslot_is_logging)."""
        return self.flags & (SLOT_LOGGING | SLOT_READONLY) == SLOT_LOGGING

    def unit(self, ipa: int) -> int:
        """First IPA of the host mapping that holds ``ipa``."""
        size = self.backing.pages * PAGE_SIZE
        return self.base + (ipa - self.base) // size * size


class HostPageState:
    """One host mapping: where it is and what the host grants on it."""

    __slots__ = ("address", "host", "locked")

    def __init__(self, address: int, host: Host) -> None:
        self.address = address
        self.host = host
        self.locked = False
        """A host thread holds the page's lock: it is about to replace the page."""
