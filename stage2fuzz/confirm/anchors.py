"""Anchors: places in the kernel where a thread can be held, found by function name in any image.

A schedule of points belongs to one build of our engine; an anchor is a function that every kernel
from 5.10 to 7.3 calls at the same place of its work. Each names the event that is about to happen
(or, for two of them, has just happened) when a thread stands there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event


class Anchor(StrEnum):
    """Where a thread may be held."""

    ITEM = "item"
    """Before an access or a host operation, in user space; after the last one: all is done."""
    FAULT = "fault"
    """The fault was taken; the memslot has not been looked up yet."""
    SAMPLE = "sample"
    """The notifier's sequence is about to be sampled; a statement, so only by source line."""
    LOOK_UP = "look-up"
    """Slot and sequence were read; the host page is about to be looked up."""
    LOOKED_UP = "looked up"
    """The host page was looked up; mmu_lock has not been taken yet."""
    LOCK = "lock"
    """A fault is about to take mmu_lock; a statement, so only by source line."""
    RESUME = "resume"
    """The fault was handled; the guest is about to be re-entered."""
    PUBLISHED = "published"
    """New memslots were published, and their thread waits for the readers of the old ones."""
    COMMIT = "commit"
    """The readers of the old memslots are gone; ends a hold at PUBLISHED where there were none."""
    GRACE = "grace period"
    """A worker of the kernel looks whether the readers are gone; never a thread's own place."""
    MAP = "map"
    RELAX = "relax"
    WRPROTECT = "write-protect"
    UNMAP = "unmap"
    MKYOUNG = "make young"
    SPLIT = "split"
    FLUSH_PAGE = "flush of an entry"
    FLUSH_ALL = "flush of a VMID"
    MARK_DIRTY = "mark dirty"
    INVALIDATE_START = "invalidate start"
    INVALIDATE_END = "invalidate end"


FUNCTIONS: Final[dict[Anchor, tuple[str, ...]]] = {
    Anchor.ITEM: ("__arm64_sys_sched_rr_get_interval",),
    Anchor.FAULT: ("kvm_handle_guest_abort",),
    Anchor.LOOK_UP: ("__kvm_faultin_pfn", "__gfn_to_pfn_memslot"),
    Anchor.PUBLISHED: ("synchronize_srcu_expedited",),
    Anchor.COMMIT: ("kvm_arch_commit_memory_region",),
    Anchor.GRACE: ("process_srcu",),
    Anchor.MAP: ("kvm_pgtable_stage2_map",),
    Anchor.RELAX: ("kvm_pgtable_stage2_relax_perms",),
    Anchor.WRPROTECT: ("kvm_pgtable_stage2_wrprotect",),
    Anchor.UNMAP: ("kvm_pgtable_stage2_unmap",),
    Anchor.MKYOUNG: ("kvm_pgtable_stage2_mkyoung",),
    Anchor.SPLIT: ("kvm_pgtable_stage2_split",),
    Anchor.FLUSH_PAGE: ("__kvm_tlb_flush_vmid_ipa",),
    Anchor.FLUSH_ALL: ("__kvm_tlb_flush_vmid",),
    Anchor.MARK_DIRTY: ("mark_page_dirty_in_slot",),
    Anchor.INVALIDATE_START: ("kvm_mmu_notifier_invalidate_range_start",),
    Anchor.INVALIDATE_END: ("kvm_mmu_notifier_invalidate_range_end",),
}
"""The first of the names that a kernel has is the anchor."""
RETURNS: Final = {Anchor.RESUME: Anchor.FAULT, Anchor.LOOKED_UP: Anchor.LOOK_UP}
"""Anchors that are where another one's function returns to."""

STATEMENTS: Final = frozenset((Anchor.SAMPLE, Anchor.LOCK))
"""Anchors of a kernel whose source lines are known; see lines.py."""

_CALLS: Final = {
    ev.CALL_MAP: Anchor.MAP,
    ev.CALL_RELAX: Anchor.RELAX,
    ev.CALL_WRPROTECT: Anchor.WRPROTECT,
    ev.CALL_UNMAP: Anchor.UNMAP,
    ev.CALL_MKYOUNG: Anchor.MKYOUNG,
    ev.CALL_SPLIT: Anchor.SPLIT,
    ev.CALL_INVALIDATE_START: Anchor.INVALIDATE_START,
    ev.CALL_INVALIDATE_FINISH: Anchor.INVALIDATE_END,
}
_AFTER: Final = {
    ev.SLOT: Anchor.PUBLISHED,
    ev.PIN: Anchor.LOOKED_UP,
    ev.RESUME: Anchor.RESUME,
}
_FLUSHES: Final = {
    ev.TLBI_IPAS2E1: Anchor.FLUSH_PAGE,
    ev.TLBI_VMALLS12E1: Anchor.FLUSH_ALL,
}


def anchor_before(event: Event) -> Anchor | None:
    """The anchor at which a thread stands before it does ``event``, if there is one."""
    kind, _thread, _where, _old, _new, aux = event
    if kind == ev.FAULT:
        return Anchor.FAULT
    if kind == ev.PIN:
        return Anchor.LOOK_UP
    if kind == ev.SEQ_READ:
        return Anchor.SAMPLE
    if kind == ev.LOCK and event[2] == ev.LOCK_MMU:
        return Anchor.LOCK
    if kind == ev.CALL:
        return _CALLS.get(aux & ev.CALL_CODE)
    if kind == ev.TLBI and aux & ev.TLBI_BROADCAST:
        return _FLUSHES.get(aux & ev.TLBI_OPERATION)
    return Anchor.MARK_DIRTY if kind == ev.MARK_DIRTY else None


def anchor_after(event: Event) -> Anchor | None:
    """The anchor at which a thread stands when ``event`` has just happened."""
    return _AFTER.get(event[0])


def wanted_symbols() -> list[str]:
    """The names of all functions that may serve as an anchor."""
    return [name for names in FUNCTIONS.values() for name in names]


def resolve(symbols: Mapping[str, int], image: str) -> dict[Anchor, int]:
    """The address of each anchor the image has; InputError where not even one can be held at."""
    found: dict[Anchor, int] = {}
    for anchor, names in FUNCTIONS.items():
        here = [symbols[name] for name in names if name in symbols]
        if here:
            found[anchor] = here[0]
    if not {Anchor.ITEM, *RETURNS.values()} <= found.keys():
        right = "a kernel with CONFIG_KALLSYMS and KVM built in (Debian's cloud kernels have both)"
        raise InputError(image, "lacks the symbols that a thread is held by", right)
    return found
