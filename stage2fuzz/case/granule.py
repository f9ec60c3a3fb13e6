"""A case under another granule: its pages are numbered as those of 4 KiB, whatever the engine's.

A case names places by what they are near: page 511 is the last of the first block, 513 the second
of the next. An engine whose tables have more entries takes the page at the same distance from the
same edge, so one case, one corpus and one byte format serve all granules, and every edge stays one.
"""

from dataclasses import replace
from functools import lru_cache

from stage2fuzz.arch import GRANULE_4K, TranslationGranule
from stage2fuzz.case.scenario import GIB, SLOT_STRIDE, Backing, Scenario
from stage2fuzz.errors import InputError

_BLOCK = GRANULE_4K.entries
_LARGE = GIB // _BLOCK
"""Blocks of a large slot's unit, which has as many pages under each granule."""


@lru_cache(maxsize=1024)
def pages_under(granule: TranslationGranule, pages: int) -> int:
    """How many pages of ``granule`` that many of 4 KiB stand for; of a page, its number."""
    if granule is GRANULE_4K:
        return pages
    units, rest = divmod(pages, GIB)
    blocks, near = divmod(rest, _BLOCK)
    block = _at_edge(blocks, _LARGE, GIB // granule.entries)
    return units * GIB + block * granule.entries + _at_edge(near, _BLOCK, granule.entries)


def _at_edge(number: int, of: int, now: int) -> int:
    """The number among ``now`` that is as far from the nearer end as it was among ``of``."""
    return number if number < of // 2 else now - (of - number)


def page_under(granule: TranslationGranule, page: int) -> int:
    """The number of a page, which may be in any slot, among pages of ``granule``."""
    slot, place = divmod(page, SLOT_STRIDE)
    return slot * SLOT_STRIDE + pages_under(granule, place)


def check_granule(scenario: Scenario, granule: TranslationGranule, where: str) -> None:
    """InputError where a scenario has what its engine's page size has not."""
    if granule is GRANULE_4K or scenario.cpus:
        return
    size = f"pages of {granule.page_size >> 10} KiB"
    if any(slot.backing is Backing.PUD for slot in scenario.slots):
        largest = granule.sizes[granule.largest_block] >> 20
        right = f"backing pmd: with {size} a block has {largest} MiB"
        raise InputError(where, "backing pud", right)
    if scenario.options.nested:
        raise InputError(where, f"option nested with {size}", "an engine of 4 KiB pages")


def fitted(scenario: Scenario, granule: TranslationGranule) -> Scenario:
    """The scenario without what pages of that size have not: for those that are drawn at random."""
    if granule is GRANULE_4K or scenario.cpus:
        return scenario
    slots = tuple(
        replace(slot, backing=Backing.PMD) if slot.backing is Backing.PUD else slot
        for slot in scenario.slots
    )
    return replace(scenario, slots=slots, options=replace(scenario.options, nested=0, vncr=False))
