"""The search: nothing of the machine is missed, nothing that random runs show is left out."""

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import (
    Access,
    Backing,
    HostOp,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)
from stage2fuzz.events import Event
from stage2fuzz.kernel.abi import SearchStop
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.memory import NO_STATE, state_memory, symbols_of
from stage2fuzz.kernel.search import SearchBounds, StateSearch, cut
from stage2fuzz.schedule.base import Schedule

pytestmark = pytest.mark.kernel

BARE = Options(teardown=False)


def accesses(*kinds: int, **more: object) -> Scenario:
    """A vCPU for each kind of access, all to page 0."""
    programs = tuple((Access(kind, 0),) for kind in kinds)
    return Scenario(vcpus=programs, **{"options": BARE, **more})  # type: ignore[arg-type]


SMALL = {
    "write and read": accesses(WRITE, READ),
    "execute and write, torn down": accesses(EXECUTE, WRITE, options=Options()),
    "move": accesses(READ, hosts=((HostOp(Op.MOVE),),)),
    "logging begins": accesses(WRITE, hosts=((HostOp(Op.LOG_ENABLE),),)),
    "a huge page is split": accesses(
        READ, slots=(Slot(512, Backing.PMD),), hosts=((HostOp(Op.THP_SPLIT),),)
    ),
    "late stores": accesses(
        READ, hosts=((HostOp(Op.MOVE),),), options=Options(teardown=False, pending_stores=True)
    ),
    "stale translations": accesses(
        READ, READ, hosts=((HostOp(Op.MOVE),),), options=Options(teardown=False, tlb=Tlb.SAMPLED)
    ),
}
MOST_CLASSES = 300
"""Replayed of one scenario: a search of 6.12 finds more in the last one."""

ROOM = 1 << 30
"""Bytes of a search to its end: one without an end must not take the whole machine."""

counted = iter(range(1_000_000, 2_000_000))
"""Classes of one search are not known to the next."""


def searched(
    kernel: KernelEngine,
    scenario: Scenario,
    bounds: SearchBounds | None = None,
    most: int = 1 << 60,
) -> tuple[StateSearch, dict[int, tuple[Schedule, list[Event]]]]:
    """A search to its end, or to so many classes, and a run of each; rounds of faults that change
    nothing make none."""
    native = kernel.native
    search = StateSearch(
        native, kernel.library.path, scenario, bounds or SearchBounds(memory=ROOM), next(counted)
    )
    assert search.begun
    found: dict[int, tuple[Schedule, list[Event]]] = {}
    while len(found) < most and (stop := search.go(1 << 40)) is not SearchStop.ALL:
        if stop is SearchStop.RUN:
            found[native.library.s2_effect_class()] = (native.schedule(), native.events())
        else:
            assert stop is SearchStop.CYCLE
    search.end()
    return search, found


def test_the_state_of_the_machine_is_small_and_none_is_named_that_is_not_there(
    kernel: KernelEngine,
) -> None:
    """What a module adds is kept at each step: what is large is kept in parts, or is no state."""
    sizes = {each.name: each.size for each in symbols_of(kernel.library.path)}
    assert NO_STATE.keys() - sizes.keys() <= {"gathered", "reading"}  # may live in registers
    state = sum(size for _, size in state_memory(kernel.library.path))
    assert state - sizes["s2_log"] < 22 << 10, state - sizes["s2_log"]


@pytest.mark.parametrize("name", SMALL)
def test_what_a_search_finds_a_run_from_the_beginning_shows_event_for_event(
    kernel: KernelEngine, name: str
) -> None:
    """A word of state that is not restored would show here."""
    scenario = SMALL[name]
    _, found = searched(kernel, scenario, most=MOST_CLASSES)
    assert found
    for number, (schedule, events) in found.items():
        trace = kernel.run(scenario, schedule)
        assert trace.events == events
        assert kernel.native.library.s2_effect_class() == number


@pytest.mark.parametrize("name", ["write and read", "move", "logging begins"])
def test_random_runs_show_no_class_that_the_search_lacks(kernel: KernelEngine, name: str) -> None:
    scenario = SMALL[name]
    _, found = searched(kernel, scenario)
    kernel.native.load(scenario)
    for seed in range(2_000):
        kernel.native.run_seed(seed)
        assert kernel.native.library.s2_effect_class() in found


def test_the_same_search_again_sees_the_same_whatever_ran_before(kernel: KernelEngine) -> None:
    scenario = SMALL["logging begins"]
    first, found = searched(kernel, scenario)
    for seed in range(50):
        kernel.run(SMALL["execute and write, torn down"], seed)
    again, found_again = searched(kernel, scenario)
    assert found_again.keys() == found.keys()
    assert (again.told.configs, again.told.steps) == (first.told.configs, first.told.steps)


@pytest.mark.parametrize(
    "name", ["write and read", "logging begins", pytest.param("move", marks=pytest.mark.slow)]
)
def test_finer_keys_find_the_same_classes(kernel: KernelEngine, name: str) -> None:
    """With the running thread, and with the number of faults, in what is told apart."""
    scenario = SMALL[name]
    _, found = searched(kernel, scenario)
    wide, by_preemptions = searched(kernel, scenario, SearchBounds(preemptions=60))
    assert not wide.told.cut
    assert by_preemptions.keys() == found.keys()
    some, by_faults = searched(kernel, scenario, SearchBounds(faults=12))
    assert by_faults.keys() <= found.keys()
    assert some.told.limits or by_faults.keys() == found.keys()


def test_a_bound_of_preemptions_grows_to_the_whole(kernel: KernelEngine) -> None:
    scenario = SMALL["write and read"]
    _, whole = searched(kernel, scenario)
    before: frozenset[int] = frozenset()
    for preemptions in range(4):
        _, found = searched(kernel, scenario, SearchBounds(preemptions=preemptions))
        assert before <= found.keys() <= whole.keys()
        before = frozenset(found)
    assert len(before) > 1


def test_a_search_without_room_says_so(kernel: KernelEngine) -> None:
    scenario = accesses(WRITE, READ, EXECUTE, hosts=((HostOp(Op.MOVE),),))
    bounds = SearchBounds(memory=1 << 20)
    search = StateSearch(kernel.native, kernel.library.path, scenario, bounds, next(counted))
    while (stop := search.go(1 << 40)) is SearchStop.RUN:
        pass
    search.end()
    assert stop is SearchStop.NO_ROOM


def test_runs_are_cut_at_a_point() -> None:
    runs = ((0, 3), (1, 2), (0, 4))
    assert cut(runs, 4) == (((0, 3), (1, 1)), ((1, 1), (0, 4)))
    assert cut(runs, 0) == ((), runs)
