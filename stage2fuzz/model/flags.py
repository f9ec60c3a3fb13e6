"""Flags: what kernels of one era do differently, each named for the behaviour it switches."""

from dataclasses import dataclass
from enum import Enum


class PermissionOnly(Enum):
    """What the map path does with a valid leaf that differs in permissions only, or not at all."""

    REWRITE = "break-before-make, whatever the new permissions are; identical: nothing"
    SKIP = "write nothing and return -EAGAIN"
    GREATER = "store in place if numerically greater with XN flipped, else skip"
    UNION = "store the union in place if it differs"


@dataclass(frozen=True, slots=True)
class Flags:
    """The behaviours of one kernel; the defaults are those of v5.10.

    A flag is read where kernels of one era differ by a line or two. What is another algorithm is a
    package or a file of its own, chosen in ``eras``.
    """

    decoupled_writers: bool = False
    """Patch 1: hyp stage 1 and guest stage 2 write their leaves on their own."""
    permission_only: PermissionOnly = PermissionOnly.REWRITE
    """Patch 2, and what its earlier and later versions did in its place."""
    dirty_after_success: bool = False
    """Patch 3: a page is marked dirty only after map or relax succeeded."""
    refused_map_resumes: bool = False
    """Patch 3: -EAGAIN from the map path re-enters the guest and never reaches user space."""
    counts_any_nonzero: bool = False
    """From v5.13: an entry is counted when it is not zero; before, when it is valid."""
    break_writes_zero: bool = False
    """From v5.13: what is broken is zero; before, all bits but VALID stay."""
    put_frees_tables: bool = False
    """From v5.15: an unlinked table is freed by its last reference; before, outright."""
    writes_block_before_free: bool = False
    """From v5.15: a block is written before the table that it replaces is freed."""
    walkers_maintain_caches: bool = False
    """From v5.15: the walkers of map and relax see to the caches; before, the fault handler."""
    apply_range_level: int = 0
    """Level of the largest step of stage2_apply_range; a root entry bounds the step as well."""
    swap_waits_for_notifiers: bool = False
    """From v5.13: new memslots are published while no notifier invalidates anything."""
    relaxes_under_read_lock: bool = False
    """v5.18 to v6.1: while logging, a write permission fault of a page holds the read lock."""
    refuses_beyond: bool = False
    """From v5.19: an access above the guest's IPA space gets an abort; before, it was MMIO."""
    refuses_hyp_remap: bool = False
    """From v6.1: a hyp mapping that differs from what is there is an error, not a warning alone."""
    unhinted_tables: bool = False
    """From v6.1: the TLBI for a removed table carries no level hint."""
    shared_faults: bool = False
    """From v6.2: faults hold mmu_lock shared and mark their page after they dropped it."""
    flushes_slot_by_range: bool = False
    """From v6.6: after write protection a slot is flushed by range, not the whole VMID."""
    splits_eagerly: bool = False
    """From v6.5: the blocks of a slot whose log is switched on are split at once."""
    ignores_change_pte: bool = False
    """From v6.10: a page that KSM replaced comes back by a fault."""
    lost_relax_flushes: bool = False
    """From v6.12: whoever lost the race to relax a leaf flushes it all the same."""
    marks_host_page_under_lock: bool = False
    """From v6.13: the host's page is marked dirty before a shared mmu_lock is dropped."""
    injects_unsupported_atomics: bool = False
    """From v7.0: an unsupported exclusive or atomic is the guest's own fault; before, -EFAULT."""
    injects_external_aborts: bool = False
    """From v6.17: an external abort that firmware does not claim is an SError for the guest."""
    logging_tops_up: bool = False
    """v7.3: while logging, a permission fault of any kind fills its memory cache first."""
