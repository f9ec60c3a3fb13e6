"""The eras: for each revision the page-table package, the fault handler, and its flags.

A new kernel version is a row here, a flag where it differs by a line (``flags``), and a package or
file where it differs by an algorithm.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from stage2fuzz.model import pgtable, pgtable_shared
from stage2fuzz.model.flags import Flags, PermissionOnly
from stage2fuzz.model.kvm_pgtable import Pgtable
from stage2fuzz.model.mmu import abort_v5_10, abort_v5_15
from stage2fuzz.model.mmu.kvm import Mmu


@dataclass(frozen=True, slots=True)
class Era:
    """What one kernel consists of."""

    pgtable: Pgtable
    mmu: Mmu
    flags: Flags


PATCHES: Final[dict[str, dict[str, Any]]] = {
    "p1": {"decoupled_writers": True},
    "p2": {"permission_only": PermissionOnly.SKIP},
    "p3": {"dirty_after_success": True, "refused_map_resumes": True},
}
"""Patch of the series -> the flags that it sets on v5.10."""

_V5_10: Final = Flags()
_SERIES_V1: Final = replace(_V5_10, decoupled_writers=True, permission_only=PermissionOnly.GREATER)
_SERIES_V4: Final = replace(_SERIES_V1, permission_only=PermissionOnly.UNION)
_V5_12: Final = replace(_V5_10, **PATCHES["p1"], **PATCHES["p2"], **PATCHES["p3"])
_V5_15: Final = replace(
    _V5_12,
    counts_any_nonzero=True,
    break_writes_zero=True,
    put_frees_tables=True,
    writes_block_before_free=True,
    walkers_maintain_caches=True,
    apply_range_level=1,
    swap_waits_for_notifiers=True,
)
_SINCE_V6_1: Final = replace(
    _V5_15, refuses_hyp_remap=True, refuses_beyond=True, unhinted_tables=True
)
_V6_1: Final = replace(_SINCE_V6_1, relaxes_under_read_lock=True)
_V6_6: Final = replace(
    _SINCE_V6_1, shared_faults=True, flushes_slot_by_range=True, splits_eagerly=True
)
_V6_12: Final = replace(_V6_6, ignores_change_pte=True, lost_relax_flushes=True)
_V7_3: Final = replace(
    _V6_12,
    logging_tops_up=True,
    marks_host_page_under_lock=True,
    injects_unsupported_atomics=True,
    injects_external_aborts=True,
)

ERAS: Final[dict[str, Era]] = {
    "v5.10": Era(pgtable, abort_v5_10, _V5_10),
    "series-v1": Era(pgtable, abort_v5_10, _SERIES_V1),
    "series-v2": Era(pgtable, abort_v5_10, _V5_12),
    "series-v4": Era(pgtable, abort_v5_10, _SERIES_V4),
    "v5.12": Era(pgtable, abort_v5_10, _V5_12),
    "v5.15": Era(pgtable, abort_v5_15, _V5_15),
    "v6.1": Era(pgtable, abort_v5_15, _V6_1),
    "v6.6": Era(pgtable_shared, abort_v5_15, _V6_6),
    "v6.12": Era(pgtable_shared, abort_v5_15, _V6_12),
    "v7.3": Era(pgtable_shared, abort_v5_15, _V7_3),
}
"""Revision -> what it consists of; the order is the one in which they are listed."""
