"""Recording, triage and history of findings, on each kind of database."""

import multiprocessing
from dataclasses import replace

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.findings.real import RealCounts, in_words
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.schedule.base import Schedule

CASE = Case(
    "model:v5.10",
    Scenario(vcpus=((Access(WRITE, 0), Access(READ, 1)), (Access(READ, 0),))),
    Schedule(((0, 7), (1, 30))),
)
SMALL = replace(CASE, scenario=Scenario(vcpus=((Access(WRITE, 0),), (Access(READ, 0),))))


def violation(signature: str = "C6 read takes write", oracle: str = "C6") -> Violation:
    return Violation(
        oracle,
        "permission taken away",
        Category.CORRECTNESS,
        "vCPU 1 takes away the write permission that vCPU 0 was just given",
        (3, 9),
        signature,
    )


def record(store: Store, signature: str = "C6 read takes write", engine: str = "") -> int:
    found = replace(CASE, engine=engine) if engine else CASE
    return store.record(found, violation(signature), "log\n").number


def test_a_finding_keeps_all_that_was_recorded(store: Store) -> None:
    number = record(store)
    finding = store.get(number)
    assert (finding.engine, finding.oracle, finding.rule) == (
        "model:v5.10",
        "C6",
        "permission taken away",
    )
    assert finding.category == "correctness"
    assert finding.verdict.startswith("vCPU 1 takes away")
    assert parse(finding.case_text, "finding") == CASE
    assert finding.reproducer == finding.case_text
    assert finding.events == "log\n"
    assert (finding.state, finding.count, finding.notes) == (State.NEW, 1, [])
    assert 1_700_000_000 < finding.first_seen <= finding.last_seen < finding.first_seen + 60


def test_a_repeat_is_a_counter_and_never_a_row(store: Store) -> None:
    first = store.record(CASE, violation(), "first")
    again = store.record(SMALL, violation(), "again", seen=5)
    assert first.new and not again.new
    assert again.number == first.number
    [finding] = store.list()
    assert finding.count == 6
    assert finding.events == "first"
    assert finding.last_seen >= finding.first_seen


def test_the_same_fault_of_another_engine_is_another_finding(store: Store) -> None:
    assert record(store) != record(store, engine="model:series-v1")
    assert [finding.engine for finding in store.list()] == ["model:v5.10", "model:series-v1"]


OLD, NEW = "0" * 24, "1" * 24
BUILT = replace(CASE, engine="kernel:linux", build=OLD)
REBUILT = replace(BUILT, schedule=Schedule(((0, 8), (1, 30))), build=NEW)


def test_another_build_s_case_takes_the_place_of_the_old_build_s(store: Store) -> None:
    number = store.record(BUILT, violation(), "old log").number
    store.confirm(number, 3, 3, build=OLD)
    store.attach_minimised(number, replace(SMALL, engine="kernel:linux", build=OLD))
    store.record(BUILT, violation(), "again")
    assert store.get(number).state == State.MINIMISED
    store.record(REBUILT, violation(), "new log")
    [finding] = store.list()
    assert (finding.id, finding.count, finding.state) == (number, 3, State.NEW)
    assert (finding.build, finding.events, finding.minimised) == (NEW, "new log", "")
    assert parse(finding.case_text, "finding") == REBUILT
    assert (finding.attempts, finding.confirmations) == (0, 0)
    assert finding.notes[-1].text == f"seen with build {NEW}, before with build {OLD}"


def test_numbers_have_no_holes(store: Store) -> None:
    for _ in range(5):
        record(store, "a")
    assert [record(store, name) for name in ("b", "a", "c")] == [2, 1, 3]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", "a zero\0character"),
        ("verdict", "half a pair \ud800"),
        ("verdict", "x" * 100_000),
        ("verdict", ""),
        ("signature", "C6\0"),
        ("oracle", "an oracle of more than sixteen letters"),
        ("rule", "x" * 121),
    ],
)
def test_a_violation_that_no_database_stores_is_refused_in_one_line(
    store: Store, field: str, value: str
) -> None:
    with pytest.raises(InputError, match=field) as caught:
        store.record(
            CASE,
            replace(violation(), **{field: value}),  # type: ignore[arg-type]
            "",
        )
    assert "\n" not in str(caught.value)
    assert store.list() == []


def test_a_person_s_word_outlives_a_build(store: Store) -> None:
    number = store.record(BUILT, violation(), "").number
    store.triage(number, note="known")
    store.record(REBUILT, violation(), "")
    assert store.get(number).state == State.TRIAGED


def test_runs_of_another_build_are_noted_and_prove_nothing(store: Store) -> None:
    number = store.record(BUILT, violation(), "").number
    store.confirm(number, 0, 3, build=NEW)
    store.confirm(number, 2, 3, build=NEW)
    finding = store.get(number)
    assert (finding.state, finding.attempts) == (State.NEW, 0)
    assert [note.text for note in finding.notes] == [
        f"not seen with build {NEW}",
        f"seen with build {NEW}",
    ]
    store.confirm(number, 0, 3, build=OLD)
    assert store.get(number).notes[-1].text == "did not reproduce in 3 clean runs"


def test_a_smaller_case_of_another_build_brings_its_build_along(store: Store) -> None:
    number = store.record(BUILT, violation(), "old log").number
    store.attach_minimised(number, replace(SMALL, engine="kernel:linux", build=NEW))
    finding = store.get(number)
    assert (finding.state, finding.build, finding.events) == (State.MINIMISED, NEW, "")
    assert parse(finding.reproducer, "finding").build == NEW


def test_a_fixed_tree_that_shows_the_fault_again_says_with_which_build(store: Store) -> None:
    number = store.record(BUILT, violation(), "").number
    store.triage(number, fixed_in="kernel:linux")
    assert store.record(REBUILT, violation(), "").reopened == (number,)
    text = f"seen again in kernel:linux (build {NEW}), where it was fixed"
    assert store.get(number).notes[-1].text == text


def test_a_case_that_is_no_case_is_never_recorded(store: Store) -> None:
    with pytest.raises(InputError, match="page 9999 of a slot"):
        beyond = Scenario(vcpus=((Access(READ, 9999),),))
        store.record(replace(CASE, scenario=beyond, schedule=Schedule()), violation(), "")
    with pytest.raises(InputError, match="signature"):
        store.record(CASE, violation("x" * 1001), "")
    assert store.list() == []


def test_the_machine_earns_confirmed_then_minimised(store: Store) -> None:
    number = record(store)
    store.confirm(number, 0, 3)
    assert store.get(number).state == State.NEW
    store.confirm(number, 3, 3)
    assert store.get(number).state == State.CONFIRMED
    store.attach_minimised(number, SMALL)
    finding = store.get(number)
    assert (finding.state, finding.confirmations, finding.attempts) == (State.MINIMISED, 3, 6)
    assert finding.reproducer == format_case(SMALL)
    assert [note.text for note in finding.notes] == [
        "did not reproduce in 3 clean runs",
        "reproduced in 3 of 3 clean runs",
        "minimised",
    ]


def test_a_longer_reproducer_does_not_replace_a_shorter(store: Store) -> None:
    number = record(store)
    store.attach_minimised(number, SMALL)
    store.attach_minimised(number, CASE)
    assert store.get(number).minimised == format_case(SMALL)
    with pytest.raises(InputError, match=r"a case of model:v5\.12; model:v5\.10"):
        store.attach_minimised(number, replace(SMALL, engine="model:v5.12"))


def test_minimising_does_not_undo_triage(store: Store) -> None:
    number = record(store)
    store.triage(number, note="looks real", owner="kvm", label="map race")
    store.confirm(number, 1, 1)
    store.attach_minimised(number, SMALL)
    finding = store.get(number)
    assert (finding.state, finding.owner, finding.label) == (State.TRIAGED, "kvm", "map race")
    assert [(note.state, note.text) for note in finding.notes] == [
        ("triaged", "owner kvm, label map race; looks real")
    ]


def test_regressions_say_first_seen_in_and_fixed_in(store: Store) -> None:
    number = record(store)
    engines = ["model:v5.10", "model:v5.10+p1", "model:v5.10+p2", "model:v5.12"]
    store.regressed(number, engines, engines[:2], engines[2:])
    finding = store.get(number)
    assert (finding.first_seen_in, finding.fixed_in) == ("model:v5.10", "model:v5.10+p2")
    assert [(one.engine, one.outcome) for one in finding.regressions] == [
        ("model:v5.10", "present"),
        ("model:v5.10+p1", "present"),
        ("model:v5.10+p2", "absent"),
        ("model:v5.12", "absent"),
    ]
    store.regressed(number, engines, [engines[3]], engines[:2])
    finding = store.get(number)
    assert (finding.first_seen_in, finding.fixed_in) == ("model:v5.12", "")
    assert [one.outcome for one in finding.regressions] == [
        "absent",
        "absent",
        "unknown",
        "present",
    ]


def test_fixed_stays_fixed_until_it_is_seen_where_it_was_fixed(store: Store) -> None:
    number = record(store)
    store.triage(number, fixed_in="model:v5.12")
    assert store.get(number).state == State.FIXED
    record(store)
    assert store.get(number).state == State.FIXED
    again = store.record(replace(CASE, engine="model:v5.12"), violation(), "")
    assert again.new and again.reopened == (number,)
    finding = store.get(number)
    assert (finding.state, finding.reopened, finding.fixed_in) == (State.NEW, 1, "")
    assert finding.notes[-1].text == "seen again in model:v5.12, where it was fixed"


def test_invalid_and_duplicate_stay_what_they_are(store: Store) -> None:
    first, second = record(store, "a"), record(store, "b")
    store.triage(first, State.INVALID, "the oracle was wrong")
    store.triage(second, duplicate_of=first)
    record(store, "a")
    record(store, "b")
    assert (store.get(first).state, store.get(first).count) == (State.INVALID, 2)
    assert (store.get(second).state, store.get(second).duplicate_of) == (State.DUPLICATE, first)


def test_a_note_on_a_closed_finding_leaves_it_closed(store: Store) -> None:
    number = record(store)
    store.triage(number, State.INVALID)
    store.triage(number, note="see the manual")
    assert store.get(number).state == State.INVALID
    store.triage(number, State.TRIAGED, "it is real after all")
    assert store.get(number).state == State.TRIAGED


def test_a_decision_that_lacks_something_changes_nothing(store: Store) -> None:
    first, second = record(store, "a"), record(store, "b")
    store.triage(second, duplicate_of=first)
    for keywords, message in [
        ({"state": State.FIXED}, "fixed in no engine; name an engine"),
        ({"state": State.DUPLICATE}, "duplicate of nothing"),
        ({"state": State.CONFIRMED}, "is earned; one of triaged, fixed, duplicate, invalid"),
        ({"duplicate_of": first}, "duplicate of itself"),
        ({"duplicate_of": second}, f"a duplicate itself; name its original; that is {first}"),
        ({"duplicate_of": 99}, "finding 99: there is none"),
        ({"fixed_in": "v5.12"}, "engine 'v5.12'; KIND:NAME, such as model:v5.10"),
        ({"label": "x" * 81}, "a label of 81 characters; at most 80"),
        ({"note": "\0"}, "zero character"),
    ]:
        with pytest.raises(InputError, match=message):
            store.triage(first, **keywords)  # type: ignore[arg-type]
    assert (store.get(first).state, store.get(first).notes) == (State.NEW, [])


def test_a_number_that_is_not_there_is_one_clear_line(store: Store) -> None:
    for call in (
        lambda: store.get(7),
        lambda: store.confirm(7, 1, 1),
        lambda: store.attach_minimised(7, SMALL),
        lambda: store.triage(7, note="?"),
        lambda: store.regressed(7, ["model:v5.12"], [], []),
    ):
        with pytest.raises(InputError, match="finding 7: there is none; see: stage2fuzz findings"):
            call()


def test_the_list_can_be_restricted(store: Store) -> None:
    first, second = record(store, "a"), record(store, "b", "model:v5.12")
    third = store.record(CASE, violation("c", "B1"), "").number
    store.triage(second, State.INVALID)
    assert [one.id for one in store.list()] == [first, second, third]
    assert [one.id for one in store.list(engine="model:v5.12")] == [second]
    assert [one.id for one in store.list(oracle="B1", category="correctness")] == [third]
    assert [one.id for one in store.list([State.NEW, State.CONFIRMED])] == [first, third]
    assert [one.id for one in store.list(limit=1)] == [first]
    assert store.list(category="progress") == []


def test_a_caller_may_record_within_its_own_transaction(store: Store) -> None:
    class StoppedError(Exception):
        pass

    with pytest.raises(StoppedError), store.engine.begin() as connection:
        store.record(CASE, violation(), "", within=connection)
        raise StoppedError
    assert store.list() == []
    with store.engine.begin() as connection:
        number = store.record(CASE, violation(), "", within=connection).number
        store.confirm(number, 2, 2, within=connection)
        store.attach_minimised(number, SMALL, within=connection)
    assert store.get(number).state == State.MINIMISED


def _record_many(url: str, rounds: int) -> None:
    store = Store.open(url)
    for i in range(rounds):
        store.record(CASE, violation(f"fault {i % 5}"), "")
    store.close()


def test_processes_that_record_at_once_lose_and_double_nothing(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    rounds, processes = 40, [context.Process(target=_record_many, args=(url, 40)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    store = Store.open(url)
    findings = store.list()
    store.close()
    assert len(findings) == 5
    assert sum(finding.count for finding in findings) == 2 * rounds


def test_the_newest_answer_of_each_real_kernel_is_kept_and_each_is_history(store: Store) -> None:
    number = record(store)
    store.tried_on_real(number, RealCounts("6.12.117", "not reached", 0, 0, 2))
    store.tried_on_real(number, RealCounts("6.12.117", "confirmed", 9, 0, 1))
    store.tried_on_real(number, RealCounts("5.10.223", "refuted", 0, 5, 0))
    found = store.get(number)
    assert [in_words(each) for each in found.real] == [
        "refuted on Linux 5.10.223, 5 of 5 runs",
        "confirmed on Linux 6.12.117, 9 of 10 runs, 1 not reached",
    ]
    assert len([note for note in found.notes if "on Linux" in note.text]) == 3
    with pytest.raises(InputError, match="there is none"):
        store.tried_on_real(number + 1, RealCounts("6.1.1", "refuted", 0, 1, 0))
