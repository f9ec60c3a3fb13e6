"""The catalogue: every oracle there is, in the order of its number."""

from typing import Final

from stage2fuzz.oracles.a1_break_required import BreakRequired
from stage2fuzz.oracles.a2_break_sequence import BreakSequence
from stage2fuzz.oracles.a3_no_multi_hit import NoMultiHit
from stage2fuzz.oracles.a4_tlbi_scope import TlbiScope
from stage2fuzz.oracles.a5_stage_order import StageOrder
from stage2fuzz.oracles.a6_context import TranslationContext
from stage2fuzz.oracles.a7_contents_first import ContentsFirst
from stage2fuzz.oracles.a8_transactional import Transactional
from stage2fuzz.oracles.a9_well_formed import WellFormed
from stage2fuzz.oracles.b1_unusable_after_return import UnusableAfterReturn
from stage2fuzz.oracles.b2_walker_and_freed_table import WalkerAndFreedTable
from stage2fuzz.oracles.b3_use_after_free import UseAfterFree
from stage2fuzz.oracles.b4_released_page import ReleasedPage
from stage2fuzz.oracles.b5_unlinked_subtree import UnlinkedSubtree
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.c1_refinement import Refinement
from stage2fuzz.oracles.c2_current_page import CurrentPage
from stage2fuzz.oracles.c3_inside_slot import InsideSlot
from stage2fuzz.oracles.c4_readonly_slot import ReadonlySlot
from stage2fuzz.oracles.c5_readonly_host_page import ReadonlyHostPage
from stage2fuzz.oracles.c6_no_downgrade import NoDowngrade
from stage2fuzz.oracles.c7_attributes import Attributes
from stage2fuzz.oracles.c8_instruction_cache import InstructionCache
from stage2fuzz.oracles.c9_mapping_size import MappingSize
from stage2fuzz.oracles.c10_coalesce import Coalesce
from stage2fuzz.oracles.c12_locked_marker import LockedMarker
from stage2fuzz.oracles.c13_hyp_remap import HypRemap
from stage2fuzz.oracles.c14_data_cache import DataCache
from stage2fuzz.oracles.c15_memory_tags import MemoryTags
from stage2fuzz.oracles.c16_set_way import SetWay
from stage2fuzz.oracles.d1_no_lost_dirty import NoLostDirty
from stage2fuzz.oracles.d2_no_spurious_dirty import NoSpuriousDirty
from stage2fuzz.oracles.d3_writable_is_dirty import WritableIsDirty
from stage2fuzz.oracles.d4_logging_start import LoggingStart
from stage2fuzz.oracles.d5_clear_is_exact import ClearIsExact
from stage2fuzz.oracles.d6_young import Young
from stage2fuzz.oracles.d8_host_page_dirty import HostPageDirty
from stage2fuzz.oracles.e1_reference_count import ReferenceCount
from stage2fuzz.oracles.e2_no_leak import NoLeak
from stage2fuzz.oracles.e3_no_double_free import NoDoubleFree
from stage2fuzz.oracles.e4_page_balance import PageBalance
from stage2fuzz.oracles.e5_allocation_context import AllocationContext
from stage2fuzz.oracles.f1_lock_mode import LockMode
from stage2fuzz.oracles.f2_entry_races import EntryRaces
from stage2fuzz.oracles.f5_bounded_hold import BoundedHold
from stage2fuzz.oracles.g1_progress import Progress
from stage2fuzz.oracles.g2_bounded_faults import BoundedFaults
from stage2fuzz.oracles.g3_needless_break import NeedlessBreak
from stage2fuzz.oracles.g4_no_deadlock import NoDeadlock
from stage2fuzz.oracles.g5_right_exit import RightExit
from stage2fuzz.oracles.g6_relax_takes_effect import RelaxTakesEffect
from stage2fuzz.oracles.g7_memslot_answer import MemslotAnswer
from stage2fuzz.oracles.h1_one_owner import OneOwner
from stage2fuzz.oracles.h2_counts import Counts
from stage2fuzz.oracles.h3_views_agree import ViewsAgree
from stage2fuzz.oracles.h4_no_stale_tlb import NoStaleTlb
from stage2fuzz.oracles.h5_own_pages import OwnPages
from stage2fuzz.oracles.h6_all_back import AllBack
from stage2fuzz.oracles.h7_no_old_data import NoOldData
from stage2fuzz.oracles.h8_lockset import EL2Lockset
from stage2fuzz.oracles.h9_lock_order import EL2LockOrder
from stage2fuzz.oracles.h10_hyp_touches import HypTouches
from stage2fuzz.oracles.h11_vcpu_loads import VcpuLoads
from stage2fuzz.oracles.h12_success_is_done import SuccessIsDone
from stage2fuzz.oracles.kernel_warnings import KernelCrash, KernelWarning
from stage2fuzz.oracles.n1_shadow_within import ShadowWithin
from stage2fuzz.oracles.n2_guest_tlbi import GuestTlbi
from stage2fuzz.oracles.n3_shadow_reference import ShadowReference
from stage2fuzz.oracles.n4_pending_unmap import PendingUnmap
from stage2fuzz.oracles.n5_shadow_dirty import ShadowDirty
from stage2fuzz.oracles.n6_vncr_page import VncrPage
from stage2fuzz.oracles.n7_vncr_lock import VncrLock

ORACLES: Final[tuple[type[Oracle], ...]] = (
    BreakRequired,
    BreakSequence,
    NoMultiHit,
    TlbiScope,
    StageOrder,
    TranslationContext,
    ContentsFirst,
    Transactional,
    WellFormed,
    UnusableAfterReturn,
    WalkerAndFreedTable,
    UseAfterFree,
    ReleasedPage,
    UnlinkedSubtree,
    Refinement,
    CurrentPage,
    InsideSlot,
    ReadonlySlot,
    ReadonlyHostPage,
    NoDowngrade,
    Attributes,
    InstructionCache,
    MappingSize,
    Coalesce,
    LockedMarker,
    HypRemap,
    DataCache,
    MemoryTags,
    SetWay,
    NoLostDirty,
    NoSpuriousDirty,
    WritableIsDirty,
    LoggingStart,
    ClearIsExact,
    Young,
    HostPageDirty,
    ReferenceCount,
    NoLeak,
    NoDoubleFree,
    PageBalance,
    AllocationContext,
    LockMode,
    EntryRaces,
    BoundedHold,
    Progress,
    BoundedFaults,
    NeedlessBreak,
    NoDeadlock,
    RightExit,
    RelaxTakesEffect,
    MemslotAnswer,
    ShadowWithin,
    GuestTlbi,
    ShadowReference,
    PendingUnmap,
    ShadowDirty,
    VncrPage,
    VncrLock,
    KernelWarning,
    KernelCrash,
)
OWNERSHIP: Final[tuple[type[Oracle], ...]] = (
    OneOwner,
    Counts,
    ViewsAgree,
    NoStaleTlb,
    OwnPages,
    AllBack,
    NoOldData,
    EL2Lockset,
    EL2LockOrder,
    HypTouches,
    VcpuLoads,
    SuccessIsDone,
)
"""Those of pKVM's EL2, which is another machine: no run has to do with both kinds."""
EVERYWHERE: Final[tuple[type[Oracle], ...]] = (KernelWarning, KernelCrash, NoDeadlock)
"""Those of ``ORACLES`` that EL2 is asked about, too."""
CATALOGUE: Final = tuple((o.oracle, o.rule, o.category, o.why) for o in (*ORACLES, *OWNERSHIP))
"""(id, rule, category, one line why) of every oracle."""
