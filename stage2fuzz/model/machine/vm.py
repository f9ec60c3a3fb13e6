"""struct kvm of the model: slots, host pages, dirty log, notifier state, on top of table memory."""

from collections.abc import Iterator
from typing import Final

from stage2fuzz.arch import (
    ENTRIES,
    ENTRY_SIZE,
    GRANULES,
    PAGE_MASK,
    PAGE_SIZE,
    SHIFTS,
    address_of,
    is_table,
    is_valid,
)
from stage2fuzz.case.scenario import (
    SLOT_STRIDE,
    TABLE_BASE,
    Host,
    Op,
    Scenario,
    host_address,
    ipa_of,
    page_of,
)
from stage2fuzz.events import (
    BACKING,
    HOST_PMD,
    HOST_PUD,
    HOST_READ,
    HOST_WRITE,
    MARK_DIRTY,
    ROOT,
    ROOT_DIC,
    ROOT_DIRTY_RING,
    ROOT_FWB,
    SETUP,
    SLOT,
    SLOT_LOGGING,
    USES_CACHES,
    Event,
)
from stage2fuzz.model.flags import Flags
from stage2fuzz.model.machine.memory import Memory
from stage2fuzz.model.machine.rcu import Rcu
from stage2fuzz.model.machine.slots import HOST_FLAGS, HOST_SIZES, HostPageState, MemorySlot
from stage2fuzz.window import Entry, Window

VMID: Final = 1
HOST_VMID: Final = 0
HYP_VMID: Final = -1
HYP_BITS: Final = 39
SPLIT_CACHE: Final = -1
"""Index into the caches of the pages that eager splitting has."""
HYP_ROOT: Final = TABLE_BASE - (1 << 20)


class Vm(Memory):
    """One virtual machine and the host around it, reset for each run."""

    __slots__ = (
        "_header",
        "caches",
        "dead",
        "flags",
        "generation",
        "guest_state",
        "host",
        "in_ioctl",
        "issued",
        "last",
        "mapped",
        "notifier_count",
        "notifier_seq",
        "options",
        "parts",
        "rcu",
        "readers",
        "requests",
        "root",
        "scenario",
        "slots",
        "slots_epoch",
        "start_level",
        "tables",
        "topups",
        "walking",
        "window",
    )

    def __init__(self, flags: Flags) -> None:
        super().__init__()
        self.flags = flags
        self.rcu = Rcu()
        self.scenario = Scenario()
        self.options = self.scenario.options
        self.root = TABLE_BASE
        self.start_level = 1
        self.slots: list[MemorySlot] = []
        self.last: dict[int, MemorySlot] = {}
        """The newest version of each slot, also of one that was deleted."""
        self.mapped = True
        self.dead = False
        """No ioctl comes any more; its tables may still be there."""
        self.in_ioctl: set[int] = set()
        """Host threads that a teardown waits for."""
        self.notifier_count = 0
        self.notifier_seq = 0
        self.host: dict[int, HostPageState] = {}
        """The host's pages, huge where they may be, by their first original IPA."""
        self.parts: dict[int, HostPageState] = {}
        """Pages of those that were split."""
        self.generation = 0
        self.guest_state: list[int] = []
        """What each thread's vCPU is: USES_CACHES, TRAPS_SWITCHES."""
        self.caches: list[int] = []
        """Pages in each thread's memory cache; the last one is what eager splitting has."""
        self.topups = 0
        self.requests = 0
        """All requests for memory that may fail, top-ups among them."""
        self.readers: list[int] = []
        self.slots_epoch = 0
        self.issued: list[list[tuple[int, int]]] = []
        self.walking: list[int] = []
        self.window: Window | None = None
        self.tables: dict[int, tuple[int, int]] = {}
        """Table page -> (level of its entries, first IPA); kept for the window TLB only."""
        self._header: dict[Scenario, list[Event]] = {}

    def reset(self, scenario: Scenario) -> None:
        """Set the machine up for ``scenario``, and start the event list with what it is."""
        options = scenario.options
        threads = scenario.threads
        self.scenario, self.options = scenario, options
        self.rcu = Rcu()
        self.reset_memory(threads, options.pending_stores)
        roots = 2 if options.ipa_bits == 40 else 1
        self.start_level = 1 if options.ipa_bits == 40 else 0
        self._next_page = TABLE_BASE + roots * ENTRIES * ENTRY_SIZE
        self.mapped = True
        self.dead = False
        self.in_ioctl = set()
        self.notifier_count = self.notifier_seq = self.generation = 0
        self.topups = self.requests = 0
        self.slots_epoch = 0
        self.slots = [MemorySlot(i, slot) for i, slot in enumerate(scenario.slots)]
        self.last = dict(enumerate(self.slots))
        if scenario.logs_begin_set:
            for each in self.slots:
                if each.flags & SLOT_LOGGING:
                    each.dirty = dict.fromkeys(range(each.start, each.end, PAGE_SIZE), True)
        self.host, self.parts = {}, {}
        for page in scenario.host_pages:
            slot_of_page = self.slots[page.page // SLOT_STRIDE]
            self.huge_page(slot_of_page, ipa_of(page.page)).host = page.host
        self.caches = [0] * (threads + 1)
        self.readers = [-1] * threads
        self.guest_state = [USES_CACHES] * threads
        self.issued = [[] for _ in range(threads)]
        self.walking = [0] * threads
        header = self._header.get(scenario)
        if header is None:
            if len(self._header) > 1000:
                self._header.clear()
            header = self._header[scenario] = self._describe()
        self.events = header.copy()
        self.record = self.events.append
        self.watched = bool(options.tlb)
        self.window = Window(len(scenario.vcpus)) if options.tlb else None
        self.tables = {}

    def slot_of(self, ipa: int) -> MemorySlot | None:
        """gfn_to_memslot: the published slot that holds ``ipa``."""
        for slot in self.slots:
            if slot.start <= ipa < slot.end:
                return slot
        return None

    def memslot(self, slot: MemorySlot) -> MemorySlot:
        """What has become of a slot by now, be it deleted."""
        return self.last[slot.number]

    def huge_page(self, slot: MemorySlot, ipa: int) -> HostPageState:
        """The host's page, huge where it may be, behind the original address ``ipa``."""
        unit = slot.unit(ipa)
        state = self.host.get(unit)
        if state is None:
            size = slot.backing.pages * PAGE_SIZE
            state = self.host[unit] = HostPageState(slot.number, unit, size, self._home(slot, unit))
        return state

    def host_page(self, slot: MemorySlot, ipa: int) -> HostPageState:
        """The host mapping behind the original address ``ipa``, made on first use."""
        whole = self.huge_page(slot, ipa)
        if not whole.split:
            return whole
        unit = ipa & PAGE_MASK
        part = self.parts.get(unit)
        if part is None:
            part = self.parts[unit] = HostPageState(slot.number, unit, PAGE_SIZE, 0)
        if part.splits != whole.splits:
            part.splits = whole.splits
            part.address = whole.address + unit - whole.unit
            part.host = whole.host
        return part

    def has_vma(self, slot: MemorySlot) -> bool:
        """Whether there is a VMA anywhere in a slot; a slot of one page is looked up by that."""
        end = slot.origin + slot.end - slot.start
        holes = 0
        parts = [each for each in self.parts.values() if each.slot == slot.number]
        pages = [each for each in self.host.values() if each.slot == slot.number]
        for page in (*pages, *parts):
            if page.host is Host.ABSENT and self.host_page(slot, page.unit) is page:
                overlap = min(page.unit + page.size, end) - max(page.unit, slot.origin)
                holes += max(0, overlap)
        return holes < end - slot.origin

    def host_flags(self, slot: MemorySlot, state: HostPageState) -> int:
        """The HOST_* flags of a mapping."""
        flags = HOST_FLAGS[state.host] | HOST_SIZES[slot.backing]
        by_pages = state.split or state.size < slot.backing.pages * PAGE_SIZE
        return flags & ~(HOST_PMD | HOST_PUD) if by_pages else flags

    def announce(self, slot: MemorySlot, page: HostPageState) -> None:
        """Record what a host mapping is, where the slot lies now."""
        ipa = page.unit + self.last[slot.number].moved
        flags = self.host_flags(slot, page)
        self.record((BACKING, self.current, ipa, page.size, page.address, flags))

    def announce_all(self, slot: MemorySlot) -> None:
        """The backing of a whole slot where it lies now, and what is known of single pages."""
        size, flags = slot.end - slot.start, HOST_FLAGS[Host.RW] | HOST_SIZES[slot.backing]
        home = self._home(slot, slot.origin)
        self.record((BACKING, self.current, slot.start, size, home, flags))
        parts = [p for p in self.parts.values() if self.host_page(slot, p.unit) is p]
        for page in (*self.host.values(), *parts):
            if page.slot == slot.number:
                self.announce(slot, page)

    def entry(self, ipa: int) -> int:
        """Address of the root entry that translates ``ipa``."""
        return self.root + (ipa >> SHIFTS[self.start_level]) * ENTRY_SIZE

    def visible_write(self, ptep: int, old: int, new: int) -> None:
        """Keep the window TLB: what the entry covers, and what an unlinked table leaves behind."""
        assert self.window is not None
        level, base = self._place(ptep)
        if level < 0:
            return
        ipa = base + (ptep & ~PAGE_MASK) // ENTRY_SIZE * GRANULES[level]
        if new != old and is_table(old, level):
            self.window.unlink(list(self._below(address_of(old))))
        if is_table(new, level):
            self.tables[address_of(new)] = (level + 1, ipa)
        self.window.write(ptep, level, ipa, old, new)

    def _place(self, ptep: int) -> tuple[int, int]:
        """(level, first IPA) of the table page that holds ``ptep``; level -1 for hyp tables."""
        page = ptep & PAGE_MASK
        roots = 2 if self.start_level == 1 else 1
        if self.root <= page < self.root + roots * PAGE_SIZE:
            return self.start_level, (page - self.root) // ENTRY_SIZE * GRANULES[self.start_level]
        return self.tables.get(page, (-1, 0))

    def _below(self, page: int) -> Iterator[Entry]:
        """The valid entries of a table and of the tables below it."""
        level, base = self.tables[page]
        for ptep, value in self.entries.items():
            if ptep & PAGE_MASK == page and is_valid(value):
                yield ptep, level, base + (ptep & ~PAGE_MASK) // ENTRY_SIZE * GRANULES[level], value
                if is_table(value, level):
                    yield from self._below(address_of(value))

    def _home(self, slot: MemorySlot, unit: int) -> int:
        return host_address(page_of(unit), 0, slot.skewed)

    @property
    def has_ring(self) -> bool:
        """Whether dirty pages go to rings alone, as arm64 allows from v6.2 on."""
        return self.options.dirty_ring and self.flags.shared_faults

    def _describe(self) -> list[Event]:
        options = self.options
        machine = options.ipa_bits | (ROOT_DIC if options.dic else 0)
        machine |= ROOT_FWB if options.fwb else 0
        machine |= ROOT_DIRTY_RING if self.has_ring else 0
        events: list[Event] = [(ROOT, SETUP, self.root, self.start_level, VMID, machine)]
        if any(each.op is Op.HYP_MAP for host in self.scenario.hosts for each in host):
            events.append((ROOT, SETUP, HYP_ROOT, 1, HYP_VMID, HYP_BITS))
        for slot in self.slots:
            size = slot.end - slot.start
            events.append((SLOT, SETUP, slot.start, size, slot.flags, slot.number))
            flags = HOST_READ | HOST_WRITE | HOST_SIZES[slot.backing]
            events.append((BACKING, SETUP, slot.start, size, self._home(slot, slot.start), flags))
            if slot.flags & SLOT_LOGGING and self.scenario.logs_begin_set:
                pages = range(slot.start, slot.end, PAGE_SIZE)
                events += [(MARK_DIRTY, SETUP, ipa, 0, 0, 0) for ipa in pages]
        for unit, state in self.host.items():
            owner = self.slots[state.slot]
            size = owner.backing.pages * PAGE_SIZE
            flags = self.host_flags(owner, state)
            events.append((BACKING, SETUP, unit, size, state.address, flags))
        return events
