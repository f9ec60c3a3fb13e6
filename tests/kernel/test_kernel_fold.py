"""Runs of one class mean the same to the oracles, or folding would hide what they would say."""

from collections import defaultdict
from collections.abc import Iterator
from random import Random

import pytest

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.oracles.judge import judge

pytestmark = pytest.mark.kernel

RUNS = 150


def scenarios() -> Iterator[Scenario]:
    yield REFERENCE
    yield from PROVING_GROUND
    for profile in PROFILES:
        for seed in range(4):
            yield decode(Random(seed).randbytes(97), "", profile_named(profile)).scenario


def verdicts_by_class(kernel: KernelEngine, scenario: Scenario) -> dict[int, set[frozenset[str]]]:
    native, found = kernel.native, defaultdict(set)
    native.load(scenario)
    for seed in range(1, RUNS + 1):
        native.run_seed(seed)
        said = judge(native.events(), kernel.rules, len(scenario.vcpus), scenario.threads)
        found[native.library.s2_class()].add(frozenset(each.signature for each in said))
    return found


def test_runs_of_one_class_get_the_same_verdict(kernel: KernelEngine) -> None:
    shared = 0
    for scenario in scenarios():
        for verdicts in verdicts_by_class(kernel, scenario).values():
            shared += 1
            assert len(verdicts) == 1, (scenario, verdicts)
    assert shared < RUNS * len(list(scenarios())), "no class had two runs"


def test_nobody_is_stuck_where_the_runtime_saw_no_lasso(kernel: KernelEngine) -> None:
    lassos = others = 0
    for number, scenario in enumerate(scenarios()):
        counts = len(scenario.vcpus), scenario.threads
        for kept in explore(kernel.native, scenario, 1, RUNS, 1_000 + number):
            lassos += kept.lasso
            others += not kept.lasso
            every = judge(kept.trace.events, kernel.rules, *counts)
            assert judge(kept.trace.events, kernel.rules, *counts, lasso=kept.lasso) == every
    assert lassos < others


def test_the_schedule_that_a_run_executed_runs_it_again(kernel: KernelEngine) -> None:
    native = kernel.native
    for scenario in scenarios():
        native.load(scenario)
        for seed in range(1, 21):
            native.run_seed(seed)
            before, schedule = native.events(), native.schedule()
            native.run_schedule(schedule)
            assert native.events() == before
