"""Faults to plant in a copy of a tree, by the file that they are planted in.

Each fault lists alternatives, because the same step is written in other words from version to
version; the first whose patterns all match is applied. A fault with none is not for this tree.
"""

from typing import Final

from stage2fuzz.kernel.faults.abort import IN_ABORT
from stage2fuzz.kernel.faults.caches import OF_CACHES
from stage2fuzz.kernel.faults.edges import AT_EDGES
from stage2fuzz.kernel.faults.edit import Edit, PlantedFault
from stage2fuzz.kernel.faults.huge import OF_HUGE_PAGES
from stage2fuzz.kernel.faults.memslots import IN_MEMSLOTS
from stage2fuzz.kernel.faults.mmu import IN_MMU
from stage2fuzz.kernel.faults.nested import IN_NESTED
from stage2fuzz.kernel.faults.pgtable import IN_PGTABLE
from stage2fuzz.kernel.faults.tags import IN_TAGS
from stage2fuzz.kernel.faults.tlb import IN_TLB

__all__ = ["FAULTS", "Edit", "PlantedFault"]

FAULTS: Final = (
    *(*IN_PGTABLE, *IN_MMU, *IN_ABORT, *IN_MEMSLOTS, *AT_EDGES, *OF_HUGE_PAGES),
    *(*OF_CACHES, *IN_TLB, *IN_TAGS),
    *IN_NESTED,
)
