"""The scenarios of a hunt: each once, random ones of every profile, the same from the same seed."""

from pathlib import Path

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import check_case
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.scenario import Op
from stage2fuzz.case.text import read_case
from stage2fuzz.kernel.nested_ground import NESTED_GROUND
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.places import CORPUS
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.hunt.neighbours import neighbours
from stage2fuzz.studies.hunt.nested_neighbours import nested_neighbours
from stage2fuzz.studies.series import FAULTS


def test_every_known_scenario_returns_and_none_twice() -> None:
    seeds = {read_case(path).scenario for path in CORPUS.glob("*/*.case")}
    mine = {fault.scenario for fault in FAULTS} | set(PROVING_GROUND)
    for ground, more in ((Ground.STAGE2, ()), (Ground.NESTED, NESTED_GROUND)):
        scenarios = ground.returning()
        assert len(set(scenarios)) == len(scenarios)
        suiting = {each for each in seeds if ground.suits(each)}
        assert set(scenarios) == mine | set(more) | suiting
        assert seeds > suiting > set()


def test_without_a_checkout_there_are_no_seeds(tmp_path: Path) -> None:
    assert set(Ground.STAGE2.returning(tmp_path)) == {fault.scenario for fault in FAULTS} | set(
        PROVING_GROUND
    )


def test_random_scenarios_are_legal_and_belong_to_their_seed() -> None:
    count = 20 * len(PROFILES)
    scenarios = [Ground.STAGE2.drawn(1, number) for number in range(count)]
    assert scenarios == [Ground.STAGE2.drawn(1, number) for number in range(count)]
    assert scenarios != [Ground.STAGE2.drawn(2, number) for number in range(count)]
    assert len(set(scenarios)) > count * 9 // 10
    for scenario in scenarios:
        check_case(Case("kernel:tree", scenario, Schedule()), "drawn")


def test_small_scenarios_draw_every_operation_and_meet() -> None:
    scenarios = [neighbours(1, number) for number in range(400)]
    for scenario in scenarios:
        check_case(Case("kernel:tree", scenario, Schedule()), "drawn")
    assert {op.op for each in scenarios for host in each.hosts for op in host} == {
        op for op in Op if not Op.GUEST_UNMAP <= op <= Op.GUEST_TLBI_ALL
    }
    pages = [{access.page for vcpu in each.vcpus for access in vcpu} for each in scenarios]
    assert sum(len(each) <= 3 for each in pages) > 300
    assert max(each.threads for each in scenarios) <= 5


def test_nested_scenarios_draw_every_operation_of_a_guest_hypervisor() -> None:
    scenarios = [nested_neighbours(1, number) for number in range(200)]
    for scenario in scenarios:
        check_case(Case("kernel:tree", scenario, Schedule()), "drawn")
    theirs = {op for op in Op if Op.GUEST_UNMAP <= op <= Op.GUEST_TLBI_ALL}
    assert theirs < {op.op for each in scenarios for host in each.hosts for op in host}
    assert all(each.options.nested for each in scenarios)
    drawn_for_them = [Ground.NESTED.drawn(1, number) for number in range(200)]
    assert sum(each in scenarios for each in drawn_for_them) > 20
    assert not any(Ground.STAGE2.drawn(1, number) in scenarios for number in range(200))
    assert set(Ground.NESTED.returning()) > set(NESTED_GROUND)
