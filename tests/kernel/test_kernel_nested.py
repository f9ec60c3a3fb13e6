"""Nested guests on a tree's own nested.c: skipped where the tree has none that the shim serves."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, HostOp, Op, Options, Scenario, Slot
from stage2fuzz.case.text import read_case
from stage2fuzz.engine import Trace
from stage2fuzz.events import ACCESS, CALL_DESTROY, FAULT, MMU_BIND, TREE_SHIFT, VNCR_ACCESS
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.faults.nested import IN_NESTED
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.nested_ground import NESTED_GROUND, ground_of
from stage2fuzz.kernel.units import NESTED
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.studies.hunt.mutants import fits

CASES = Path(__file__).parents[1] / "cases" / "nested"
TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE")
QUIET = Scenario(
    slots=(Slot(pages=4),),
    vcpus=((Access(WRITE, 0), Access(READ, 1)), (Access(WRITE, 1), Access(READ, 2))),
    hosts=((HostOp(Op.GUEST_PROTECT, 1), HostOp(Op.MOVE, 0)),),
    options=Options(nested=2, teardown=True),
)
"""L1 changes an entry without a TLBI, so nothing may be said of what its guests still use."""
PLANTED = (
    ("recycled-not-emptied", "N4"),
    ("notifier-forgets-shadows", "N1"),
    ("tlbi-of-other-vmids", "N2"),
    ("vncr-reset-unlocked", "N7"),
)
"""(fault, oracle that finds it); `kernel mutants` tries all."""


@pytest.fixture(scope="module")
def engine() -> KernelEngine:
    if TREE is None:
        pytest.skip("STAGE2FUZZ_KERNEL_TREE names no kernel tree")
    made = KernelEngine(build(Path(TREE)))
    if NESTED.config not in made.traits:
        pytest.skip("the tree has no nested.c, or none that the shim serves")
    return made


def said(engine: KernelEngine, scenario: Scenario, trace: Trace) -> dict[str, Violation]:
    found = judge(trace.events, engine.rules, len(scenario.vcpus), scenario.threads)
    return {each.oracle: each for each in found}


def runs(engine: KernelEngine, scenario: Scenario, count: int) -> dict[str, Violation]:
    """What any of so many seeds shows."""
    found: dict[str, Violation] = {}
    for seed in range(1, count + 1):
        found |= said(engine, scenario, engine.run(scenario, seed))
    return found


def test_l2_faults_through_the_shadow_of_its_guest(engine: KernelEngine) -> None:
    trace = engine.run(QUIET, 1)
    faulted = {event[2] >> TREE_SHIFT for event in trace.events if event[0] == FAULT}
    bound = {event[2]: event[4] for event in trace.events if event[0] == MMU_BIND}
    assert faulted <= set(bound) and set(bound.values()) == {1, 2}


def test_no_rule_is_broken_where_the_guest_hypervisor_needs_no_tlbi(engine: KernelEngine) -> None:
    assert runs(engine, QUIET, 150) == {}


def test_mmus_are_recycled(engine: KernelEngine) -> None:
    pages = Scenario(
        vcpus=(tuple(Access(WRITE, page) for page in (0, 1, 2, 0)),),
        options=Options(nested=3, teardown=True),
    )
    trace = engine.run(pages, 1)
    before = [event[3] for event in trace.events if event[0] == MMU_BIND]
    assert any(before) and said(engine, pages, trace) == {}


def test_a_tlbi_of_l1_against_a_fault_of_l2(engine: KernelEngine) -> None:
    case = read_case(CASES / "bad_v7_3_guest_tlbi_against_a_fault.case")
    found = said(engine, case.scenario, engine.run(case.scenario, case.schedule))
    assert set(found) == {"N2"}
    assert found["N2"].signature.endswith("a fault in flight brings back what was invalidated")


def test_the_same_one_after_the_other_breaks_no_rule(engine: KernelEngine) -> None:
    case = read_case(CASES / "good_v7_3_guest_tlbi_after_a_fault.case")
    assert said(engine, case.scenario, engine.run(case.scenario, case.schedule)) == {}


def test_a_dirty_log_that_leaves_the_shadows_cached(engine: KernelEngine) -> None:
    case = read_case(CASES / "bad_v7_3_shadow_log_without_flush.case")
    found = said(engine, case.scenario, engine.run(case.scenario, case.schedule))
    assert set(found) == {"B1"}


def test_a_page_of_registers_is_reached_and_given_back(engine: KernelEngine) -> None:
    pages = Scenario(
        slots=(Slot(pages=4),),
        vcpus=((Access(WRITE, 0), Access(READ, 0)), (Access(READ, 0),)),
        hosts=((HostOp(Op.MOVE), HostOp(Op.INVALIDATE)),),
        options=Options(nested=1, vncr=True, teardown=True),
    )
    reached: set[int] = set()
    for seed in range(1, 80):
        trace = engine.run(pages, seed)
        assert said(engine, pages, trace) == {}
        assert trace.ended == "finished"
        reached |= {event[4] for event in trace.events if event[0] == VNCR_ACCESS}
    assert len(reached) == 2


def test_without_nested_guests_nobody_has_a_page_of_registers(engine: KernelEngine) -> None:
    plain = Scenario(options=Options(vncr=True))
    kinds = {event[0] for event in engine.run(plain, 1).events}
    assert ACCESS in kinds
    assert VNCR_ACCESS not in kinds


@pytest.mark.parametrize(("fault", "oracle"), PLANTED)
def test_a_planted_fault_is_found(
    engine: KernelEngine, tmp_path: Path, fault: str, oracle: str
) -> None:
    (fitting,) = (each for each in IN_NESTED if each.name == fault)
    copy_tree(Path(TREE or ""), tmp_path / "tree")
    assert plant(tmp_path / "tree", fitting)
    planted = KernelEngine(build(tmp_path / "tree", tmp_path / "cache"))
    assert any(oracle in runs(planted, scenario, 60) for scenario in ground_of(fitting))


def test_a_fault_of_nested_guests_is_not_for_an_engine_without_them(engine: KernelEngine) -> None:
    probes = {**engine.library.probes, NESTED.config: False}
    library = replace(engine.library, probes=probes)
    assert all(fits(engine.library, each) and not fits(library, each) for each in IN_NESTED)
    assert {ground_of(each) for each in IN_NESTED} == {NESTED_GROUND}
    assert all(scenario.options.nested for scenario in NESTED_GROUND)


def test_a_vm_does_not_free_what_guests_of_an_earlier_run_had(engine: KernelEngine) -> None:
    engine.run(QUIET, RandomWalk(1))
    alone = Scenario(vcpus=((Access(WRITE, 0),),), options=Options(teardown=True))
    destroyed = [e[2] for e in engine.run(alone, RandomWalk(1)).events if e[5] == CALL_DESTROY]
    assert not [where for where in destroyed if where >> TREE_SHIFT]
