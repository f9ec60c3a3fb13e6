"""A tree compiled for other pages than 4 KiB: its blocks, its roots, its TLBIs, its judges."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import (
    GRANULE_4K,
    GRANULE_16K,
    GRANULE_64K,
    READ,
    WRITE,
    TranslationGranule,
    is_leaf,
)
from stage2fuzz.case.granule import fitted
from stage2fuzz.case.scenario import (
    IPA_BASE,
    Access,
    Backing,
    HostOp,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.native.binding import Verdict, native_judge
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.studies.hunt.mutants import run_mutants

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
BLOCK = (Slot(1024, Backing.PMD),)
SEEDS = 12
FAULTS = ("unmap-without-tlbi", "wrprotect-keeps-write", "range-of-other-granule", "wrong-offset")


@pytest.fixture(scope="module", params=(GRANULE_16K, GRANULE_64K), ids=lambda each: each.name)
def sized(
    request: pytest.FixtureRequest, tree: Path, cache: Path
) -> Iterator[tuple[KernelEngine, TranslationGranule]]:
    """An engine for larger pages, and their size."""
    engine = KernelEngine(build(tree, cache, request.param))
    engine.prove()
    yield engine, request.param


def test_a_block_has_the_size_of_its_granule(
    sized: tuple[KernelEngine, TranslationGranule],
) -> None:
    engine, granule = sized
    scenario = Scenario(BLOCK, ((Access(WRITE, 511),), (Access(READ, 513),)))
    events = engine.run(scenario, Schedule()).events
    assert ev.granule_of(events) is granule
    blocks = {
        event[4] & -granule.sizes[2]
        for event in events
        if event[0] == ev.STORE and is_leaf(event[4], 2) and not event[4] & 2
    }
    assert len(blocks) == 2  # pages 511 and 513 are not in one block
    reached = [event[2] for event in events if event[0] == ev.ACCESS]
    first = granule.sizes[2] - granule.page_size
    assert sorted(ipa - IPA_BASE for ipa in reached) == [first, first + 2 * granule.page_size]


@pytest.mark.parametrize("bits", (40, 48))
def test_the_root_is_as_large_as_the_ipa_space_needs(
    sized: tuple[KernelEngine, TranslationGranule], bits: int
) -> None:
    engine, granule = sized
    events = engine.run(Scenario(options=Options(ipa_bits=bits)), Schedule()).events
    (root,) = [event for event in events if event[0] == ev.ROOT]
    wanted = {("16k", 40): 2, ("16k", 48): 1, ("64k", 40): 2, ("64k", 48): 1}
    assert root[3] == wanted[granule.name, bits]


def test_a_range_tlbi_names_what_was_protected(
    sized: tuple[KernelEngine, TranslationGranule],
) -> None:
    engine, granule = sized
    if "S2_HAS_RANGE_FLUSH" not in engine.traits:
        pytest.skip("this tree flushes no range")
    scenario = Scenario(
        BLOCK,
        ((Access(WRITE, 0), Access(WRITE, 513)),),
        ((HostOp(Op.LOG_ENABLE),),),
        options=Options(fwb=True, tlb=Tlb.STICKY),
    )
    events = engine.run(scenario, Schedule(((0, 100_000),))).events
    named = {(event[2], event[3]) for event in events if event[0] == ev.TLBI}
    assert (IPA_BASE, 2 * granule.sizes[2]) in named


def test_an_unmodified_tree_is_judged_without_a_false_alarm_and_both_judges_agree(
    sized: tuple[KernelEngine, TranslationGranule], kernel: KernelEngine
) -> None:
    engine, granule = sized
    assert set(_spoken(engine, granule)) <= set(_spoken(kernel, GRANULE_4K))


def _spoken(engine: KernelEngine, granule: TranslationGranule) -> Iterator[str]:
    """The signatures that the proving ground shows on a tree; the compiled judge is held against
    each run."""
    fast = native_judge()
    for given in PROVING_GROUND:
        scenario = fitted(given, granule)
        vcpus, threads = len(scenario.vcpus), scenario.threads
        if fast is not None:
            fast.begin(0)
            fast.scenario(engine.rules, vcpus, threads)
        for seed in range(1, SEEDS + 1):
            with suppress(InputError):
                trace = engine.run(scenario, seed)
                said = judge(trace.events, engine.rules, vcpus, threads)
                if fast is not None and fast.judge(trace.events) is not Verdict.LEFT:
                    fast.check(said)
                yield from (each.signature for each in said)


def test_planted_faults_are_found_with_pages_of_16_kib(tree: Path, tmp_path: Path) -> None:
    results = list(run_mutants(tree, tmp_path, FAULTS, rounds=2, granule=GRANULE_16K))
    assert [each.fault for each in results if each.planted and not each.found_by] == []
    assert any(each.planted for each in results)
