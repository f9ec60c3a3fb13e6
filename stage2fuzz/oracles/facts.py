"""Facts: what is known of a run, the words it is told in, and the questions asked of it."""

from collections.abc import Iterator
from typing import Final

from stage2fuzz.arch import (
    ENTRY_SIZE,
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_TYPE,
    PTE_VALID,
    TRANSLATION_GRANULES,
    is_locked,
    rights,
)
from stage2fuzz.events import (
    DRAIN,
    HARDWARE_AF,
    SLOT_LOGGING,
    SLOT_READONLY,
    STORE,
    TREE_SHIFT,
    Event,
)
from stage2fuzz.rules import Rules
from stage2fuzz.window import Window

SIZES: Final = tuple(each.sizes for each in TRANSLATION_GRANULES)
SHIFTS: Final = tuple(each.shifts for each in TRANSLATION_GRANULES)
LARGEST_BLOCKS: Final = tuple(each.sizes[each.largest_block] for each in TRANSLATION_GRANULES)
"""By the number of the granule; tuples, since attributes of objects cost more to look up."""

LOCK_NAME: Final = 0xFF
LOCK_SHARED: Final = 1 << 8
"""How ``Facts.held`` has a lock: its LOCK_* and, where it is shared, this bit."""

Fault = tuple[int, int, int, int, int]
"""(event, IPA, READ/WRITE/EXECUTE, TRANSLATION/..., level): the fault a vCPU is handling."""
Call = tuple[int, int, int, int, int, int, "Call | None"]
"""(event, CALL_*, first IPA, bytes, argument, PROT_*, the call around it)."""
SlotFact = tuple[int, int, int, int]
"""(first IPA, end, SLOT_* flags, event that published it)."""
BackingFact = tuple[int, int, int, int, int]
"""(first IPA, end, host address, HOST_* flags, event)."""
PendingValue = tuple[int, int, Fault | None, Call | None]
"""(event, value, fault and call in which it was stored)."""
Break = tuple[int, int, int]
"""(event, thread, old leaf): a leaf made invalid inside a call that maps."""

GuestEntry = tuple[int, int]
"""(event, value): what a guest hypervisor's entry is from that event on, -1 from the beginning."""

NO_ENTRIES: Final[list[GuestEntry]] = []
"""What is known of an entry that nobody read or wrote."""
UNBOUND: Final = (-1, 0)
"""The binding of an MMU that no context uses."""
NO_TREE: Final = (0, 1)
"""The root of a stage 2 that nobody told of."""
NOTHING: Final[dict[int, int]] = {}
"""The entries of a table page that nobody knows."""


def guest_page(vmid: int, ipa: int, page_size: int) -> int:
    """The key of an L2 page: the VMID above its address."""
    return (vmid << TREE_SHIFT) + (ipa & -page_size)


def guest_grants(entry: int, origin: int, leaf: int) -> bool:
    """Whether a guest hypervisor's entry translates to the page ``origin`` and permits all that the
    shadow's ``leaf`` does."""
    return (
        bool(entry & PTE_VALID)
        and entry & PTE_ADDRESS == origin
        and not rights(leaf) & ~rights(entry)
    )


def overlap(first: int, size: int, other: int, length: int) -> bool:
    """Whether two ranges of bytes have one in common."""
    return first < other + length and other < first + size


def host_address(backing: BackingFact, ipa: int) -> int:
    """The host's address of an IPA that ``backing`` covers."""
    return backing[2] + (ipa - backing[0])


def outermost(call: Call | None) -> Call | None:
    """The call that ``call`` was made inside of, or itself; None for none."""
    while call is not None and call[6] is not None:
        call = call[6]
    return call


class Facts:
    """What is known of the run so far, and the questions that oracles ask of it."""

    __slots__ = (
        "attempts",
        "backings",
        "bindings",
        "broken",
        "calls",
        "destroying",
        "dirty",
        "events",
        "faults",
        "freed",
        "guest_entries",
        "held",
        "invalidating",
        "largest_block",
        "left",
        "live",
        "loaded",
        "machine",
        "origin",
        "page_size",
        "pages",
        "parent",
        "pending",
        "pinned",
        "roots",
        "rules",
        "sequence",
        "shifts",
        "since",
        "sizes",
        "slots",
        "stored",
        "tables",
        "threads",
        "touched",
        "trees",
        "unlinked",
        "vcpus",
        "vmid",
        "walked",
        "window",
    )

    def __init__(self) -> None:
        self.window = Window(0)
        self.begin([], Rules(), 0, 0)

    def begin(self, events: list[Event], rules: Rules, vcpus: int, threads: int) -> None:
        """A new run: ``vcpus`` of its ``threads`` are guests."""
        self.events = events
        self.rules = rules
        self.vcpus = vcpus
        self.threads = threads
        self.window.strict_table_hints = rules.strict_table_hints
        self.window.reset(vcpus)
        self.begin_granule(0)
        self.roots: list[int] = []
        self.trees: dict[int, tuple[int, int]] = {}
        """Number of a stage 2, 0 for the guest's own (``TREE_SHIFT``) -> (first root page, level of
        its entries)."""
        self.vmid = 0
        """The guest's own; a shadow's is as much higher as its number says."""
        self.machine = 0
        """ROOT_* flags of the CPU, beside the IPA bits."""
        self.tables: dict[int, dict[int, int]] = {}
        """Table page -> its visible entries by address; absent ones are zero."""
        self.walked: dict[int, tuple[int, int, int]] = {}
        """What ``leaf_at`` found since a table last changed; several oracles ask the same."""
        self.pages: dict[int, tuple[int, int]] = {}
        """Linked stage-2 table page -> (level of its entries, first IPA)."""
        self.parent: dict[int, int] = {}
        """Linked table page -> location of the entry that links it."""
        self.unlinked: dict[int, int] = {}
        """Table page once linked, now not, and not freed -> the event that unlinked it."""
        self.live: dict[int, int] = {}
        """Allocated stage-2 table page -> the event that allocated it."""
        self.freed: dict[int, int] = {}
        self.since: dict[int, int] = {}
        """Location of a leaf -> the event that last wrote it."""
        self.touched: dict[int, int] = {}
        """Linked table page -> the event that last wrote to it, until somebody clears this."""
        self.broken: dict[int, Break] = {}
        """Location -> how its leaf was removed, until there is one again."""
        self.stored: dict[int, int] = {}
        """Thread -> its last store."""
        self.pending: dict[int, list[PendingValue]] = {}
        """Location -> stores there that walkers can't see yet."""
        self.slots: dict[int, SlotFact] = {}
        self.backings: list[BackingFact] = []
        self.dirty: dict[int, int] = {}
        """Set bits of the dirty bitmaps: page -> event."""
        self.invalidating = 0
        self.sequence = 0
        self._begin_threads()
        self._begin_nested()

    def begin_granule(self, number: int) -> None:
        """The tables are of this granule; until something says which, of 4 KiB pages."""
        self.sizes: tuple[int, ...] = SIZES[number]
        """By level: bytes that one entry covers."""
        self.shifts: tuple[int, ...] = SHIFTS[number]
        self.page_size = self.sizes[LAST_LEVEL]
        self.largest_block = LARGEST_BLOCKS[number]
        """Bytes."""
        self.window.shifts = self.shifts

    def _begin_threads(self) -> None:
        """What each thread is doing."""
        self.faults: dict[int, Fault] = {}
        self.attempts: dict[int, list[int]] = {}
        """vCPU -> the faults of its current access."""
        self.calls: dict[int, Call | None] = {}
        self.held: dict[int, tuple[int, ...]] = {}
        """Thread -> locks it holds, LOCK_* with LOCK_SHARED, oldest first."""
        self.destroying = False
        self.left: dict[int, int] = {}
        """First IPA of a leaf that an unmap should have taken -> the event of its return."""

    def _begin_nested(self) -> None:
        """Of nested guests: L1 is the guest hypervisor, L2 a guest of its."""
        self.guest_entries: dict[int, list[GuestEntry]] = {}
        """VMID and address of an L2 page (``guest_page``) -> what the guest hypervisor's stage 2
        said of it, oldest first; absent while nobody read or wrote it."""
        self.bindings: dict[int, GuestEntry] = {}
        """Number of a shadow MMU -> (event that bound it, VMID of the hypervisor)."""
        self.loaded: dict[int, int] = {}
        """vCPU -> the shadow MMU that it runs on."""
        self.pinned: dict[int, int] = {}
        """Thread -> the address of the page that it last looked up."""
        self.origin: dict[int, int] = {}
        """Location of a shadow's leaf -> the guest's page, as the hypervisor numbers it, that the
        fault which wrote it had looked up."""

    # Questions

    def guest_page_of(self, ipa: int) -> int:
        """The key of the L2 page that a shadow's address stands for, by its MMU's binding."""
        tree = ipa >> TREE_SHIFT
        vmid = self.bindings.get(tree, UNBOUND)[1]
        return guest_page(vmid, ipa - (tree << TREE_SHIFT), self.page_size)

    def name(self, thread: int) -> str:
        """The thread as a reader knows it."""
        return f"vCPU {thread}" if thread < self.vcpus else f"host thread {thread}"

    def leaf_at(self, ipa: int) -> tuple[int, int, int]:
        """(value, level, location) of the entry where a walk for ``ipa`` ends now."""
        found = self.walked.get(ipa)
        if found is not None:
            return found
        tree = ipa >> TREE_SHIFT
        root, level = self.trees.get(tree, NO_TREE)
        page = -self.page_size
        location = root + (ipa - (tree << TREE_SHIFT) >> self.shifts[level]) * ENTRY_SIZE
        while True:
            value = self.tables.get(location & page, NOTHING).get(location, 0)
            if level == LAST_LEVEL or value & PTE_TYPE != PTE_TYPE:
                found = self.walked[ipa] = value, level, location
                return found
            level += 1
            offset = (ipa >> self.shifts[level]) * ENTRY_SIZE & ~page
            location = (value & PTE_ADDRESS) + offset

    def leaves(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """(value, level, IPA, location) of each visible valid leaf that touches [start, end)."""
        for root in self.roots:
            yield from self._leaves_of(root, start, end)

    def _leaves_of(self, page: int, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        level, base = self.pages[page]
        for location, value in self.tables[page].items():
            if not value & PTE_VALID:
                continue
            ipa = base + ((location - page) // ENTRY_SIZE * self.sizes[level])
            if ipa >= end or ipa + self.sizes[level] <= start:
                continue
            if level == LAST_LEVEL or value & PTE_TYPE != PTE_TYPE:
                yield value, level, ipa, location
            elif value & PTE_ADDRESS in self.pages:
                yield from self._leaves_of(value & PTE_ADDRESS, start, end)

    def place_of(self, location: int) -> tuple[int, int] | None:
        """(level, first IPA) of the entry at ``location``; None if nothing links its table."""
        page = location & -self.page_size
        place = self.pages.get(page)
        if place is None:
            return None
        level, base = place
        return level, base + ((location - page) // ENTRY_SIZE * self.sizes[level])

    def granted_since(self, start: int, index: int, thread: int, ipa: int, wanted: int) -> bool:
        """Whether ``ipa`` may have had the rights ``wanted`` at any time after the event ``start``.

        For a promise that a call keeps while others may change the entry again before it returns.
        True also while another walker owns the entry or a store there is not visible yet.
        """
        if self.pending or is_locked(self.leaf_at(ipa)[0]):
            return True
        for at in range(index, start, -1):
            kind, who, location, old, new, _aux = self.events[at]
            if kind not in (STORE, DRAIN):
                continue
            if who == thread and new & PTE_VALID and not wanted & ~rights(new):
                return True
            place = self.place_of(location)
            if place is None or not place[1] <= ipa < place[1] + self.sizes[place[0]]:
                continue
            if old & PTE_VALID:
                table = place[0] < LAST_LEVEL and old & PTE_TYPE == PTE_TYPE
                if table or not wanted & ~rights(old):
                    return True
        return False

    def flag_raced(self, start: int, end: int, location: int) -> bool:
        """Whether the hardware set the access flag at ``location`` between two events.

        Who read the entry before and writes it afterwards has not seen the flag, which is legal:
        the guest's next access sets it again.
        """
        return any(
            event[0] == HARDWARE_AF and event[2] == location for event in self.events[start:end]
        )

    def slot_of(self, ipa: int) -> SlotFact | None:
        """The published slot that holds ``ipa``."""
        for slot in self.slots.values():
            if slot[0] <= ipa < slot[1]:
                return slot
        return None

    def logs(self, ipa: int) -> bool:
        """Whether writes to ``ipa`` are logged now."""
        slot = self.slot_of(ipa)
        return slot is not None and slot[2] & (SLOT_LOGGING | SLOT_READONLY) == SLOT_LOGGING

    def backing_of(self, ipa: int) -> BackingFact | None:
        """What the host has behind ``ipa`` now."""
        for backing in reversed(self.backings):
            if backing[0] <= ipa < backing[1]:
                return backing
        return None

    def arrival(self, ipa: int, address: int) -> int:
        """Since which event the host has had ``address`` behind ``ipa``, whatever it granted."""
        since = -1
        for first, end, host, _flags, index in reversed(self.backings):
            if first <= ipa < end:
                if host + (ipa - first) != address:
                    break
                since = index
        return since

    def outer_call(self, thread: int) -> Call | None:
        """The outermost call that ``thread`` is in."""
        return outermost(self.calls.get(thread))
