"""Planted bugs: named faults, off by default, that prove the oracles can see.

Each is a boolean read at the one place in the engine that it spoils, and names the oracles of
which at least one must catch it. Tests and benchmarks use them; ``model:v5.12!missing-tlbi`` is an
engine name like any other.
"""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Planted:
    """All switches; the names are the engine names' suffixes with dashes for underscores."""

    missing_dsb_before_tlbi: bool = False
    missing_dsb_after_tlbi: bool = False
    missing_final_dsb: bool = False
    missing_tlbi: bool = False
    missing_stage1_tlbi: bool = False
    tlbi_of_the_wrong_page: bool = False
    tlbi_with_the_wrong_level: bool = False
    local_tlbi: bool = False
    tlbi_without_context: bool = False
    no_break_on_remap: bool = False
    plain_table_link: bool = False
    link_before_zeroing: bool = False
    count_kept_on_rewrite: bool = False
    count_dropped_twice: bool = False
    unlock_before_tlbi: bool = False
    mark_before_success: bool = False
    no_dirty_mark: bool = False
    no_retry: bool = False
    sequence_after_lookup: bool = False
    relax_drops_a_bit: bool = False
    relax_without_tlbi: bool = False
    relax_at_the_wrong_level: bool = False
    free_before_flush: bool = False
    collapse_flushes_by_ipa: bool = False
    collapse_leaks_the_child: bool = False
    wrprotect_without_flush: bool = False
    wrprotect_skips_a_page: bool = False
    unmap_skips_a_page: bool = False
    unmap_without_tlbi: bool = False
    writable_in_readonly_slot: bool = False
    block_beyond_the_slot: bool = False
    block_while_logging: bool = False
    executable_device: bool = False
    no_icache_invalidate: bool = False
    page_not_released: bool = False
    no_topup: bool = False
    refused_map_exits: bool = False
    fault_without_lock: bool = False
    clear_without_wrprotect: bool = False
    hyp_rewrites_in_place: bool = False
    plain_store_while_shared: bool = False
    child_freed_at_once: bool = False
    locked_marker_stays: bool = False


MUST_CATCH: Final[dict[str, tuple[str, ...]]] = {
    "missing_dsb_before_tlbi": ("A2",),
    "missing_dsb_after_tlbi": ("A2", "A5"),
    "missing_final_dsb": ("A2",),
    "missing_tlbi": ("A2", "A3", "B1"),
    "missing_stage1_tlbi": ("A2", "B1"),
    "tlbi_of_the_wrong_page": ("A2", "A4"),
    "tlbi_with_the_wrong_level": ("A2", "A4"),
    "local_tlbi": ("A2", "A4"),
    "tlbi_without_context": ("A6",),
    "no_break_on_remap": ("A1",),
    "plain_table_link": ("A7",),
    "link_before_zeroing": ("A7",),
    "count_kept_on_rewrite": ("E1", "E2"),
    "count_dropped_twice": ("E1", "E3"),
    "unlock_before_tlbi": ("F1", "B1"),
    "mark_before_success": ("D2",),
    "no_dirty_mark": ("D1", "D3"),
    "no_retry": ("C2", "B4"),
    "sequence_after_lookup": ("C2", "B4"),
    "relax_drops_a_bit": ("C6",),
    "relax_without_tlbi": ("G1", "G2"),
    "relax_at_the_wrong_level": ("C9", "C1"),
    "free_before_flush": ("B2",),
    "collapse_flushes_by_ipa": ("A4", "A3"),
    "collapse_leaks_the_child": ("E2", "C10"),
    "wrprotect_without_flush": ("B1", "D1", "D3", "D4"),
    "wrprotect_skips_a_page": ("D1", "D3", "D4", "D5", "C1"),
    "unmap_skips_a_page": ("C1", "B1", "B4"),
    "unmap_without_tlbi": ("B1", "A2"),
    "writable_in_readonly_slot": ("C4",),
    "block_beyond_the_slot": ("C3", "C9"),
    "block_while_logging": ("C9",),
    "executable_device": ("C7",),
    "no_icache_invalidate": ("C8",),
    "page_not_released": ("E4",),
    "no_topup": ("E5", "G5"),
    "refused_map_exits": ("G5",),
    "fault_without_lock": ("F1",),
    "clear_without_wrprotect": ("D1", "D3", "D5"),
    "hyp_rewrites_in_place": ("C13",),
    "plain_store_while_shared": ("F2",),
    "child_freed_at_once": ("B3", "B2"),
    "locked_marker_stays": ("C12",),
}
"""Planted bug -> oracles of which at least one must report it."""

SHARED_ONLY: Final = (
    "plain_store_while_shared",
    "child_freed_at_once",
    "locked_marker_stays",
)
"""Bugs of the walks that share the lock: v6.12 only."""
IN_BOTH_ERAS: Final = (
    "missing_dsb_before_tlbi",
    "missing_dsb_after_tlbi",
    "missing_final_dsb",
    "missing_tlbi",
    "missing_stage1_tlbi",
    "tlbi_of_the_wrong_page",
    "tlbi_with_the_wrong_level",
    "tlbi_without_context",
    "plain_table_link",
    "unlock_before_tlbi",
    "no_dirty_mark",
    "no_retry",
    "relax_without_tlbi",
    "wrprotect_without_flush",
    "unmap_without_tlbi",
    "page_not_released",
    "no_icache_invalidate",
    "no_topup",
    "clear_without_wrprotect",
    "hyp_rewrites_in_place",
)
"""Bugs of what both eras use or do alike; the others spoil code that v6.12 no longer has."""
NAMES: Final = tuple(field.name for field in fields(Planted))
EXCLUSIVE_NAMES: Final = tuple(name for name in NAMES if name not in SHARED_ONLY)
NONE: Final = Planted()
