"""Revisions: which kernel the model is, as data read at the few places that differ.

``v5.10`` is the base of the series; ``+p1``, ``+p2``, ``+p3`` apply its patches in any subset;
``series-v1``, ``series-v2`` and ``series-v4`` are what the posted versions really did.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.model.planted import EXCLUSIVE_NAMES, IN_BOTH_ERAS, NONE, SHARED_ONLY, Planted


class PermissionOnly(Enum):
    """What the map path does with a valid leaf that differs in permissions only, or not at all."""

    REWRITE = "break-before-make, whatever the new permissions are; identical: nothing"
    SKIP = "write nothing and return -EAGAIN"
    GREATER = "store in place if numerically greater with XN flipped, else skip"
    UNION = "store the union in place if it differs"


@dataclass(frozen=True, slots=True)
class Revision:
    """One kernel behaviour."""

    name: str
    decoupled_writers: bool = False
    """Patch 1: hyp stage 1 and guest stage 2 write their leaves on their own."""
    permission_only: PermissionOnly = PermissionOnly.REWRITE
    dirty_after_success: bool = False
    """Patch 3: mark only after map or relax succeeded, and re-enter the guest on -EAGAIN."""
    swap_waits: bool = False
    """From v5.13 new memslots are published while no notifier invalidates anything."""
    cleared_entries: bool = False
    """From v5.15: what is broken is zero, the walkers see to the caches, and what a fault saw at
    its start decides; an era of its own (``eras``)."""
    shared_relax: bool = False
    """v6.1: while logging, a write permission fault of a page holds the read lock."""
    hyp_remap_fails: bool = False
    """From v6.1 a refused hyp remap is an error too."""
    unhinted_tables: bool = False
    """From v6.1 the TLBI for a removed table carries no level hint."""
    shared_faults: bool = False
    """From v6.6: faults share mmu_lock and meet in the entries; an era of its own (``eras``)."""
    no_change_pte: bool = False
    """From v6.10 a page that KSM replaced comes back by a fault."""
    lost_relax_flushes: bool = False
    """From v6.12 whoever lost the race to relax a leaf flushes it all the same."""
    logging_tops_up: bool = False
    """v7.3: while logging, a permission fault of any kind fills its memory cache first."""
    planted: Planted = NONE


BASE: Final = Revision("v5.10")
PATCHES: Final[dict[str, dict[str, object]]] = {
    "p1": {"decoupled_writers": True},
    "p2": {"permission_only": PermissionOnly.SKIP},
    "p3": {"dirty_after_success": True},
}
_SERIES: Final[dict[str, object]] = {
    "decoupled_writers": True,
    "permission_only": PermissionOnly.SKIP,
    "dirty_after_success": True,
}
_V5_15: Final = _SERIES | {"cleared_entries": True, "swap_waits": True}
_V6_1: Final = _V5_15 | {"hyp_remap_fails": True, "unhinted_tables": True}
_V6_6: Final = _V6_1 | {"shared_faults": True}
_V6_12: Final = _V6_6 | {"no_change_pte": True, "lost_relax_flushes": True}
NAMED: Final[dict[str, Revision]] = {
    "v5.10": BASE,
    "series-v1": Revision("series-v1", True, PermissionOnly.GREATER),
    "series-v2": replace(BASE, name="series-v2", **_SERIES),  # type: ignore[arg-type]
    "series-v4": Revision("series-v4", True, PermissionOnly.UNION),
    "v5.12": replace(BASE, name="v5.12", **_SERIES),  # type: ignore[arg-type]
    "v5.15": replace(BASE, name="v5.15", **_V5_15),  # type: ignore[arg-type]
    "v6.1": replace(BASE, name="v6.1", shared_relax=True, **_V6_1),  # type: ignore[arg-type]
    "v6.6": replace(BASE, name="v6.6", **_V6_6),  # type: ignore[arg-type]
    "v6.12": replace(BASE, name="v6.12", **_V6_12),  # type: ignore[arg-type]
    "v7.3": replace(BASE, name="v7.3", logging_tops_up=True, **_V6_12),  # type: ignore[arg-type]
}


def parse_revision(text: str) -> Revision:
    """``v5.10+p1+p2!missing-tlbi`` -> Revision; InputError names what is known."""
    body, *bugs = text.split("!")
    base, *patches = body.split("+")
    if base not in NAMED:
        raise InputError(f"model:{text}", f"unknown revision {base!r}", known_revisions())
    revision = NAMED[base]
    if patches and base != "v5.10":
        raise InputError(f"model:{text}", "patches apply to v5.10 only", "v5.10+p1+p2+p3")
    changes: dict[str, object] = {}
    for patch in patches:
        if patch not in PATCHES:
            raise InputError(f"model:{text}", f"unknown patch {patch!r}", "known: p1, p2, p3")
        changes |= PATCHES[patch]
    switches: dict[str, bool] = {}
    right = IN_BOTH_ERAS if revision.cleared_entries else EXCLUSIVE_NAMES
    if revision.shared_faults:
        right = (*right, *SHARED_ONLY)
    for bug in bugs:
        name = bug.replace("-", "_")
        if name not in right:
            known = ", ".join(n.replace("_", "-") for n in right)
            raise InputError(f"model:{text}", f"unknown planted bug {bug!r}", f"known: {known}")
        switches[name] = True
    if switches:
        changes["planted"] = Planted(**switches)
    return replace(revision, name=text, **changes) if changes else revision  # type: ignore[arg-type]


def known_revisions() -> str:
    """The names a person may type, for messages."""
    return f"known: {', '.join(NAMED)}, and v5.10 with any of +p1 +p2 +p3"
