"""Runs of a real tree, sound and with planted faults: both judges say the same of each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.native.binding import NativeJudge, Verdict, native_judge
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.hunt.turn import Turn, Wording, take

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def compiled() -> NativeJudge:
    found = native_judge()
    if found is None:
        pytest.skip("needs a C compiler")
    return found


def compared(
    engine: KernelEngine, compiled: NativeJudge, scenarios: Iterator[Scenario], runs: int
) -> tuple[int, int]:
    """(runs that both judged, those left to Python), of new classes, ``runs`` of each scenario."""
    both = left = 0
    for number, scenario in enumerate(scenarios):
        counts = len(scenario.vcpus), scenario.threads
        compiled.begin(0)
        compiled.scenario(engine.rules, *counts)
        worded: dict[int, frozenset[str]] = {}
        for kept in explore(engine.native, scenario, 1, 20 * runs, 10_000 + number, classes=runs):
            said = judge(kept.trace.events, engine.rules, *counts)
            verdict = compiled.judge(kept.trace.events, kept.lasso)
            compiled.check(said)
            if verdict in (Verdict.NEW, Verdict.KNOWN) and compiled.number >= 0:
                signatures = frozenset(each.signature for each in said)
                assert worded.setdefault(compiled.number, signatures) == signatures
            left += verdict is Verdict.LEFT
            both += verdict is not Verdict.LEFT
    return both, left


def test_both_judges_say_the_same_of_a_tree(kernel: KernelEngine, compiled: NativeJudge) -> None:
    scenarios = [*PROVING_GROUND, *(Ground.STAGE2.drawn(1, number) for number in range(10))]
    both, left = compared(kernel, compiled, iter(scenarios), 20)
    assert both > 200
    assert not left


@pytest.mark.slow
def test_both_judges_say_the_same_of_a_tree_at_length(
    kernel: KernelEngine, compiled: NativeJudge
) -> None:
    scenarios = [
        *Ground.STAGE2.returning(),
        *(Ground.STAGE2.drawn(2, number) for number in range(100)),
    ]
    both, left = compared(kernel, compiled, iter(scenarios), 200)
    assert both > 5_000
    assert not left


@pytest.mark.slow
def test_both_judges_say_the_same_of_planted_faults(
    tree: Path, cache: Path, tmp_path: Path, compiled: NativeJudge
) -> None:
    runs = 0
    for number, fault in enumerate(FAULTS):
        copy = tmp_path / str(number)
        copy_tree(tree, copy)
        if plant(copy, fault):
            engine = KernelEngine(build(copy, cache))
            both, _left = compared(engine, compiled, iter(PROVING_GROUND), 40)
            runs += both
    assert runs > 10_000


def test_a_turn_finds_and_counts_the_same_with_either_judge(
    kernel: KernelEngine, compiled: NativeJudge
) -> None:
    shown = 0
    for number, scenario in enumerate(PROVING_GROUND):
        turns = [
            take(
                kernel.native,
                Turn(20_000 + 2 * number + i, scenario, 1, 400, 1 << 20, kernel.rules),
                each,
            )
            for i, each in enumerate((None, Wording(compiled)))
        ]
        (python, native) = turns
        assert native.seen == python.seen
        assert native.found == python.found
        assert (native.runs, native.classes) == (python.runs, python.classes)
        shown += len(native.seen)
    if not kernel.rules.shared_faults:
        assert shown


def test_a_process_words_an_objection_once_and_counts_it_in_every_turn(
    kernel: KernelEngine, compiled: NativeJudge
) -> None:
    wording = Wording(compiled)
    first, again = (
        take(kernel.native, Turn(number, REFERENCE, 1, 400, 1 << 20, kernel.rules), wording)
        for number in (30_000, 30_001)
    )
    assert again.seen == first.seen
    assert not again.found
    assert first.found.keys() == first.seen.keys()
