"""One cause, one name: whatever rules, accesses and sizes it shows in."""

import json
from pathlib import Path

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import Access, Scenario, Slot
from stage2fuzz.case.text import read_case
from stage2fuzz.events import (
    CALL,
    CALL_INVALIDATE_START,
    CALL_MAP,
    CALL_TEARDOWN,
    CALL_UNMAP,
    DRAIN,
    PENDING,
    RETURN,
    ROOT,
    STORE,
    WARN,
    WARN_OTHER,
)
from stage2fuzz.known import LIST, known_causes, known_of
from stage2fuzz.oracles.cause import (
    BREAKS_AN_AGED_LEAF,
    BREAKS_FOR_PERMISSIONS,
    OTHER_WARNING,
    RELAXES_ANOTHER_LEVEL,
    TABLES_GONE,
    cause_of,
)
from stage2fuzz.run import run, run_scheduled
from stage2fuzz.schedule import strategy

CASES = Path(__file__).resolve().parent.parent / "cases"
LOGGED = Scenario(
    slots=(Slot(logging=True),), vcpus=tuple((Access(kind, 0),) for kind in (WRITE, READ, EXECUTE))
)


def test_the_series_fault_is_one_cause_with_many_faces() -> None:
    faces, causes = set(), set()
    for number in range(60):
        outcome = run_scheduled("model:v5.10", LOGGED, strategy("breaker", number))
        faces |= {each.signature for each in outcome.violations}
        causes |= {each.cause for each in outcome.violations}
    assert {face.partition(" ")[0] for face in faces} >= {"C6", "G2", "G3"}
    assert causes == {BREAKS_FOR_PERMISSIONS}


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("bad_loop_a_logging_4k", BREAKS_FOR_PERMISSIONS),
        ("bad_loop_b_one_gib_block", BREAKS_FOR_PERMISSIONS),
        ("bad_v5_12_aged_leaf", BREAKS_AN_AGED_LEAF),
        ("bad_v6_12_aged_leaf", BREAKS_AN_AGED_LEAF),
        ("bad_v7_3_relax_of_a_block_loses_dirty_pages", RELAXES_ANOTHER_LEVEL),
        ("bad_v6_12_relax_of_another_level", RELAXES_ANOTHER_LEVEL),
    ],
)
def test_a_case_has_the_cause_that_it_is_about(name: str, cause: str) -> None:
    outcome = run(read_case(CASES / f"{name}.case"))
    assert cause in {each.cause for each in outcome.violations}


@pytest.mark.parametrize("path", sorted(CASES.glob("bad_v*.case")), ids=lambda path: path.stem)
def test_the_faults_of_unspoiled_revisions_are_known(path: Path) -> None:
    outcome = run(read_case(path))
    news = [each for each in outcome.violations if not known_of(outcome.case.engine, each.cause)]
    assert not [each.signature for each in news if "!" not in outcome.case.engine]


@pytest.mark.parametrize(
    "name",
    [
        "bad_no_dirty_mark",
        "bad_missing_tlbi",
        "bad_no_retry",
        "bad_no_topup",
        "bad_page_not_released",
    ],
)
def test_a_planted_fault_is_news(name: str) -> None:
    outcome = run(read_case(CASES / f"{name}.case"))
    assert "" in {known_of(outcome.case.engine, each.cause) for each in outcome.violations}


def test_a_fault_of_an_old_kernel_is_news_in_one_that_had_it_mended() -> None:
    assert known_of("model:v5.10", BREAKS_FOR_PERMISSIONS)
    assert not known_of("model:v5.12", BREAKS_FOR_PERMISSIONS)
    assert not known_of("kernel:/nowhere", BREAKS_FOR_PERMISSIONS)


def test_each_known_cause_is_told_in_the_findings() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "findings.md").read_text()
    for each in known_causes():
        assert f"{each.section}\n" in text, each.name
    assert json.loads(LIST.read_text())["causes"]


@pytest.mark.parametrize(
    ("other", "cause"), [(CALL_TEARDOWN, TABLES_GONE), (CALL_MAP, OTHER_WARNING)]
)
def test_a_warning_of_an_unmap_whose_tables_went_has_a_name(other: int, cause: str) -> None:
    events = [
        (ROOT, -1, 0, 0, 0, 40),
        (CALL, 1, 0, 0, 0, CALL_INVALIDATE_START),
        (CALL, 2, 0, 0, 0, other),
        (WARN, 1, 0, 0, 0, WARN_OTHER),
    ]
    assert cause_of(OTHER_WARNING, (3,), events) == cause


@pytest.mark.parametrize("before", [True, False])
def test_a_vm_that_was_dead_before_is_no_cause_of_a_warning(before: bool) -> None:
    """While mmu_lock is offered between two unmaps of one call it may die, and be dead."""
    dies = [(CALL, 2, 0, 0, 0, CALL_TEARDOWN), (RETURN, 2, 0, 0, 0, CALL_TEARDOWN)]
    first = [
        (CALL, 1, 0, 0, 0, CALL_INVALIDATE_START),
        (CALL, 1, 0, 0, 0, CALL_UNMAP),
        (RETURN, 1, 0, 0, 0, CALL_UNMAP),
    ]
    last = [(CALL, 1, 0, 0, 0, CALL_UNMAP), (WARN, 1, 0, 0, 0, WARN_OTHER)]
    events = [(ROOT, -1, 0, 0, 0, 40), *(dies + first if before else first + dies), *last]
    cause = cause_of(OTHER_WARNING, (len(events) - 1,), events)
    assert cause == (OTHER_WARNING if before else TABLES_GONE)


def test_a_store_that_became_visible_late_has_the_cause_of_one_that_did_not() -> None:
    old, new = 0x40000000000443 | 3 << 6 | 0x400, 0x40000000000443 | 1 << 6 | 0x400
    events = [
        (ROOT, -1, 0, 0, 0, 40),
        (CALL, 0, 0x40000000, 0x1000, 0, CALL_MAP),
        (STORE, 0, 0x10002000, old, 0, PENDING),
        (STORE, 0, 0x10002000, 0, new, PENDING),
        (DRAIN, 0, 0x10002000, old, 0, 0),
        (DRAIN, 0, 0x10002000, 0, new, 0),
    ]
    cause = cause_of("C6 a fault never downgrades: write lost", (5,), events)
    assert cause == BREAKS_FOR_PERMISSIONS
