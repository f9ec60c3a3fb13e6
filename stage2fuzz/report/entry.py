"""A table entry field by field, before and after a write: what the words of a step sum up."""

from dataclasses import dataclass
from typing import Final

from stage2fuzz.arch import (
    PAGE_SIZE,
    PTE_ADDRESS,
    PTE_AF,
    PTE_CONTIGUOUS,
    PTE_DBM,
    PTE_MEMATTR,
    PTE_PERMISSIONS,
    PTE_READ,
    PTE_SHAREABILITY,
    PTE_SOFTWARE,
    PTE_TYPE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
    describe,
    is_table,
)
from stage2fuzz.report.words import Words

_LEAF: Final = {
    "S2AP": PTE_READ | PTE_WRITE,
    "XN": PTE_XN,
    "AF": PTE_AF,
    "DBM": PTE_DBM,
    "contiguous": PTE_CONTIGUOUS,
    "MemAttr": PTE_MEMATTR,
    "SH": PTE_SHAREABILITY,
    "software": PTE_SOFTWARE,
}
"""The fields of a leaf as the Arm manual names them, in the order of their interest here."""
_ACCESS: Final = {0: "none", PTE_READ: "read", PTE_WRITE: "write", PTE_READ | PTE_WRITE: "both"}
_KNOWN: Final = PTE_TYPE | PTE_ADDRESS | PTE_PERMISSIONS | PTE_AF | PTE_DBM | PTE_CONTIGUOUS
_REST: Final = ~(_KNOWN | PTE_MEMATTR | PTE_SHAREABILITY | PTE_SOFTWARE) & (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class EntryWrite:
    """One write of one entry."""

    name: str
    """``L3 0x40000000``, or its address where nobody knows what it covers."""
    level: int
    """3 where that is not known."""
    old: int
    new: int
    page_size: int = PAGE_SIZE

    @classmethod
    def of(cls, words: Words, where: int, old: int, new: int) -> "EntryWrite":
        """The write of ``new`` over ``old`` at an address, as ``words`` know it at this moment."""
        size = words.granule.page_size
        return cls(words.entry(where), words.level(where), old, new, size)

    def fields(self) -> list[tuple[str, str, str]]:
        """(field, before, after), the value in words and the bits first.

        The fields of a leaf follow where either side is one, unless they are 0 on both.
        """
        rows = [
            ("entry", self._words(self.old), self._words(self.new)),
            ("bits", f"{self.old:#018x}", f"{self.new:#018x}"),
        ]
        sides = [
            value if value & PTE_VALID and not is_table(value, self.level) else None
            for value in (self.old, self.new)
        ]
        for name, mask in (*_LEAF.items(), ("other", _REST)):
            if any(value & mask for value in sides if value is not None):
                before, after = (_field(name, mask, value) for value in sides)
                rows.append((name, before, after))
        return rows

    def _words(self, value: int) -> str:
        return describe(value, self.level, self.page_size)


def _field(name: str, mask: int, value: int | None) -> str:
    """One field of one side; a dash where that is no leaf."""
    if value is None:
        return "-"
    if name == "S2AP":
        return _ACCESS[value & mask]
    return f"{(value & mask) // (mask & -mask):#x}"
