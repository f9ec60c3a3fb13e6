"""Events: the one language of engines and oracles.

An event is a plain tuple of six integers ``(kind, thread, where, old, new, aux)``, because a run
records about a hundred of them and tens of thousands of runs are judged a second. What is known of
each kind of event stands once, in ``KINDS`` at the end: the names of its four payload fields, what
it may not be swapped with, the feature it makes, who hears of it, and at which places it meets
others. The handlers of oracles, dependence, features, reports and the C side's header are all made
from that table. An event is recorded *at* its step: it is what just happened, and everything before
it in the list happened earlier in the run's total order.

Threads are numbered vCPUs first, then host threads. Thread ``i`` runs on processing element ``i``.
``SETUP`` (-1) is the thread of the events that describe the scenario before anything runs.
"""

from collections.abc import Iterable
from typing import Final

from stage2fuzz.arch import TRANSLATION_GRANULES, TranslationGranule
from stage2fuzz.event_kind import (
    Dependence,
    EventKind,
    Feature,
    Hearing,
    Label,
    Meeting,
    Place,
    Side,
    When,
)

Event = tuple[int, int, int, int, int, int]
SETUP: Final = -1

# Set-up. SLOT and BACKING recur when the host publishes new slots or changes a page.
ROOT: Final = 1
SLOT: Final = 2
BACKING: Final = 3
# The guest and the hardware walker.
WALK: Final = 10
HIT: Final = 11
ACCESS: Final = 12
FAULT: Final = 13
RESUME: Final = 14
HARDWARE_AF: Final = 15
# Table memory.
LOAD: Final = 20
STORE: Final = 21
CAS_FAIL: Final = 22
DRAIN: Final = 23
ALLOC: Final = 24
ZERO: Final = 25
FREE: Final = 26
FREE_DEFERRED: Final = 27
GET: Final = 28
PUT: Final = 29
TOPUP: Final = 30
# Ordering and locks.
LOCK: Final = 40
UNLOCK: Final = 41
RCU_LOCK: Final = 42
RCU_UNLOCK: Final = 43
DSB: Final = 44
ISB: Final = 45
TLBI: Final = 46
CONTEXT: Final = 47
# Host pages, notifiers, dirty log.
SEQ_READ: Final = 60
RETRY: Final = 61
INVALIDATE_BEGIN: Final = 62
INVALIDATE_END: Final = 63
PIN: Final = 64
UNPIN: Final = 65
PFN_DIRTY: Final = 66
MARK_DIRTY: Final = 67
CLEAR_DIRTY: Final = 68
REPORT: Final = 69
DCACHE_CLEAN: Final = 70
ICACHE_INVALIDATE: Final = 71
# Nested guests: L1 is the guest hypervisor, L2 a guest of its.
GUEST_LOAD: Final = 72
GUEST_STORE: Final = 73
MMU_BIND: Final = 74
MMU_LOAD: Final = 75
MMU_PUT: Final = 76
# A guest hypervisor's page of registers: what a vCPU of its reaches, and KVM's pseudo-TLB of it.
VNCR_ACCESS: Final = 77
VNCR_VALID: Final = 78
VNCR_MAP: Final = 79
# Calls, results, ends.
CALL: Final = 80
RETURN: Final = 81
WARN: Final = 82
THREAD_END: Final = 83
QUIESCENT: Final = 84
DEADLOCK: Final = 85
LIMIT: Final = 86
CRASH: Final = 87
# The tags of host pages (MTE).
TAGS_CLEAR: Final = 88
# EL2 of pKVM. PAGE_STATE and MAPPING recur when a page's state or a translation changes.
HYPERCALL: Final = 100
HYPERCALL_RETURN: Final = 101
PAGE_STATE: Final = 102
TABLE_STORE: Final = 103
MAPPING: Final = 104
SETTLED: Final = 105
TLB_KEPT: Final = 106
HYP_ACCESS: Final = 107
GIVEN_BACK: Final = 108
PAGE_DATA: Final = 109
ENTRY_LEFT: Final = 110

TREE_SHIFT: Final = 52
"""An address of an L2 guest, as a shadow MMU translates it, has the number of that MMU, from 1 on,
in the bits from here on; addresses of the guest itself have 0 there."""
ROOT_BITS: Final = 0xFF
ROOT_DIC: Final = 1 << 8
"""CTR_EL0.DIC: executable leaves need no instruction-cache invalidation."""
ROOT_FWB: Final = 1 << 9
ROOT_DIRTY_RING: Final = 1 << 10
"""Of no machine but of the VM: dirty pages go to rings, and there is no bitmap."""
ROOT_ZEROS_LATE: Final = 1 << 11
"""Of the VM, too: no barrier came between the zeros of the root pages and their use."""
ROOT_MTE: Final = 1 << 12
"""Of the VM, too: its guest has memory tags (MTE)."""
ROOT_GRANULE: Final = 1 << 13
ROOT_GRANULES: Final = 3 << 13
"""The translation granule: the bits from ROOT_GRANULE on number ``arch.TRANSLATION_GRANULES``."""
SLOT_READONLY: Final = 1
SLOT_LOGGING: Final = 2
HOST_READ: Final = 1
HOST_WRITE: Final = 2
HOST_DEVICE: Final = 4
HOST_POISON: Final = 8
HOST_ABSENT: Final = 16
HOST_PMD: Final = 32
HOST_PUD: Final = 64
"""The host maps it by 2 MiB, by 1 GiB; else by pages, and no block may stand for it."""

ORDER_PLAIN: Final = 0
ORDER_RELEASE: Final = 1
ORDER_CAS: Final = 2
PENDING: Final = 1 << 8
"""The store is not visible yet: a DRAIN of the same thread and entry will make it so."""

DSB_ISH: Final = 0
DSB_ISHST: Final = 1
DSB_NSH: Final = 2
DSB_NSHST: Final = 3
DMB_ISHST: Final = 4
DMB_ISH: Final = 5

PROT_X: Final = 1
PROT_W: Final = 2
PROT_R: Final = 4
PROT_DEVICE: Final = 8
"""Rights that a call asks for, whatever numbers enum kvm_pgtable_prot gives them in a tree."""

TLBI_IPAS2E1: Final = 1
TLBI_VMALLE1: Final = 2
TLBI_VMALLS12E1: Final = 3
TLBI_ALLE1: Final = 4
TLBI_BROADCAST: Final = 1 << 4
TLBI_LAST_LEVEL: Final = 1 << 5
TLBI_OPERATION: Final = 0xF

HPFAR_VALID: Final = 1 << 63
"""HPFAR_EL2.NS, by which KVM notes that the register holds the address."""
OFFSET_IN_PAGE: Final = 0x5C8
"""Where in its page an access of the C side lies: a fault's address has bits below the page's."""
FAULT_LEVEL: Final = 0xFF
FAULT_HOW_SHIFT: Final = 5
"""How far the bits of ``arch.INSTRUCTIONS`` above the rights are moved to name a fault's access."""

LOCK_MMU: Final = 1
LOCK_MMAP: Final = 2
LOCK_HYP: Final = 3
LOCK_SLOTS: Final = 4
LOCK_VM_TABLE: Final = 5
LOCK_HOST_STAGE2: Final = 6
LOCK_HYP_STAGE1: Final = 7
LOCK_EL2_OTHER: Final = 8
"""EL2's own page allocators and fixed mappings, four locks at most."""
LOCK_GUEST: Final = 12
"""Of VM 0; each VM has one."""
LOCK_GUEST_POOL: Final = 16

TREE_HOST: Final = 1
TREE_HYP: Final = 2
TREE_GUEST: Final = 3
"""Of VM 0; each VM has one. Tree 0 is a table that is not linked yet."""
TREE_BITS: Final = 0xF
TREE_GONE: Final = 1 << 4
"""The VM was taken out of EL2's table, and its translations with it."""
HELD_SHIFT: Final = 8
"""How far the mask of held locks is moved to share ``aux`` with a tree."""
MAPPED_WRITE: Final = 1 << 4
MAPPED_VALID: Final = 1 << 5
MAPPED_NOTED: Final = 1 << 6
"""An invalid entry that says whose the page is."""
HYP_SHARE_HYP: Final = 0
HYP_UNSHARE_HYP: Final = 1
HYP_DONATE_HYP: Final = 2
HYP_RECLAIM_HYP: Final = 3
HYP_PIN: Final = 4
HYP_UNPIN: Final = 5
HYP_SHARE_FFA: Final = 6
HYP_UNSHARE_FFA: Final = 7
HYP_LOAD: Final = 10
HYP_PUT: Final = 11
HYP_SHARE_GUEST: Final = 12
HYP_DONATE_GUEST: Final = 13
HYP_UNSHARE_GUEST: Final = 14
HYP_WRPROTECT_GUEST: Final = 15
HYP_RELAX_GUEST: Final = 17
HYP_GUEST_SHARE: Final = 21
HYP_GUEST_UNSHARE: Final = 22
HYP_FORCE_RECLAIM: Final = 23
HYP_CREATE: Final = 24
HYP_START_TEARDOWN: Final = 25
"""Operations of a host CPU that an oracle knows by their numbers (``case/el2.py``)."""
STATE_OWNED: Final = 0
STATE_SHARED_OWNED: Final = 1
STATE_SHARED_BORROWED: Final = 2
STATE_NOPAGE: Final = 3
STATE_HYP_SHIFT: Final = 4
STATE_COUNT_SHIFT: Final = 8
STATE_MASK: Final = 0xF

CALL_MAP: Final = 1
CALL_RELAX: Final = 2
CALL_WRPROTECT: Final = 3
CALL_UNMAP: Final = 4
CALL_MKYOUNG: Final = 5
CALL_MKOLD: Final = 6
CALL_IS_YOUNG: Final = 7
CALL_DESTROY: Final = 8
CALL_HYP_MAP: Final = 9
CALL_SPLIT: Final = 10
CALL_FLUSH: Final = 11
CALL_LOG_ENABLE: Final = 20
CALL_LOG_DISABLE: Final = 21
CALL_LOG_GET: Final = 22
CALL_LOG_CLEAR: Final = 23
CALL_INVALIDATE_START: Final = 24
CALL_INVALIDATE_FINISH: Final = 25
CALL_CHANGE_PTE: Final = 26
CALL_AGE: Final = 27
CALL_TEST_YOUNG: Final = 28
CALL_SLOT_DELETE: Final = 29
CALL_TEARDOWN: Final = 30
CALL_SLOT_CREATE: Final = 31
CALL_GUEST_TLBI: Final = 32
CALL_SLOT_MOVE: Final = 33
CALL_VCPU_INIT: Final = 34
CALL_SET_WAY: Final = 35
CALL_TOGGLE_CACHE: Final = 36
CALL_SLOT_LIMIT: Final = 37
FIRST_HOST_CALL: Final = CALL_LOG_ENABLE
"""Calls from here on are the host's; those before it are the page-table code's."""
USES_CACHES: Final = 1
TRAPS_SWITCHES: Final = 2
STATE_WANTED_SHIFT: Final = 2
"""The ``argument`` of a CALL_SET_WAY or CALL_TOGGLE_CACHE: what the vCPU's state was, and above
this shift what it is to be; its return's ``result`` is what it has become."""
INVALIDATE_NONBLOCK: Final = 1
"""The ``argument`` of a CALL_INVALIDATE_START whose notifier may not block; else it is 0."""
CALL_CODE: Final = 0xFF
CALL_PROT_SHIFT: Final = 8
CALL_NAMES: Final = {
    CALL_MAP: "kvm_pgtable_stage2_map",
    CALL_RELAX: "kvm_pgtable_stage2_relax_perms",
    CALL_WRPROTECT: "kvm_pgtable_stage2_wrprotect",
    CALL_UNMAP: "kvm_pgtable_stage2_unmap",
    CALL_MKYOUNG: "kvm_pgtable_stage2_mkyoung",
    CALL_MKOLD: "kvm_pgtable_stage2_mkold",
    CALL_IS_YOUNG: "kvm_pgtable_stage2_is_young",
    CALL_DESTROY: "kvm_pgtable_stage2_destroy",
    CALL_HYP_MAP: "kvm_pgtable_hyp_map",
    CALL_SPLIT: "kvm_pgtable_stage2_split",
    CALL_FLUSH: "kvm_pgtable_stage2_flush",
    CALL_LOG_ENABLE: "dirty log on",
    CALL_LOG_DISABLE: "dirty log off",
    CALL_LOG_GET: "KVM_GET_DIRTY_LOG",
    CALL_LOG_CLEAR: "KVM_CLEAR_DIRTY_LOG",
    CALL_INVALIDATE_START: "invalidate_range_start",
    CALL_INVALIDATE_FINISH: "invalidate_range_end",
    CALL_CHANGE_PTE: "change_pte",
    CALL_AGE: "clear_young",
    CALL_TEST_YOUNG: "test_young",
    CALL_SLOT_DELETE: "memslot delete",
    CALL_TEARDOWN: "VM teardown",
    CALL_SLOT_CREATE: "memslot create",
    CALL_GUEST_TLBI: "TLBI of the guest hypervisor",
    CALL_SLOT_MOVE: "memslot move",
    CALL_VCPU_INIT: "KVM_ARM_VCPU_INIT",
    CALL_SET_WAY: "kvm_set_way_flush",
    CALL_TOGGLE_CACHE: "kvm_toggle_cache",
    CALL_SLOT_LIMIT: "memslot create at the end of the IPA space",
}

WARN_LEAF_AT_LAST_LEVEL: Final = 1
WARN_HYP_REMAP: Final = 2
WARN_TABLE_OVER_VALID: Final = 3
WARN_REFCOUNT: Final = 4
WARN_OTHER: Final = 5
WARN_BUG: Final = 6
WARN_MEMORY_CACHE: Final = 7
"""kvm_mmu_memory_cache_alloc found the cache empty."""
WARN_STILL_HELD: Final = 8
"""A lock or a read-side section was left open, as lockdep says at the return to user space."""
WARN_FOREIGN_PAGE: Final = 9
"""virt/kvm was handed a host page that the caller never looked up."""
WARN_LEFT_OVER: Final = 10
"""Structures of a VM that is gone, or the root of its tables: still there, or freed twice."""
TOPUP_SINGLE: Final = 0
"""Pages of a top-up that is none: a host thread asks for one table page, and may be refused."""

LIMIT_STEPS: Final = 1
LIMIT_FAULTS: Final = 2
LIMIT_EVENTS: Final = 3
LIMIT_CHOICES: Final = 4
LIMIT_TABLE_PAGES: Final = 5
LIMIT_HOST_PAGES: Final = 6
LIMIT_DIRTY_PAGES: Final = 7
LIMIT_DEFERRED_FREES: Final = 8
LIMIT_STRUCTURES: Final = 9
LIMIT_TLBIS: Final = 10
LIMIT_NAMES: Final = {
    LIMIT_STEPS: "steps",
    LIMIT_FAULTS: "faults",
    LIMIT_EVENTS: "events",
    LIMIT_CHOICES: "choices",
    LIMIT_TABLE_PAGES: "table pages",
    LIMIT_HOST_PAGES: "host pages",
    LIMIT_DIRTY_PAGES: "dirty pages of a slot",
    LIMIT_DEFERRED_FREES: "deferred frees",
    LIMIT_STRUCTURES: "memory for kernel structures",
    LIMIT_TLBIS: "TLBIs without a DSB",
}
"""What a run had too many of when a limit ended it: inconclusive, and no verdict by itself."""

FEATURE_COUNTERS: Final = 1 << 14
"""Bytes of a table of interleaving features; both sides hash into it (fuzz/features.py)."""

EPERM: Final = 1
ENOENT: Final = 2
E2BIG: Final = 7
ENOEXEC: Final = 8
EAGAIN: Final = 11
ENOMEM: Final = 12
EFAULT: Final = 14
EINVAL: Final = 22
ERANGE: Final = 34
ENOSYS: Final = 38
PAST_THE_INSTRUCTION: Final = 2
"""Result of a fault after which the guest goes on behind the instruction, which did nothing."""
INJECTED_DABT: Final = 1001
"""Results of a fault, negated: what the guest got in place of its access."""
INJECTED_SIZE_FAULT: Final = 1002
INJECTED_SERROR: Final = 1003
INJECTED_STAGE2: Final = 1004
"""A stage-2 fault that a guest hypervisor gets, since its own tables refuse the access."""


def tlbi_aux(
    operation: int, broadcast: bool, level: int = -1, last_level_only: bool = False
) -> int:
    """The ``aux`` field of a TLBI; ``level`` is the TTL hint (-1: none given)."""
    return (
        operation
        | (TLBI_BROADCAST if broadcast else 0)
        | (TLBI_LAST_LEVEL if last_level_only else 0)
        | (level + 1) << 8
    )


def granule_of(events: Iterable[Event]) -> TranslationGranule:
    """The granule of a run, as its first ROOT says; of 4 KiB pages where there is none."""
    bits = next((event[5] for event in events if event[0] == ROOT and event[4] >= 0), 0)
    return TRANSLATION_GRANULES[(bits & ROOT_GRANULES) // ROOT_GRANULE]


def tlbi_level(aux: int) -> int:
    """The TTL level hint of a TLBI, -1 where none was given."""
    return (aux >> 8) - 1


_NOWHERE: Final[tuple[Meeting, ...]] = ()
_LOOKED_AT: Final = (Meeting(Place.ENTRY, Side.READS), Meeting(Place.PAGE, Side.READS))
_WRITTEN: Final = (
    Meeting(Place.ENTRY, Side.WRITES),
    Meeting(Place.PAGE, Side.READS),
    Meeting(Place.TLB, Side.ONE),
    Meeting(Place.TREE, Side.ONE),
    Meeting(Place.HOST, Side.READS, When.VALID),
)
_PAGE_TAKEN: Final = (Meeting(Place.PAGE, Side.WRITES),)
_PAGE_FREED: Final = (
    Meeting(Place.TLB, Side.WRITES, When.LINKED),
    Meeting(Place.READERS, Side.OTHER, When.LINKED),
    *_PAGE_TAKEN,
)
_COUNTED: Final = (Meeting(Place.PAGE, Side.READS), Meeting(Place.TREE, Side.ONE))
_READER: Final = (Meeting(Place.READERS, Side.ONE),)
_ASKED: Final = (Meeting(Place.SEQUENCE, Side.READS),)
_HOST_READ: Final = (Meeting(Place.HOST, Side.READS),)
_HOST_WRITTEN: Final = (Meeting(Place.HOST, Side.WRITES),)
_MOVED: Final = (Meeting(Place.TLB, Side.WRITES), *_HOST_WRITTEN)
_INVALIDATED: Final = (Meeting(Place.SEQUENCE, Side.WRITES), *_MOVED)
_TREE_ASKED: Final = (Meeting(Place.TREE, Side.OTHER),)

# fmt: off
_ROWS: Final = (
    # number, name, "where old new aux", what it depends on, where it meets others
    EventKind(ROOT, "root", "page level vmid bits", Dependence.EVERYTHING, _NOWHERE),
    EventKind(SLOT, "slot", "ipa size flags slot", Dependence.HOST_WRITE, _HOST_WRITTEN,
         feature=Feature(11, Label.WHERE)),
    EventKind(BACKING, "backing", "ipa size address flags", Dependence.HOST_WRITE, _MOVED),
    EventKind(WALK, "walk", "location - pte level", Dependence.READ, _LOOKED_AT,
         Hearing.WHEN_FREED, Feature(5, Label.ENTRY)),
    EventKind(HIT, "hit", "ipa - pte level", Dependence.GUEST, _NOWHERE, Hearing.NEVER),
    EventKind(ACCESS, "access", "ipa kind address number", Dependence.GUEST, _HOST_READ,
         feature=Feature(18, Label.TLB)),
    EventKind(FAULT, "fault", "ipa kind status walk", Dependence.GUEST,
         (Meeting(Place.WALKED, Side.READS), *_HOST_READ)),
    EventKind(RESUME, "resume", "ipa kind result outside", Dependence.EVERYTHING, _HOST_READ),
    EventKind(HARDWARE_AF, "hardware-af", "location old new level", Dependence.WRITE, _WRITTEN,
         feature=Feature(6, Label.ENTRY)),
    EventKind(LOAD, "load", "location - pte -", Dependence.READ, _LOOKED_AT,
         Hearing.WHEN_FREED, Feature(1, Label.ENTRY)),
    EventKind(STORE, "store", "location old new order", Dependence.WRITE, _WRITTEN,
         feature=Feature(2, Label.ENTRY)),
    EventKind(CAS_FAIL, "cmpxchg-fail", "location found wanted -", Dependence.WRITE, _LOOKED_AT,
         Hearing.WHEN_FREED, Feature(3, Label.ENTRY)),
    EventKind(DRAIN, "drain", "location old new -", Dependence.WRITE, _WRITTEN,
         feature=Feature(4, Label.ENTRY)),
    EventKind(ALLOC, "alloc", "page - - system", Dependence.PAGE, _PAGE_TAKEN),
    EventKind(ZERO, "zero", "page - - -", Dependence.PAGE, _PAGE_TAKEN),
    EventKind(FREE, "free", "page - - -", Dependence.PAGE, _PAGE_FREED),
    EventKind(FREE_DEFERRED, "free-deferred", "page - - -", Dependence.PAGE, _PAGE_FREED),
    EventKind(GET, "get-page", "page - count -", Dependence.PAGE, _COUNTED),
    EventKind(PUT, "put-page", "page - count -", Dependence.PAGE, _COUNTED),
    EventKind(TOPUP, "topup", "- pages result -", Dependence.TOPUP, _NOWHERE),
    EventKind(LOCK, "lock", "lock - - shared", Dependence.LOCK, _NOWHERE,
         feature=Feature(7, Label.WHERE)),
    EventKind(UNLOCK, "unlock", "lock - - shared", Dependence.LOCK,
         (Meeting(Place.SEQUENCE, Side.READS, When.MMAP),),
         feature=Feature(8, Label.WHERE)),
    EventKind(RCU_LOCK, "rcu-lock", "- - - -", Dependence.EVERYTHING, _READER),
    EventKind(RCU_UNLOCK, "rcu-unlock", "- - - -", Dependence.EVERYTHING, _READER),
    EventKind(DSB, "dsb", "- - - barrier", Dependence.BARRIER,
         (Meeting(Place.TLB, Side.OTHER, When.COMPLETES),)),
    EventKind(ISB, "isb", "- - - -", Dependence.EVERYTHING, _NOWHERE, Hearing.NEVER),
    EventKind(TLBI, "tlbi", "ipa size vmid form", Dependence.BARRIER,
         (Meeting(Place.TLB, Side.OTHER),), feature=Feature(17, Label.TLB)),
    EventKind(CONTEXT, "context", "- before vmid -", Dependence.BARRIER, _NOWHERE),
    EventKind(SEQ_READ, "seq-read", "- - sequence -", Dependence.HOST_READ, _ASKED,
         feature=Feature(13, Label.SEQUENCE)),
    EventKind(RETRY, "retry-check", "- sampled retry -", Dependence.HOST_READ, _ASKED,
         feature=Feature(14, Label.SEQUENCE)),
    EventKind(INVALIDATE_BEGIN, "invalidate-begin", "ipa size count -", Dependence.HOST_WRITE,
         _INVALIDATED, feature=Feature(15, Label.SEQUENCE)),
    EventKind(INVALIDATE_END, "invalidate-end", "ipa size sequence -", Dependence.HOST_WRITE,
         _INVALIDATED, feature=Feature(16, Label.SEQUENCE)),
    EventKind(PIN, "pin", "ipa asked address flags", Dependence.HOST_WRITE, _HOST_READ,
         feature=Feature(12, Label.WHERE)),
    EventKind(UNPIN, "unpin", "ipa - address -", Dependence.HOST_READ, _NOWHERE),
    EventKind(PFN_DIRTY, "pfn-dirty", "ipa - address -", Dependence.HOST_WRITE, _HOST_READ),
    EventKind(MARK_DIRTY, "mark-dirty", "ipa - - -", Dependence.HOST_WRITE,
         (*_HOST_READ, *_TREE_ASKED), feature=Feature(9, Label.WHERE)),
    EventKind(CLEAR_DIRTY, "clear-dirty", "ipa - - -", Dependence.HOST_WRITE, _HOST_WRITTEN,
         feature=Feature(10, Label.WHERE)),
    EventKind(REPORT, "report", "ipa - - by_clear", Dependence.HOST_WRITE, _HOST_WRITTEN),
    EventKind(DCACHE_CLEAN, "dcache-clean", "address size - -", Dependence.EVERYTHING,
         _TREE_ASKED),
    EventKind(ICACHE_INVALIDATE, "icache-invalidate", "address size - -", Dependence.EVERYTHING,
         _TREE_ASKED),
    EventKind(TAGS_CLEAR, "tags-clear", "address size folio -", Dependence.EVERYTHING, _TREE_ASKED),
    EventKind(GUEST_LOAD, "guest-load", "ipa vmid pte -", Dependence.HOST_READ, _HOST_READ),
    EventKind(GUEST_STORE, "guest-store", "ipa old new vmid", Dependence.HOST_WRITE,
         _HOST_WRITTEN),
    EventKind(MMU_BIND, "mmu-bind", "tree before vmid -", Dependence.EVERYTHING, _MOVED),
    EventKind(MMU_LOAD, "mmu-load", "tree - vmid -", Dependence.EVERYTHING, _HOST_READ),
    EventKind(MMU_PUT, "mmu-put", "tree - vmid -", Dependence.EVERYTHING, _HOST_READ),
    EventKind(VNCR_ACCESS, "vncr-access", "ipa kind address -", Dependence.GUEST, _HOST_READ),
    EventKind(VNCR_VALID, "vncr-valid", "vcpu before - -", Dependence.EVERYTHING, _HOST_WRITTEN),
    EventKind(VNCR_MAP, "vncr-map", "cpu writable address -", Dependence.EVERYTHING, _MOVED),
    EventKind(CALL, "call", "ipa size argument request", Dependence.EVERYTHING,
         (Meeting(Place.HOST, Side.WRITES, When.HOST_CALL),
          Meeting(Place.TREE, Side.OTHER, When.TREE_CALL))),
    EventKind(RETURN, "return", "ipa size result code", Dependence.EVERYTHING,
         (Meeting(Place.TLB, Side.WRITES, When.REMOVES),
          Meeting(Place.TREE, Side.OTHER, When.PROMISES),
          Meeting(Place.HOST, Side.WRITES, When.HOST_CALL))),
    EventKind(WARN, "warn", "- - - warning", Dependence.EVERYTHING, _NOWHERE),
    EventKind(THREAD_END, "end", "- - - -", Dependence.EVERYTHING, _NOWHERE),
    EventKind(QUIESCENT, "quiescent", "- - - -", Dependence.EVERYTHING, _NOWHERE),
    EventKind(DEADLOCK, "deadlock", "- - - waiting", Dependence.EVERYTHING, _NOWHERE),
    EventKind(LIMIT, "limit", "- - - limit", Dependence.EVERYTHING, _NOWHERE),
    EventKind(CRASH, "crash", "address - - signal", Dependence.EVERYTHING, _NOWHERE),
    EventKind(HYPERCALL, "hypercall", "pfn gfn vm operation", Dependence.EVERYTHING, _NOWHERE),
    EventKind(HYPERCALL_RETURN, "hypercall-return", "pfn gfn result operation",
         Dependence.EVERYTHING, _NOWHERE, feature=Feature(19, Label.WHERE)),
    EventKind(PAGE_STATE, "page-state", "pfn before state held", Dependence.EVERYTHING, _NOWHERE,
         feature=Feature(20, Label.WHERE)),
    EventKind(TABLE_STORE, "table-store", "location old new tree", Dependence.WRITE, _NOWHERE,
         feature=Feature(21, Label.ENTRY)),
    EventKind(MAPPING, "mapping", "ipa pfn state tree", Dependence.EVERYTHING, _NOWHERE),
    EventKind(SETTLED, "settled", "- - - -", Dependence.EVERYTHING, _NOWHERE),
    EventKind(TLB_KEPT, "tlb-kept", "ipa pfn cpu tree", Dependence.EVERYTHING, _NOWHERE),
    EventKind(HYP_ACCESS, "hyp-access", "pfn - - store", Dependence.EVERYTHING, _NOWHERE),
    EventKind(GIVEN_BACK, "given-back", "pfn vm state dirty", Dependence.EVERYTHING, _NOWHERE),
    EventKind(PAGE_DATA, "page-data", "pfn - value tree", Dependence.EVERYTHING, _NOWHERE),
    EventKind(ENTRY_LEFT, "entry-left", "ipa pfn state tree", Dependence.EVERYTHING, _NOWHERE),
)
# fmt: on
KINDS: Final = {row.number: row for row in _ROWS}
"""Number -> all that is known of the kind."""


def with_field(name: str) -> tuple[int, ...]:
    """The kinds whose first payload field is called ``name``, such as all about an entry."""
    return tuple(row.number for row in _ROWS if row.fields[0] == name)
