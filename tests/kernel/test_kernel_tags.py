"""Memory tags on a compiled tree: what its sanitise_mte_tags leaves to the guest, and what not."""

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Options, Scenario, Slot
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.run import Outcome, run_scheduled
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.schedule.replay import Replay
from tests.model.scenarios import events_of

pytestmark = pytest.mark.kernel

TAGS = Options(mte=True)
BLOCK = (Slot(512, Backing.PMD),)
READS = ((Access(READ, 0),), (Access(READ, 1),))


@pytest.fixture
def tagging(kernel: KernelEngine) -> KernelEngine:
    """A tree that knows of page tags; 5.10 gives its guests none."""
    if "S2_HAS_MTE" not in kernel.library.has:
        outcome = run(kernel, Scenario(BLOCK, READS, options=TAGS), RandomWalk(1))
        assert not outcome.events[0][5] & ev.ROOT_MTE
        pytest.skip("this tree's guests have no tags")
    return kernel


def run(kernel: KernelEngine, scenario: Scenario, how: RandomWalk | Replay) -> Outcome:
    """One run of the tree, judged."""
    return run_scheduled(f"kernel:{kernel.library.tree}", scenario, how)


def test_a_block_has_the_tags_of_all_its_pages_cleared_once(tagging: KernelEngine) -> None:
    for seed in range(20):
        outcome = run(tagging, Scenario(BLOCK, READS, options=TAGS), RandomWalk(seed))
        cleared = events_of(ev.TAGS_CLEAR, outcome.events)
        assert sum(event[3] for event in cleared) == 512 * 4096
        assert not [found for found in outcome.violations if found.oracle == "C15"]


def test_two_faults_of_one_page_wait_for_each_other(tagging: KernelEngine) -> None:
    scenario = Scenario((Slot(4),), ((Access(READ, 0),), (Access(READ, 0),)), options=TAGS)
    for seed in range(40):
        outcome = run(tagging, scenario, RandomWalk(seed))
        assert len(events_of(ev.TAGS_CLEAR, outcome.events)) == 1
        assert not outcome.violations


def test_without_the_option_nothing_is_cleared(tagging: KernelEngine) -> None:
    outcome = run(tagging, Scenario(BLOCK, READS), RandomWalk(1))
    assert not events_of(ev.TAGS_CLEAR, outcome.events)
    assert not outcome.violations


def test_a_permission_fault_that_makes_a_block_leaves_the_tags_of_others(
    tagging: KernelEngine,
) -> None:
    scenario = Scenario(
        (Slot(512, Backing.PMD, logging=True),),
        ((Access(READ, 0), Access(WRITE, 0)),),
        ((HostOp(Op.LOG_DISABLE),),),
        options=TAGS,
    )
    found = {
        violation.signature
        for points in range(20, 44)
        for violation in run(
            tagging,
            scenario,
            Replay(Schedule(((0, points), (1, 99), (0, 99)))),
        ).violations
    }
    assert "C15 memory tags: mapped with old tags, write permission fault, block" in found


def test_memory_that_allows_no_tags_has_none(tagging: KernelEngine) -> None:
    scenario = Scenario((Slot(4, Backing.DEVICE),), ((Access(READ, 0),),), options=TAGS)
    outcome = run(tagging, scenario, RandomWalk(1))
    assert not outcome.events[0][5] & ev.ROOT_MTE
