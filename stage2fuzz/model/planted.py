"""Planted bugs: named faults, off by default, that prove the oracles can see.

A bug is out of line: ``spoil`` registers, in a ``planted`` file beside the function that it spoils,
what is called in that function's place (``link`` puts it there, as ``ld --wrap`` does), so that the
kernel's code reads as the kernel's. A bug fits every revision that calls a function it spoils.
Tests and benchmarks use them; ``model:v5.12!missing-tlbi`` is an engine name like any other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from stage2fuzz.errors import ModelError

KernelFunction = Callable[..., Any]

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
    "host_page_never_dirty": ("D8",),
    "host_page_dirty_late": ("D8",),
    "no_retry": ("C2", "B4"),
    "sequence_after_lookup": ("C2", "B4"),
    "sequence_after_the_mmap_lock": ("C2",),
    "relax_drops_a_bit": ("C6",),
    "relax_without_tlbi": ("G6",),
    "relax_flushes_the_next_page": ("G6",),
    "refused_relax_without_tlbi": ("G6",),
    "relax_of_nothing_succeeds": ("D2",),
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
    "split_page_as_huge": ("C9",),
    "executable_device": ("C7",),
    "no_icache_invalidate": ("C8",),
    "no_dcache_clean": ("C14",),
    "unmap_without_dcache_clean": ("C14",),
    "page_not_released": ("E4",),
    "unsupported_atomic_keeps_the_page": ("E4",),
    "table_walk_is_a_write": ("G5",),
    "no_topup": ("E5",),
    "caches_on_without_clean": ("C16",),
    "set_way_forgets_to_trap": ("C16",),
    "memslot_checks_nothing": ("G7",),
    "refused_map_exits": ("G5",),
    "fault_without_lock": ("F1",),
    "clear_without_wrprotect": ("D1", "D3", "D5"),
    "hyp_rewrites_in_place": ("C13",),
    "plain_store_while_shared": ("F2",),
    "child_freed_at_once": ("B3", "B2"),
    "deferred_free_frees_nothing": ("E2",),
    "entry_below_a_table_unlinked": ("B5",),
    "wrprotect_of_nothing": ("C1",),
    "split_breaks_first": ("C12",),
    "locked_marker_stays": ("C12",),
}
"""Planted bug -> oracles of which at least one must report it."""
NAMES: Final = tuple(MUST_CATCH)


@dataclass(frozen=True, slots=True)
class Spoil:
    """One function that a bug spoils."""

    bug: str
    target: KernelFunction
    """The kernel's function; the bug fits where it is called."""
    within: tuple[KernelFunction, ...]
    """Only calls from these functions are spoiled; empty: all calls."""
    wrapper: KernelFunction
    """Called in the place of ``target``, with ``target`` before its arguments."""


@dataclass(frozen=True, slots=True)
class FlagSpoil:
    """A bug that is another kernel's behaviour, and so no more than a flag."""

    bug: str
    target: KernelFunction
    """The kernel's function that reads the flag; the bug fits where it is called."""
    flags: dict[str, Any]


SPOILS: Final[list[Spoil]] = []
FLAG_SPOILS: Final[list[FlagSpoil]] = []


def spoil(
    bug: str, target: KernelFunction, within: tuple[KernelFunction, ...] = ()
) -> Callable[[KernelFunction], KernelFunction]:
    """Register what is called in the place of ``target``; one bug may spoil several functions."""
    _check(bug)

    def register(wrapper: KernelFunction) -> KernelFunction:
        SPOILS.append(Spoil(bug, target, within, wrapper))
        return wrapper

    return register


def spoil_flags(bug: str, target: KernelFunction, **flags: Any) -> None:
    """Register the flags that a bug changes, and the function that reads them."""
    _check(bug)
    FLAG_SPOILS.append(FlagSpoil(bug, target, flags))


def nothing(_target: KernelFunction, *_arguments: Any) -> None:
    """The step is forgotten."""


def _check(bug: str) -> None:
    if bug not in MUST_CATCH:
        raise ModelError(f"no oracle is named for the planted bug {bug}")
