"""A case under another page size: its edges stay edges, and what that size has not is refused."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from stage2fuzz.arch import (
    GRANULE_4K,
    GRANULE_16K,
    GRANULE_64K,
    PAGE_SIZE,
    PTE_VALID,
    TRANSLATION_GRANULES,
    TranslationGranule,
    describe,
)
from stage2fuzz.case.granule import check_granule, fitted, page_under, pages_under
from stage2fuzz.case.scenario import (
    GIB,
    PLACES,
    RANGE_PAGES,
    SLOT_PAGES,
    SLOT_STRIDE,
    Backing,
    Options,
    Scenario,
    Slot,
)
from stage2fuzz.cli.app import app
from stage2fuzz.engine import ENGINES, kernel_name, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.numbers import header

LARGER = pytest.mark.parametrize("granule", (GRANULE_16K, GRANULE_64K))


def test_pages_of_4_kib_are_what_the_case_says() -> None:
    for number in (*PLACES, *SLOT_PAGES, *RANGE_PAGES):
        assert pages_under(GRANULE_4K, number) == number


@LARGER
def test_each_edge_of_a_block_stays_one(granule: TranslationGranule) -> None:
    block = granule.entries
    for number, edge in ((511, -1), (512, 0), (513, 1), (1023, block - 1), (1024, block)):
        assert pages_under(granule, number) == block + edge
    for number in (0, 1, 5, 64, 255):
        assert pages_under(granule, number) == number
    assert pages_under(granule, GIB - 1) == GIB - 1
    assert pages_under(granule, GIB + 512) == GIB + block
    assert page_under(granule, SLOT_STRIDE + 511) == SLOT_STRIDE + block - 1


@LARGER
def test_pages_keep_their_order(granule: TranslationGranule) -> None:
    places = sorted((*PLACES, *SLOT_PAGES))
    moved = [pages_under(granule, place) for place in places]
    assert moved == sorted(moved)
    assert len(set(moved)) == len(set(places))


@LARGER
def test_what_a_page_size_has_not_is_refused_in_one_line(granule: TranslationGranule) -> None:
    large = Scenario(slots=(Slot(GIB, Backing.PUD),))
    nested = Scenario(options=Options(nested=2))
    for scenario, word in ((large, "backing pud"), (nested, "option nested")):
        with pytest.raises(InputError, match=word):
            check_granule(scenario, granule, "case")
        check_granule(scenario, GRANULE_4K, "case")
        check_granule(fitted(scenario, granule), granule, "case")


def test_what_fits_is_left_as_it_is() -> None:
    scenario = Scenario(slots=(Slot(512, Backing.PMD),))
    assert fitted(scenario, GRANULE_16K) == scenario
    assert fitted(replace(scenario, slots=(Slot(GIB, Backing.PUD),)), GRANULE_4K) is not scenario


def test_an_engine_says_its_page_size_before_it_is_opened() -> None:
    for granule in TRANSLATION_GRANULES:
        assert kind_of(kernel_name("linux-6.12", granule)).granule is granule
    assert ENGINES["model"].granule is GRANULE_4K


def test_the_runtime_gets_the_numbers_of_its_page_size() -> None:
    small, large = header(), header(GRANULE_16K)
    for text, lines in ((small, ("PAGE_SHIFT 12", "ENTRIES 512")), (large, ("PAGE_SHIFT 14",))):
        for line in lines:
            assert f"#define S2_{line}\n" in text


def test_a_block_is_named_by_its_size() -> None:
    sizes = {PAGE_SIZE: "2M", GRANULE_16K.page_size: "32M", GRANULE_64K.page_size: "512M"}
    for page_size, size in sizes.items():
        assert describe(PTE_VALID, 2, page_size).startswith(f"block {size} ")


def test_a_page_size_that_arm64_has_not_is_refused() -> None:
    result = CliRunner().invoke(app, ["kernel", "build", "linux-6.12", "--pages", "8k"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "--pages: 8k; 4k or 16k or 64k"
