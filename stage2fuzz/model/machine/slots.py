"""Memory slots and the host's pages behind them, as a fault handler and a notifier see them."""

from typing import Final

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.case.scenario import GIB, MOVE_STRIDE, SLOT_STRIDE, Backing, Host, Slot, ipa_of
from stage2fuzz.events import (
    HOST_ABSENT,
    HOST_DEVICE,
    HOST_PMD,
    HOST_POISON,
    HOST_PUD,
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


HOST_SIZES: Final[dict[Backing, int]] = {
    Backing.PAGE: 0,
    Backing.PMD: HOST_PMD,
    Backing.PUD: HOST_PUD,
    Backing.DEVICE: HOST_DEVICE,
}
"""What is said of a mapping of each kind; device memory is mapped by pages."""


class MemorySlot:
    """struct kvm_memory_slot: what a fault handler reads of a slot."""

    __slots__ = (
        *("backing", "base", "contiguous", "dirty", "end", "flags", "hugetlb", "number"),
        *("origin", "skewed", "start", "transparent"),
    )

    def __init__(self, number: int, slot: Slot) -> None:
        self.number = number
        self.base = ipa_of(number * SLOT_STRIDE)
        """A multiple of every block, below the slot or its start: the host's mappings are aligned
        to it."""
        self.start = self.origin = self.base + slot.first * PAGE_SIZE
        """Where it lies now, and where it lay at first. Pages of the host are numbered by where the
        guest saw them at first, whatever has become of the slot."""
        self.end = self.start + slot.pages * PAGE_SIZE
        self.flags = SLOT_READONLY if slot.readonly else 0
        if slot.logging and slot.backing is not Backing.DEVICE:
            self.flags |= SLOT_LOGGING
        self.backing = slot.backing
        self.skewed = slot.skewed
        self.hugetlb = slot.hugetlb
        self.contiguous = slot.contiguous
        self.transparent = slot.transparent
        self.dirty: dict[int, bool] = {}
        """The dirty bitmap: the set bits, by the page's IPA, in the order they were set."""

    @property
    def logging(self) -> bool:
        """kvm_slot_dirty_track_enabled of a writable slot (memslot_is_logging)."""
        return self.flags & (SLOT_LOGGING | SLOT_READONLY) == SLOT_LOGGING

    @property
    def moved(self) -> int:
        """Bytes by which it lies above its origin."""
        return self.start - self.origin

    @property
    def can_move(self) -> bool:
        """Whether its old and its new place never overlap."""
        return self.end - self.start <= GIB * PAGE_SIZE

    def lie(self, moved: int) -> None:
        """Lie so many bytes above its origin from now on."""
        self.end += moved - self.moved
        self.start = self.origin + moved

    def original(self, ipa: int) -> int:
        """How its pages are numbered: the address that ``ipa`` had before the slot moved."""
        above = self.can_move and ipa >= self.origin + MOVE_STRIDE
        return ipa - MOVE_STRIDE if above else ipa

    def unit(self, ipa: int) -> int:
        """First original IPA of the host's page that holds ``ipa``, huge where it may be."""
        size, skew = self.backing.pages * PAGE_SIZE, self.skewed * PAGE_SIZE
        return self.base + (ipa - self.base + skew) // size * size - skew


class HostPageState:
    """One host mapping: where it is and what the host grants on it."""

    __slots__ = ("address", "host", "locked", "size", "slot", "split", "splits", "unit")

    def __init__(self, slot: int, unit: int, size: int, address: int, host: Host = Host.RW) -> None:
        self.slot = slot
        """Its slot's number."""
        self.unit = unit
        """Its first original IPA."""
        self.size = size
        self.address = address
        self.host = host
        self.locked = False
        """A host thread holds the page's lock: it is about to replace the page."""
        self.split = False
        """A huge page that is mapped by pages."""
        self.splits = 0
        """How often it was split; of one of its pages, which time it belongs to."""
