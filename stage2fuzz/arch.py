"""Facts of the Arm manual for stage-2 tables: bits, levels, and the sizes of each granule.

No behaviour lives here. The engines, the window TLB and the oracles all read these names, so that
a dump of a model table can be read by anyone who knows the manual (DDI 0487, chapter D8). What a
granule decides is in ``TranslationGranule``; the constants beside it are those of 4 KiB, the only
one that the model has.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT
PAGE_MASK: Final = -PAGE_SIZE
ENTRIES: Final = 512
ENTRY_SIZE: Final = 8
LAST_LEVEL: Final = 3
SHIFTS: Final = tuple(PAGE_SHIFT + 9 * (LAST_LEVEL - level) for level in range(LAST_LEVEL + 1))
"""By level: how far an address is shifted to number the entries of that level."""
GRANULES: Final = tuple(1 << shift for shift in SHIFTS)
"""By level: bytes that one entry covers, 512 GiB, 1 GiB, 2 MiB and 4 KiB."""


@dataclass(frozen=True, slots=True)
class TranslationGranule:
    """The sizes of one translation granule: pages, tables of one page each, and blocks."""

    name: str
    """As options and engine names have it."""
    page_shift: int
    largest_block: int
    """The first level whose entries may be blocks."""

    @property
    def page_size(self) -> int:
        """Bytes of a page, and of a table."""
        return 1 << self.page_shift

    @property
    def entries(self) -> int:
        """Entries of a table."""
        return self.page_size // ENTRY_SIZE

    @property
    def shifts(self) -> tuple[int, ...]:
        """By level: how far an address is shifted to number the entries of that level."""
        bits = self.page_shift - 3
        return tuple(self.page_shift + bits * (LAST_LEVEL - level) for level in range(4))

    @property
    def sizes(self) -> tuple[int, ...]:
        """By level: bytes that one entry covers."""
        return tuple(1 << shift for shift in self.shifts)


GRANULE_4K: Final = TranslationGranule("4k", 12, 1)
GRANULE_16K: Final = TranslationGranule("16k", 14, 2)
GRANULE_64K: Final = TranslationGranule("64k", 16, 2)
TRANSLATION_GRANULES: Final = (GRANULE_4K, GRANULE_16K, GRANULE_64K)
"""In the order in which a ROOT event numbers them."""


def granule_named(name: str) -> TranslationGranule:
    """The granule of that name; KeyError where there is none."""
    return {each.name: each for each in TRANSLATION_GRANULES}[name]


PTE_VALID: Final = 1 << 0
PTE_TABLE: Final = 1 << 1
"""Bit 1: a table at levels 0 to 2, a page at level 3; a block where it is clear."""
PTE_TYPE: Final = PTE_VALID | PTE_TABLE
PTE_MEMATTR: Final = 0xF << 2
PTE_MEMATTR_NORMAL: Final = 0xF << 2
PTE_MEMATTR_DEVICE: Final = 0x1 << 2
PTE_MEMATTR_FWB_NORMAL: Final = 0x6 << 2
"""With FEAT_S2FWB the field is encoded anew; device memory keeps its value."""
PTE_READ: Final = 1 << 6
PTE_WRITE: Final = 1 << 7
PTE_SHAREABILITY: Final = 0x3 << 8
PTE_INNER_SHAREABLE: Final = 0x3 << 8
PTE_AF: Final = 1 << 10
PTE_DBM: Final = 1 << 51
PTE_CONTIGUOUS: Final = 1 << 52
PTE_XN: Final = 1 << 54
PTE_SOFTWARE: Final = 0xF << 55
PTE_ADDRESS: Final = ((1 << 48) - 1) & ~(PAGE_SIZE - 1)
"""Of larger granules fewer bits, and the others are zero; no address of ours is beyond 48 bits."""
PTE_PERMISSIONS: Final = PTE_READ | PTE_WRITE | PTE_XN
"""What relaxing may change: S2AP read and write, execute-never."""
PTE_IN_PLACE: Final = PTE_PERMISSIONS | PTE_AF | PTE_DBM | PTE_SOFTWARE
"""What may change in a valid entry without break-before-make (rule RWHZWS)."""
PTE_LOCKED: Final = 1 << 10
"""KVM_INVALID_PTE_LOCKED of v6.2 and later: an invalid entry owned by one walker."""
PTE_LOCKED_TYPE: Final = 1 << 60
"""The same where invalid entries have a type in bits 63 to 60 (v7.0 and later)."""

READ: Final = 1
WRITE: Final = 2
EXECUTE: Final = 4
ACCESS_NAMES: Final = {READ: "read", WRITE: "write", EXECUTE: "execute"}
ACCESS_RIGHTS: Final = READ | WRITE | EXECUTE

TABLE_WALK: Final = 1 << 3
"""S1PTW: the access is the stage-1 walker's, to a table of the guest."""
FETCH_WALK: Final = 1 << 4
"""With TABLE_WALK: the walk is an instruction fetch's, so an instruction abort tells of it."""
NO_SYNDROME: Final = 1 << 5
"""ISV is clear: the syndrome does not say which register was loaded or stored."""
CACHE_MAINTENANCE: Final = 1 << 6
"""CM: maintenance by address, whose fault the syndrome calls a write, whatever it needs."""
BEYOND: Final = 1 << 7
"""The address lies above the guest's IPA space."""
UNSUPPORTED_ATOMIC: Final = 1 << 8
"""An exclusive or atomic that the memory's attributes do not support."""
CONSUMED_ERROR: Final = 1 << 9
"""The access meets a synchronous external abort."""
INSTRUCTIONS: Final = {
    "read": READ,
    "write": WRITE,
    "execute": EXECUTE,
    "walk": READ | TABLE_WALK,
    "walk-update": READ | WRITE | TABLE_WALK,
    "fetch-walk": READ | TABLE_WALK | FETCH_WALK,
    "atomic": READ | WRITE | NO_SYNDROME,
    "ldp": READ | NO_SYNDROME,
    "dc-zva": WRITE | NO_SYNDROME,
    "dc-cvac": READ | NO_SYNDROME | CACHE_MAINTENANCE,
    "dc-ivac": WRITE | NO_SYNDROME | CACHE_MAINTENANCE,
    "read-beyond": READ | BEYOND,
    "write-beyond": WRITE | BEYOND,
    "execute-beyond": EXECUTE | BEYOND,
    "ls64": WRITE | NO_SYNDROME | UNSUPPORTED_ATOMIC,
    "sea": READ | NO_SYNDROME | CONSUMED_ERROR,
}
"""What a guest does: the rights that it needs, and what the syndrome of its fault says of it."""
INSTRUCTION_NAMES: Final = {kind: name for name, kind in INSTRUCTIONS.items()}

TRANSLATION: Final = 1
ACCESS_FLAG: Final = 2
PERMISSION: Final = 3
UNSUPPORTED_ACCESS: Final = 4
EXTERNAL_ABORT: Final = 5
FAULT_NAMES: Final = {
    TRANSLATION: "translation",
    ACCESS_FLAG: "access flag",
    PERMISSION: "permission",
    UNSUPPORTED_ACCESS: "unsupported atomic",
    EXTERNAL_ABORT: "external abort",
}


def reported_kind(kind: int, status: int) -> int:
    """READ, WRITE or EXECUTE, as the syndrome of a fault tells it.

    WnR is clear where a read would have faulted as well, so an atomic's first fault is a read's;
    cache maintenance is always called a write.
    """
    if kind & CACHE_MAINTENANCE or (kind & WRITE and not kind & READ):
        return WRITE
    if kind & WRITE and status == PERMISSION:
        return WRITE
    return kind & (READ | EXECUTE)


def is_locked(pte: int) -> bool:
    """Whether this is the marker of a walker that breaks the entry, in either encoding."""
    return pte in (PTE_LOCKED, PTE_LOCKED_TYPE)


def is_valid(pte: int) -> bool:
    """Whether hardware would use this entry at all."""
    return bool(pte & PTE_VALID)


def is_table(pte: int, level: int) -> bool:
    """Whether this entry points to a table of the next level."""
    return level < LAST_LEVEL and pte & PTE_TYPE == PTE_TYPE


def is_leaf(pte: int, level: int) -> bool:
    """Whether this entry is a valid block or page."""
    return bool(pte & PTE_VALID) and not is_table(pte, level)


def address_of(pte: int) -> int:
    """Output address of a leaf, or address of the next table."""
    return pte & PTE_ADDRESS


def rights(pte: int) -> int:
    """The accesses a leaf permits, as a mask of READ, WRITE and EXECUTE."""
    granted = READ if pte & PTE_READ else 0
    if pte & PTE_WRITE:
        granted |= WRITE
    if not pte & PTE_XN:
        granted |= EXECUTE
    return granted


def rights_text(granted: int) -> str:
    """``rwx`` with a dash for each right that is missing."""
    return "".join(
        c if granted & bit else "-" for c, bit in zip("rwx", (READ, WRITE, EXECUTE), strict=True)
    )


_SIZES: Final = {each.page_size: each.sizes for each in TRANSLATION_GRANULES}


def size_text(size: int) -> str:
    """``2M``: a power of two of bytes as engineers write it."""
    unit = max(0, size.bit_length() - 1) // 10
    return f"{size >> 10 * unit}{' KMGT'[unit].strip()}"


@lru_cache(maxsize=4096)
def describe(pte: int, level: int, page_size: int = PAGE_SIZE) -> str:
    """One entry in words an engineer reads: ``page 0x140000000 rw- AF``, ``table 0x10002000``.

    ``page_size`` is the granule's. Cached, since a fuzzer meets the same few entries in the
    verdicts of most of its runs.
    """
    if not pte & PTE_VALID:
        return "invalid" if pte == 0 else ("locked" if is_locked(pte) else f"invalid ({pte:#x})")
    if is_table(pte, level):
        return f"table {address_of(pte):#x}"
    kind = "page" if level == LAST_LEVEL else f"block {size_text(_SIZES[page_size][level])}"
    device = " device" if pte & PTE_MEMATTR == PTE_MEMATTR_DEVICE else ""
    flag = " AF" if pte & PTE_AF else ""
    return f"{kind} {address_of(pte):#x} {rights_text(rights(pte))}{flag}{device}"
