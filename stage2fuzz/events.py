"""Events: the one language of engines and oracles.

An event is a plain tuple of six integers ``(kind, thread, where, old, new, aux)``, because a run
records about a hundred of them and tens of thousands of runs are judged a second. ``FIELDS`` says
what the four payload fields of each kind mean; reports, JSON and the C engine's 32-byte record are
all read through that table. An event is recorded *at* its step: it is what just happened, and
everything before it in the list happened earlier in the run's total order.

Threads are numbered vCPUs first, then host threads. Thread ``i`` runs on processing element ``i``.
``SETUP`` (-1) is the thread of the events that describe the scenario before anything runs.
"""

from typing import Final

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
# Calls, results, ends.
CALL: Final = 80
RETURN: Final = 81
WARN: Final = 82
THREAD_END: Final = 83
QUIESCENT: Final = 84
DEADLOCK: Final = 85
LIMIT: Final = 86
CRASH: Final = 87

#: kind -> (name, meaning of where, old, new, aux). "-" is a field that is always zero.
FIELDS: Final[dict[int, tuple[str, str, str, str, str]]] = {
    ROOT: ("root", "first root table page", "start level", "VMID", "IPA bits, or'ed with ROOT_*"),
    SLOT: ("slot", "first IPA", "bytes (0: deleted)", "SLOT_* flags", "slot number"),
    BACKING: ("backing", "first IPA", "bytes", "host physical address", "HOST_* flags"),
    WALK: ("walk", "entry address", "-", "descriptor used", "level"),
    HIT: ("hit", "IPA", "-", "cached leaf used", "level"),
    ACCESS: ("access", "IPA", "READ, WRITE or EXECUTE", "physical address", "number of the access"),
    FAULT: ("fault", "IPA", "READ, WRITE or EXECUTE", "TRANSLATION, ...", "level"),
    RESUME: (
        "resume",
        "IPA",
        "READ, WRITE or EXECUTE",
        "1 guest, 0 MMIO, <0 error",
        "1: page of no slot",
    ),
    HARDWARE_AF: ("hardware-af", "entry address", "value before", "value after", "level"),
    LOAD: ("load", "entry address", "-", "value read", "-"),
    STORE: ("store", "entry address", "value before", "value after", "ORDER_*, or'ed with PENDING"),
    CAS_FAIL: ("cmpxchg-fail", "entry address", "value found", "value wanted", "-"),
    DRAIN: ("drain", "entry address", "visible value before", "value now visible", "-"),
    ALLOC: ("alloc", "table page", "-", "-", "0: memory cache, 1: system"),
    ZERO: ("zero", "table page", "-", "-", "-"),
    FREE: ("free", "table page", "-", "-", "-"),
    FREE_DEFERRED: ("free-deferred", "table page", "-", "-", "-"),
    GET: ("get-page", "table page", "-", "count after", "-"),
    PUT: ("put-page", "table page", "-", "count after", "-"),
    TOPUP: ("topup", "-", "pages wanted", "0 or a negative errno", "-"),
    LOCK: ("lock", "LOCK_*", "-", "-", "0: exclusive, 1: shared"),
    UNLOCK: ("unlock", "LOCK_*", "-", "-", "0: exclusive, 1: shared"),
    RCU_LOCK: ("rcu-lock", "-", "-", "-", "-"),
    RCU_UNLOCK: ("rcu-unlock", "-", "-", "-", "-"),
    DSB: ("dsb", "-", "-", "-", "DSB_*"),
    ISB: ("isb", "-", "-", "-", "-"),
    TLBI: ("tlbi", "IPA (0 for whole-VMID forms)", "bytes (0: one entry)", "VMID", "tlbi_aux()"),
    CONTEXT: ("context", "-", "VMID before", "VMID now in VTTBR_EL2", "-"),
    SEQ_READ: ("seq-read", "-", "-", "mmu_notifier_seq", "-"),
    RETRY: ("retry-check", "-", "sequence sampled", "1: retry", "-"),
    INVALIDATE_BEGIN: ("invalidate-begin", "first IPA", "bytes", "count after", "-"),
    INVALIDATE_END: ("invalidate-end", "first IPA", "bytes", "sequence after", "-"),
    PIN: (
        "pin",
        "IPA of the page",
        "HOST_WRITE if a write was asked",
        "host address",
        "HOST_* flags",
    ),
    UNPIN: ("unpin", "IPA of the page", "-", "host address", "-"),
    PFN_DIRTY: ("pfn-dirty", "IPA of the page", "-", "host address", "-"),
    MARK_DIRTY: ("mark-dirty", "IPA of the page", "-", "-", "-"),
    CLEAR_DIRTY: ("clear-dirty", "IPA of the page", "-", "-", "-"),
    REPORT: ("report", "IPA of the page", "-", "-", "0: by get, 1: by clear"),
    DCACHE_CLEAN: ("dcache-clean", "host address", "bytes", "-", "-"),
    ICACHE_INVALIDATE: ("icache-invalidate", "host address", "bytes", "-", "-"),
    CALL: ("call", "first IPA", "bytes", "argument", "CALL_*, or'ed with PROT_* << 8"),
    RETURN: ("return", "first IPA", "bytes", "result", "CALL_*"),
    WARN: ("warn", "-", "-", "-", "WARN_*"),
    THREAD_END: ("end", "-", "-", "-", "-"),
    QUIESCENT: ("quiescent", "-", "-", "-", "-"),
    DEADLOCK: ("deadlock", "-", "-", "-", "bit mask of the threads that wait"),
    LIMIT: ("limit", "-", "-", "-", "LIMIT_*"),
    CRASH: ("crash", "faulting address", "-", "-", "signal number"),
}

ROOT_BITS: Final = 0xFF
ROOT_DIC: Final = 1 << 8
"""CTR_EL0.DIC: executable leaves need no instruction-cache invalidation."""
ROOT_FWB: Final = 1 << 9
SLOT_READONLY: Final = 1
SLOT_LOGGING: Final = 2
HOST_READ: Final = 1
HOST_WRITE: Final = 2
HOST_DEVICE: Final = 4
HOST_POISON: Final = 8
HOST_ABSENT: Final = 16

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

LOCK_MMU: Final = 1
LOCK_MMAP: Final = 2
LOCK_HYP: Final = 3
LOCK_SLOTS: Final = 4

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
CALL_CODE: Final = 0xFF
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
}

WARN_LEAF_AT_LAST_LEVEL: Final = 1
WARN_HYP_REMAP: Final = 2
WARN_TABLE_OVER_VALID: Final = 3
WARN_REFCOUNT: Final = 4
WARN_OTHER: Final = 5
WARN_BUG: Final = 6

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

EPERM: Final = 1
ENOENT: Final = 2
E2BIG: Final = 7
ENOEXEC: Final = 8
EAGAIN: Final = 11
ENOMEM: Final = 12
EFAULT: Final = 14
EINVAL: Final = 22
ERANGE: Final = 34


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


def tlbi_level(aux: int) -> int:
    """The TTL level hint of a TLBI, -1 where none was given."""
    return (aux >> 8) - 1
