"""A fuzz input on compiled kernel code: a burst in C that leaves out nothing the oracles want."""

from ctypes import c_uint8
from random import Random

import pytest

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.fuzz.features import COUNTERS, count_features
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.proving_ground import PROVING_GROUND

pytestmark = pytest.mark.kernel

RANDOM = [
    decode(Random(seed).randbytes(97), "", profile_named(profile)).scenario
    for profile in PROFILES
    for seed in range(3)
]


@pytest.mark.parametrize("scenario", [*PROVING_GROUND, *RANDOM])
def test_features_are_the_same_in_c_and_in_python(scenario: Scenario, kernel: KernelEngine) -> None:
    native = kernel.native
    native.load(scenario)
    for seed in range(1, 20):
        native.run_seed(seed)
        ours, theirs = bytearray(COUNTERS), bytearray(COUNTERS)
        count_features(native.events(), ours)
        native.library.s2_count_features((c_uint8 * COUNTERS).from_buffer(theirs))
        assert theirs == ours


def test_a_burst_says_which_runs_are_of_a_new_class(kernel: KernelEngine) -> None:
    native = kernel.native
    for number in range(200):
        case = decode(Random(number).randbytes(140), "", profile_named("map_race"))
        native.load(case.scenario)
        burst = native.fuzz(case.schedule, number, 16, bytearray(COUNTERS))
        assert burst.runs == 17
        classes = []
        for run, _lasso, _judged in burst.fresh:
            kernel.run(case.scenario, number + run - 1 if run else case.schedule)
            classes.append(native.library.s2_class())
        assert len(set(classes)) == len(classes)
        again = native.fuzz(case.schedule, number, 16, bytearray(COUNTERS))
        assert again.fresh == ()
        assert again.features == 0


def test_a_burst_is_a_function_of_case_and_seed(kernel: KernelEngine) -> None:
    case = decode(Random(3).randbytes(140), "", profile_named("notifier"))
    counters = [bytearray(COUNTERS) for _ in range(3)]
    for filled, seed in zip(counters, (5, 5, 6), strict=True):
        kernel.native.load(case.scenario)
        kernel.native.fuzz(case.schedule, seed, 16, filled)
        kernel.native.load(RANDOM[0])
    assert counters[0] == counters[1]
    assert counters[0] != counters[2]
