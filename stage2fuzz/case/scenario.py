"""Scenario: who does what to which guest pages, before any schedule is chosen.

A scenario is frozen data made of small ranges, each with its limit beside the type, so that every
scenario has one text form, one byte form, and an order of what is simpler. Pages are numbered from
the start of guest memory; ``ipa_of`` and ``host_address`` turn them into addresses, the same for
every engine.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from stage2fuzz.arch import BEYOND, INSTRUCTIONS, PAGE_SIZE, READ
from stage2fuzz.case.el2 import HypCall

MAX_VCPUS: Final = 8
MAX_HOST_THREADS: Final = 2
MAX_ACCESSES: Final = 4
MAX_HOST_OPS: Final = 4
MAX_SLOTS: Final = 2
MAX_HOST_PAGES: Final = 4
MAX_FAULTS: Final = 40
"""Faults one access may take before the run ends as inconclusive; never a verdict by itself."""

MAX_STEPS: Final = 20_000
"""Scheduling points one run may pass before it ends as inconclusive."""

TABLE_BASE: Final = 0x1000_0000
"""Physical address of the first table page, the root of stage 2."""
IPA_BASE: Final = 0x4000_0000
HOST_BASE: Final = 0x1_0000_0000_0
SLOT_STRIDE: Final = 16 << 18
"""Pages between the first pages of two slots: 16 GiB, more than a range TLBI covers, and no table
level ties them together."""
GIB: Final = 1 << 18
"""Pages of a block of level 1."""
MOVE_STRIDE: Final = GIB << 12
"""Bytes by which a memslot moves: no level of blocks sees a difference."""
GENERATION_STRIDE: Final = 1 << 36
"""Bytes by which the host moves a page each time it changes the backing."""
# fmt: off
SLOT_PAGES: Final = (
    1, 2, 3, 4, 5, 100, 511, 512, 513, 700, 1023, 1024, GIB - 1, GIB, GIB + 1, GIB + 512, 1 << 19,
    8 * GIB, 8 * GIB + 512,
)
"""8 GiB are what the largest range TLBI covers."""
SLOT_FIRSTS: Final = (0, 1, 2, 256, 511, 512, 513, GIB - 1)
"""Page offsets from a multiple of 16 GiB at which a slot may begin."""
SKEWS: Final = (1, 2, 256, 511, 512, 513, GIB // 2)
"""Pages by which guest and host addresses of a slot may differ modulo 1 GiB: by whole blocks of
2 MiB, and by others."""
PLACES: Final = (
    0, 1, 2, 511, 512, 513, GIB, GIB + 1,
    3, 4, 5, 6, 7, 8, 15, 16,
    31, 32, 62, 63, 64, 65, 127, 128,
    254, 255, 256, 257, 258, 300, 383, 384,
    508, 509, 510, 514, 515, 516, 575, 576,
    640, 766, 767, 768, 895, 1000, 1021, 1022,
    1023, 1024, 1025, 1535, 1536, GIB - 513, GIB - 512, GIB - 2,
    GIB - 1, GIB + 2, GIB + 255, GIB + 256, GIB + 510, GIB + 511, GIB + 512, (1 << 19) - 1,
    1 << 19, 3 * GIB, 4 * GIB + 1, 8 * GIB - 1, 8 * GIB, 8 * GIB + 1, 8 * GIB + 256, 8 * GIB + 511,
)
"""Page offsets from a slot's multiple of 16 GiB that accesses and host operations may name: each
edge of each level, places in between, and some far away. In the order of their bytes, eight a
row."""
RANGE_PAGES: Final = (
    1, 2, 512, GIB, 3, 4, 5, 7, 63, 64, 65, 511, 513, 514, 1023, 1024, 8 * GIB + 512,
)
# fmt: on
"""Pages that one host operation may cover, in the order of their bytes."""
ACCESS_KINDS: Final = tuple(INSTRUCTIONS.values())
"""What a guest may do with a page, the plainest first."""


class Backing(IntEnum):
    """What the host maps a slot with: the largest mapping that user_mem_abort may choose."""

    PAGE = 0
    PMD = 1
    PUD = 2
    DEVICE = 3
    """A PFN mapping of device memory: never executable, always pages."""

    @property
    def pages(self) -> int:
        """Pages of one host mapping."""
        return (1, 512, 1 << 18, 1)[self]


class Host(IntEnum):
    """What the host grants on one page of a slot; RW where the scenario says nothing."""

    RW = 0
    R = 1
    ABSENT = 2
    """No VMA: the lookup fails with -EFAULT."""
    POISON = 3
    """Hardware-poisoned: the fault handler signals and returns 0."""
    LAZY = 4
    """A writable VMA whose page the host maps read-only until the first write: a read pin gets a
    read-only page, a write pin makes it writable (a clean page of a shared file, for one). Device
    memory is not made writable by a lookup."""
    COW = 5
    """Shared with others until the first write: a read pin gets the shared page read-only, a write
    pin copies it, with a notifier around (KSM, fork, the zero page)."""


class Op(IntEnum):
    """What a host thread does; ``page`` and ``pages`` give the range, or just name the slot."""

    LOG_ENABLE = 0
    LOG_DISABLE = 1
    LOG_GET = 2
    """Read and clear the slot's dirty log, write-protect what was dirty, flush."""
    LOG_CLEAR = 3
    """Clear the log of the range only, as KVM_CLEAR_DIRTY_LOG does."""
    MOVE = 4
    """invalidate start, new backing page, invalidate end: migration, KSM, compaction."""
    PROTECT = 5
    """invalidate start, the host takes write permission away, invalidate end: mprotect."""
    UNPROTECT = 6
    """The host gives write permission back; nothing needs to be invalidated."""
    AGE = 7
    TEST_YOUNG = 8
    CHANGE_PTE = 9
    """invalidate start, change_pte to a new shared page, invalidate end: KSM's way."""
    SLOT_DELETE = 10
    TEARDOWN = 11
    HYP_MAP = 12
    """Map a hyp stage-1 page, twice, the second time with other permissions."""
    INVALIDATE = 13
    """invalidate start and end over exactly the range, wherever it begins and ends; the pages stay:
    NUMA hinting, a change of protection that changes none, the end of a soft-dirty round."""
    INVALIDATE_NONBLOCK = 14
    """The same, and the notifier may not sleep: the OOM reaper's way."""
    SLOT_CREATE = 15
    """Add the memslot again, where it was deleted; its dirty log is off."""
    MUNMAP = 16
    """The VMM unmaps the range: invalidate start, no VMA any more, invalidate end."""
    MMAP = 17
    """The VMM maps it again where there is no VMA: other pages, and no notifier."""
    SHARE = 18
    """invalidate start, writable pages become shared ones, invalidate end: fork's way, and KSM's
    before it replaces a page."""
    GUEST_UNMAP = 19
    """The guest hypervisor makes the page's entry of its stage 2 invalid; a TLBI must follow. This
    and what follows is nothing without the option ``nested``."""
    GUEST_PROTECT = 20
    """It takes write permission away there; a TLBI must follow."""
    GUEST_MAP = 21
    """It maps the page to what it was mapped to at first, where its entry is invalid."""
    GUEST_MOVE = 22
    """It maps the page to the next one of its own, where its entry is invalid."""
    GUEST_TLBI_IPA = 23
    """It executes TLBI IPAS2E1IS for the page, with the VMID of the page's guest."""
    GUEST_TLBI_RANGE = 24
    """TLBI RIPAS2E1IS for the range."""
    GUEST_TLBI_VMID = 25
    """TLBI VMALLS12E1IS."""
    GUEST_TLBI_ALL = 26
    """TLBI ALLE1IS, for all VMIDs."""
    SLOT_MOVE = 27
    """The memslot moves to other guest addresses (KVM_MR_MOVE), its host memory with it: up by
    ``MOVE_STRIDE``, and back. A slot of more than 1 GiB stays, and one that is logged."""
    THP_SPLIT = 28
    """invalidate start, the host maps a transparent huge page by pages, invalidate end: who will
    change a part of it does so first. The memory stays where it is."""
    THP_COLLAPSE = 29
    """khugepaged: invalidate start, a new huge page with what the pages held, invalidate end."""
    VCPU_INIT = 30
    """KVM_ARM_VCPU_INIT of a vCPU that ran before: all memory is unmapped, where there is no FWB,
    so that a guest that starts with its caches off reads what it should."""
    CACHES_OFF = 31
    """A guest turns its caches off and cleans them by set and way, on a vCPU of its own: KVM cleans
    all memory in its stead. With FWB a guest cannot."""
    CACHES_ON = 32
    """It turns them on again."""
    SLOT_LIMIT = 33
    """The VMM asks for a memslot that ends a page above the guest's IPA space, which is refused,
    and whether it could have one that ends with it; neither comes to be."""


class Tlb(IntEnum):
    """Which of the translations a PE might still hold an access uses."""

    FRESH = 0
    STICKY = 1
    """The oldest one: a TLB that never evicts."""
    SAMPLED = 2
    """The schedule's choices decide, 0 meaning a fresh walk."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One memslot; slot ``i`` starts at page ``i * SLOT_STRIDE + first``."""

    pages: int = 4
    backing: Backing = Backing.PAGE
    readonly: bool = False
    logging: bool = False
    skewed: int = 0
    """Pages by which guest and host addresses differ modulo 1 GiB: blocks of a size to which they
    are not congruent must not be used. The host's mappings are aligned in its own addresses."""
    first: int = 0
    """Pages between the multiple of 16 GiB and the slot's first page. The host's mappings stay
    aligned, so the first of them may begin before the slot."""
    hugetlb: bool = False
    """Memory of 2 MiB comes from hugetlbfs, as that of 1 GiB always does: a fault learns its size
    from the VMA, before any lock of KVM's."""
    contiguous: bool = False
    """A VMA of contiguous entries, which stage 2 has not: hugetlbfs of 64 KiB (pages) or 32 MiB
    (2 MiB), mapped by pages and by 2 MiB."""

    @property
    def transparent(self) -> bool:
        """Whether the host maps it by transparent huge pages."""
        return self.backing is Backing.PMD and not (self.hugetlb or self.contiguous)


@dataclass(frozen=True, slots=True)
class Access:
    """One guest access; ``page`` is ``slot * SLOT_STRIDE + one of PLACES``."""

    kind: int
    """One of ``arch.INSTRUCTIONS``."""
    page: int


@dataclass(frozen=True, slots=True)
class HostOp:
    """One operation of a host thread."""

    op: Op
    page: int = 0
    pages: int = 1


@dataclass(frozen=True, slots=True)
class HostPage:
    """What the host grants on one page, where that is not RW."""

    page: int
    host: Host


@dataclass(frozen=True, slots=True)
class Options:
    """The machine around the engine; the default of each is the plain one."""

    ipa_bits: int = 40
    """40: start level 1 with two concatenated root pages; 48: start level 0."""
    tlb: Tlb = Tlb.FRESH
    pending_stores: bool = False
    """Table stores become visible to walkers later: the weak memory that matters."""
    hardware_af: bool = False
    """The walker sets AF itself instead of faulting."""
    dic: bool = False
    """CTR_EL0.DIC: instruction caches need no maintenance, so every leaf may be executable."""
    fwb: bool = False
    cache_pages: int = 0
    """Pages to which a top-up fills a memory cache, but at least those it was asked for; 0: 40."""
    failing_topup: int = 0
    """The how-many-th top-up of the run fails with -ENOMEM; 0: none."""
    teardown: bool = False
    """Destroy the tables after the last thread and look for leaks."""
    failing_atomic: bool = False
    """Who finds its memory cache empty gets no page from the system's reserve either."""
    vhe: bool = False
    """The host runs at EL2, so that TLB code is called directly; the model has no such choice."""
    manual_protect: bool = False
    """KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: reading a log takes no bit and protects nothing."""
    initially_set: bool = False
    """The same with KVM_DIRTY_LOG_INITIALLY_SET: a log begins with every bit set, and nothing is
    protected before it is cleared. Without effect where a slot has more than 1024 pages."""
    failing_alloc: int = 0
    """The how-many-th request for memory fails, 0: none. Requests are all top-ups, and each table
    page that a host thread asks for: where a block is split, and for hyp stage 1. A fault's own
    table pages are none: kvm_mmu_memory_cache_alloc never refuses one (``failing_atomic``)."""

    dirty_ring: bool = False
    """KVM_CAP_DIRTY_LOG_RING_ACQ_REL and no bitmap beside it: dirty pages are handed over in rings,
    which are collected and reset where a log would be read. Without effect before v6.2, as are
    ``manual_protect`` and ``initially_set`` with it."""
    mte: bool = False
    """The guest has memory tags (KVM_CAP_ARM_MTE). Without effect where the memory of a slot allows
    none, in trees before v6.1, and in the model."""
    nested: int = 0
    """Guests (L2) that the guest hypervisor (L1) runs, 0: there is no such hypervisor. vCPUs run
    L2, page ``p`` is one of guest ``p % nested``, and operations of L1 run on vCPUs of their own.
    Nothing to engines without nested virtualisation."""
    vncr: bool = False
    """Those guests are hypervisors, too (HCR_EL2.NV): each vCPU has a page of registers in L1's
    memory (VNCR_EL2), the one that its first access names, and touches it before each access.
    Nothing without ``nested``."""

    @property
    def manual(self) -> bool:
        """Whether only KVM_CLEAR_DIRTY_LOG takes bits."""
        return (self.manual_protect or self.initially_set) and not self.dirty_ring


MAX_NESTED: Final = 8
GUEST_TABLES: Final = 8 << 32
"""Where in its own memory the hypervisor keeps its stage-2 tables."""
GUEST_TABLES_STRIDE: Final = 1 << 28
"""Bytes between the tables of two guests."""
INITIALLY_SET_PAGES: Final = 1024
"""Pages of the largest slot whose log can begin with every bit set."""
CLEARED_AT_ONCE: Final = 64
"""Pages of a range that one KVM_CLEAR_DIRTY_LOG names where all bits may be set."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Slots, exceptions of the host, each vCPU's accesses, each host thread's operations; or the
    calls of each host CPU."""

    slots: tuple[Slot, ...] = (Slot(),)
    vcpus: tuple[tuple[Access, ...], ...] = ((Access(READ, 0),),)
    hosts: tuple[tuple[HostOp, ...], ...] = ()
    host_pages: tuple[HostPage, ...] = ()
    options: Options = field(default_factory=Options)
    cpus: tuple[tuple[HypCall, ...], ...] = ()
    """What host CPUs do where pKVM is on (an engine of its own): then there is no vCPU and no host
    thread, and slots say nothing."""

    @property
    def logs_begin_set(self) -> bool:
        """Whether each log of the VM begins with every bit set."""
        small = all(slot.pages <= INITIALLY_SET_PAGES for slot in self.slots)
        return self.options.initially_set and not self.options.dirty_ring and small

    @property
    def threads(self) -> int:
        """All threads: vCPUs, then host threads; or host CPUs."""
        return len(self.vcpus) + len(self.hosts) + len(self.cpus)


def ipa_of(page: int) -> int:
    """The intermediate physical address of a page number."""
    return IPA_BASE + page * PAGE_SIZE


def address_of_access(access: Access, ipa_bits: int) -> int:
    """The intermediate physical address of an access, which may lie above the IPA space."""
    ipa = ipa_of(access.page)
    return ipa | 1 << ipa_bits if access.kind & BEYOND else ipa


def page_of(ipa: int) -> int:
    """The page number of an intermediate physical address."""
    return (ipa - IPA_BASE) // PAGE_SIZE


def host_address(page: int, generation: int = 0, skewed: int = 0) -> int:
    """Where the host keeps a page; each move of the page is a generation."""
    return HOST_BASE + generation * GENERATION_STRIDE + (page + skewed) * PAGE_SIZE
