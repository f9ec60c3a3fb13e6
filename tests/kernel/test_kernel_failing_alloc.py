"""Memory is refused at each request in turn, and the kernel's own code survives all of them."""

from dataclasses import replace

import pytest

from stage2fuzz import events as ev
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.run import run_scheduled
from stage2fuzz.schedule.random_walk import RandomWalk
from tests.model.scenarios import events_of
from tests.model.test_failing_alloc import HYP, SPLIT

pytestmark = pytest.mark.kernel


def refusals(kernel: KernelEngine, scenario: Scenario) -> set[tuple[int, bool]]:
    """What was refused, each request of three schedules in turn: who asked, and for a single page
    or not."""
    found = set()
    for seed in range(3):
        for number in range(1, 64):
            options = replace(scenario.options, failing_alloc=number)
            outcome = run_scheduled(
                f"kernel:{kernel.library.tree}",
                replace(scenario, options=options),
                RandomWalk(seed),
            )
            assert not outcome.violations, number
            assert not outcome.limit, number
            asked = events_of(ev.TOPUP, outcome.events)
            refused = [(event[1], event[3] == ev.TOPUP_SINGLE) for event in asked if event[4]]
            if not refused:
                break
            found.update(refused)
    return found


def test_each_refused_request_of_a_split_is_survived(kernel: KernelEngine) -> None:
    found = refusals(kernel, SPLIT)
    host = len(SPLIT.vcpus)
    assert {(0, False), (1, False)} <= found, "no vCPU's top-up was refused"
    eager = "S2_HAS_SPLIT" in kernel.library.has
    assert ((host, True) in found) == eager
    assert ((host, False) in found) == eager


def test_each_refused_table_of_hyp_is_survived(kernel: KernelEngine) -> None:
    assert (1, True) in refusals(kernel, HYP)
