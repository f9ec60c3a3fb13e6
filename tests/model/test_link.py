"""Planted bugs stay out of line: the kernel's code knows of none, a linked kernel has its own."""

import ast
from pathlib import Path
from random import Random

import pytest

import stage2fuzz.model
from stage2fuzz.errors import ModelError
from stage2fuzz.events import TLBI, Event
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.eras import ERAS
from stage2fuzz.model.link import bugs_of, link
from stage2fuzz.model.machine.tlb import kvm_tlb_flush_vmid_ipa
from stage2fuzz.model.mmu.vcpu import vcpu_thread
from stage2fuzz.model.planted import FLAG_SPOILS, NAMES, SPOILS, nothing, spoil
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule.replay import Replay
from tests.model.scenarios import any_scenario, any_schedule

MODEL = Path(stage2fuzz.model.__file__).parent
MIRROR = [
    path
    for folder in ("machine", "mmu", "pgtable", "pgtable_shared")
    for path in sorted((MODEL / folder).glob("*.py"))
    if path.name != "planted.py"
]


def events_of(name: str, seed: int) -> list[Event]:
    """What a revision does in one random scenario, under one random schedule."""
    draw = Random(seed)
    scenario = any_scenario(draw)
    schedule = any_schedule(draw, scenario.threads)
    return ModelEngine(parse_revision(name)).run(scenario, Replay(schedule)).events


@pytest.mark.parametrize("path", MIRROR, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_kernels_code_knows_of_no_planted_bug(path: Path) -> None:
    words = {node.id for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Name}
    words |= {
        node.attr for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Attribute
    }
    assert not words & {*NAMES, "planted", "bugs", "spoil"}


def test_every_planted_bug_spoils_something_of_some_revision() -> None:
    spoilt = {each.bug for each in SPOILS} | {each.bug for each in FLAG_SPOILS}
    assert spoilt == set(NAMES)
    assert {bug for era in ERAS.values() for bug in bugs_of(era)} == set(NAMES)


def test_a_spoil_for_some_callers_names_callers_that_call_it() -> None:
    for each in SPOILS:
        for caller in each.within:
            assert each.target.__name__ in caller.__code__.co_names, each


def test_a_bug_that_no_oracle_is_named_for_is_our_own_mistake() -> None:
    with pytest.raises(ModelError, match="no_such_bug"):
        spoil("no_such_bug", kvm_tlb_flush_vmid_ipa)(nothing)


def test_a_kernel_without_bugs_is_the_code_as_it_stands() -> None:
    assert link(ERAS["v5.12"], ()).vcpu_thread is vcpu_thread


def test_a_planted_bug_stays_in_its_own_engine() -> None:
    seeds = range(20)
    before = [events_of("v6.12", seed) for seed in seeds]
    spoilt = [events_of("v6.12!missing-tlbi!locked-marker-stays", seed) for seed in seeds]
    assert spoilt != before
    assert [events_of("v6.12", seed) for seed in seeds] == before


def test_two_bugs_of_one_function_are_both_there() -> None:
    def levels(name: str) -> set[tuple[int, int]]:
        tlbis = [event for seed in range(80) for event in events_of(name, seed)]
        return {(event[2], event[5]) for event in tlbis if event[0] == TLBI}

    both = levels("v5.12!tlbi-of-the-wrong-page!tlbi-with-the-wrong-level")
    assert both - levels("v5.12!tlbi-of-the-wrong-page")
    assert both - levels("v5.12!tlbi-with-the-wrong-level")
