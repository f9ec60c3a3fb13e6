"""Faults in what is done to a page's memory tags before a guest with MTE gets it."""

from typing import Final

from stage2fuzz.kernel.faults.edit import MMU, Edit, PlantedFault, one

_SANITISE: Final = "sanitise_mte_tags"

IN_TAGS: Final[tuple[PlantedFault, ...]] = (
    one(
        "tags-of-first-page-only",
        "of a block only the first page's tags are cleared",
        Edit(MMU, _SANITISE, r"nr_pages = size >> PAGE_SHIFT", "nr_pages = size / size"),
    ),
    one(
        "tags-cleared-again",
        "tags are cleared whether they were initialised or not",
        Edit(MMU, _SANITISE, r"if \(try_page_mte_tagging\(page\)\)", ""),
        Edit(MMU, _SANITISE, r"if \(!page_mte_tagged\(page\)\)", ""),
    ),
    one(
        "tags-not-locked",
        "two threads may both find a page untagged, and clear its tags one after the other",
        Edit(MMU, _SANITISE, r"try_page_mte_tagging\(page\)", "!page_mte_tagged(page)"),
    ),
)
