"""A worker in this process: what becomes of an order's lease, its folder and its inputs.

Each promise is tried with the worker's own code and a real database, and with an order whose work
is a line of the test. The same with real processes, killed and frozen, is in ``test_faults``.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from stage2fuzz.case.text import parse
from stage2fuzz.coordinator import loop
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.findings import campaigns, leases, workers
from stage2fuzz.findings.campaign_tables import campaign, corpus, lease, result
from stage2fuzz.findings.corpus import Input
from stage2fuzz.findings.outage import OutageError
from stage2fuzz.findings.silent import silent_pairs
from stage2fuzz.findings.states import Part
from stage2fuzz.findings.store import Store
from stage2fuzz.fuzz import outbox as outboxes
from stage2fuzz.fuzz.outbox import Outbox, claim, digest_of, write_finding, write_statistics
from stage2fuzz.fuzz.outbox import Statistics as Told
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.process.end import DiedError, End, How
from stage2fuzz.process.wait import NoRoomError
from stage2fuzz.service import settings
from stage2fuzz.service.orders import (
    CUT_SHORT,
    NOT_BEGUN,
    CampaignSpec,
    FuzzOrder,
    FuzzResult,
    read_order,
    read_result,
)
from stage2fuzz.worker import fuzzing, job, tasks
from stage2fuzz.worker.job import Job, LeaseLostError

CASE = "stage2fuzz case 1\nengine model:v5.10\nslot 0: pages 4\nvcpu 0: read 0\nend\n"
FAULT = Violation("C6", "two threads", Category.CORRECTNESS, "A verdict.", (), "C6/here")
SPEC = CampaignSpec("night", ("model:v5.10",), ("map_race",), order_seconds=9)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A database with a campaign and its first orders, and the worker's settings for it."""
    url = f"sqlite:///{tmp_path}/campaign.db"
    monkeypatch.setenv(settings.DATABASE, url)
    monkeypatch.setenv(settings.WORK, str(tmp_path))
    monkeypatch.setattr(tasks, "NO_ROOM_PAUSE", 0.0)
    made = Store.open(url)
    campaigns.create(made.engine, SPEC)
    workers.seen(made.engine, Part.WORKER, "here:1", 1)
    loop.tick(made, 1)
    yield made
    job.database.cache_clear()
    made.close()


def first(store: Store) -> Any:
    """The campaign's first lease, as it is."""
    with store.engine.connect() as connection:
        return connection.execute(select(lease).order_by(lease.c.id)).first()


def do(store: Store, monkeypatch: pytest.MonkeyPatch, work: Callable[[Job, Any], None]) -> Any:
    """The first lease after a worker did ``work`` for it; nothing of it may be left behind."""
    seen: list[Path] = []

    def watched(at: Job, order: FuzzOrder) -> None:
        seen.append(at.folder)
        assert at.folder.is_dir()
        assert order.target == "map_race"
        work(at, order)

    monkeypatch.setitem(tasks.WORK, "fuzz", watched)
    tasks.carry_out(1, first(store).id)
    (folder,) = seen
    assert not folder.exists()
    return first(store)


def raising(error: Exception) -> Callable[[Job, Any], None]:
    """Work that ends in an error."""

    def work(_job: Job, _order: Any) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    "error",
    [
        InputError("tree", "is none"),
        ModelError("ours"),
        OSError("disk"),
        ValueError("value"),
        RuntimeError("fork"),
        DiedError("judge", End(How.CRASH, -9), "words"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_order_that_fails_is_given_back_with_its_reason(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    after = do(store, monkeypatch, raising(error))
    assert (after.state, after.attempts, after.announced) == ("ready", 1, 0.0)
    assert after.failure and "\n" not in after.failure


def test_an_order_without_room_is_given_back_and_costs_no_attempt(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = do(store, monkeypatch, raising(NoRoomError("1 MiB are free")))
    assert (after.state, after.attempts, after.failure) == ("ready", 0, "1 MiB are free")


def test_a_lost_lease_is_left_as_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    after = do(store, monkeypatch, raising(LeaseLostError()))
    assert (after.state, after.attempts, after.failure) == ("leased", 1, "")
    assert after.owner == job.owner()


def test_a_result_is_handed_in_with_the_inputs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [Input("model:v5.10", "map_race", digest_of(b"x"), b"x", b"")]

    def work(at: Job, _order: Any) -> None:
        assert at.commit(FuzzResult(7, 1.0), inputs)
        assert not at.commit(FuzzResult(7, 1.0), inputs)

    assert do(store, monkeypatch, work).state == "committed"
    with store.engine.connect() as connection:
        (row,) = connection.execute(select(result.c.body, result.c.merged)).all()
        assert connection.execute(select(corpus.c.data)).scalars().all() == [b"x"]
    assert (read_result(row.body), row.merged) == (FuzzResult(7, 1.0), False)


def test_nothing_is_claimed_twice_nor_where_nothing_can_be_worked_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = first(store).id
    assert job.claimed(1, number) is not None
    before = set(tmp_path.iterdir())
    assert job.claimed(1, number) is None
    assert job.claimed(2, number + 1) is None
    assert set(tmp_path.iterdir()) == before
    monkeypatch.setenv(settings.WORK, str(tmp_path / "not" / "there"))
    with pytest.raises((NoRoomError, FileNotFoundError)):
        job.claimed(1, number + 1)
    tasks_before = first(store)
    for wrong in (True, 0, -1, "1", None, 1 << 70):
        tasks.carry_out(1, wrong)
        tasks.carry_out(wrong, number)
    assert first(store) == tasks_before


def held_job(store: Store, tmp_path: Path) -> Job:
    """The first order in our hands."""
    found = job.claimed(1, first(store).id)
    assert found is not None
    return found


def test_a_lease_is_kept_every_third_of_its_length_and_looked_at_every_second(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = held_job(store, tmp_path)
    beats, looks = [0], [0]

    def heartbeat(*_: object) -> bool:
        beats[0] += 1
        return True

    def is_wanted(*_: object) -> bool:
        looks[0] += 1
        return True

    clock = [0.0]
    monkeypatch.setattr(leases, "heartbeat", heartbeat)
    monkeypatch.setattr(leases, "is_wanted", is_wanted)
    monkeypatch.setattr(job, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    at._next_beat = 10.0
    for _ in range(8 * 30 + 1):  # half a minute
        at.beat()
        clock[0] += 0.125
    assert beats == [3]
    assert 25 <= looks[0] <= 31


def test_a_worker_stops_as_soon_as_nobody_wants_the_order_and_not_for_an_outage(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = held_job(store, tmp_path)
    at.beat()

    def away(*_: object) -> bool:
        raise OutageError("SELECT 1", None, OSError("away"))

    with monkeypatch.context() as patch:
        patch.setattr(leases, "heartbeat", away)
        patch.setattr(leases, "is_wanted", away)
        at._next_beat = at._next_look = 0.0
        at.beat()
        at._next_look = 0.0
        at.beat()
    campaigns.stop(store.engine, 1)
    at._next_look = 0.0
    with pytest.raises(LeaseLostError):
        at.beat()
    at._next_beat = 0.0
    with pytest.raises(LeaseLostError):
        at.beat()


def test_a_finding_is_on_record_before_its_order_ends(store: Store, tmp_path: Path) -> None:
    at = held_job(store, tmp_path)
    number = at.report(parse(CASE, "case"), FAULT, "")
    assert at.report(parse(CASE, "case"), FAULT, "") == number
    (found,) = store.list()
    assert (found.id, found.signature, found.count) == (number, "C6/here", 1)


def fuzz_order(at: Job) -> FuzzOrder:
    """The order that a job is about."""
    order = read_order(at.held.body)
    assert isinstance(order, FuzzOrder)
    return order


def test_a_program_is_a_script_of_the_folder_and_gets_the_order_s_limits(
    store: Store, tmp_path: Path
) -> None:
    at = held_job(store, tmp_path)
    order = fuzz_order(at)
    script, arguments = fuzzing.program(at, order)
    assert script.name == "map_race.py" and script.is_file()
    assert f"-max_total_time={order.seconds}" in arguments
    assert f"-seed={order.seed or 1}" in arguments
    assert f"--engine={order.engine}" in arguments
    assert arguments[-1] == "corpus"
    with pytest.raises(InputError, match="no such fuzz target"):
        fuzzing.program(at, FuzzOrder(0, "model:v5.10", "nothing", 1, 1, ()))


@pytest.mark.parametrize(
    ("end", "spent", "ended"),
    [
        (End(How.OK, 0), 99.0, "ok"),
        (End(How.OK, 0), 0.0, "early"),
        (End(How.TIMEOUT, -9), 99.0, "timeout"),
    ],
)
def test_how_an_order_ended_is_handed_in_with_what_it_ran(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    end: End,
    spent: float,
    ended: str,
) -> None:
    clock = [0.0]

    def run_target(at: Job, _order: FuzzOrder, _outbox: Outbox) -> tuple[End, int]:
        write_statistics(at.folder / "outbox", Told(schedules=50, seconds=2.0))
        clock[0] += spent
        return end, 3

    monkeypatch.setattr(fuzzing, "run_target", run_target)
    monkeypatch.setattr(fuzzing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(fuzzing, "report_killers", lambda *_: ())
    assert do(store, monkeypatch, fuzzing.fuzz).state == "committed"
    with store.engine.connect() as connection:
        told = read_result(connection.execute(select(result.c.body)).scalar_one())
    assert isinstance(told, FuzzResult)
    assert (told.schedules, told.findings, told.ended) == (50, 3, ended)


def say(at: Job, schedules: int) -> None:
    """Tell that so many schedules ran, as a target does."""
    write_statistics(at.folder / "outbox", Told(schedules=schedules, seconds=2.0))


@pytest.mark.parametrize(
    ("told", "silent", "ended"),
    [
        (50, 0.0, CUT_SHORT),
        (50, fuzzing.HUNG_SECONDS + 1, "timeout"),
        (0, fuzzing.HUNG_SECONDS + 1, NOT_BEGUN),
        (0, fuzzing.GRACE_SECONDS + 1, "timeout"),
        (None, fuzzing.HUNG_SECONDS + 1, NOT_BEGUN),
        (None, fuzzing.GRACE_SECONDS + 1, "timeout"),
    ],
)
def test_the_end_of_a_campaign_hides_neither_what_ran_nor_who_never_spoke(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    told: int | None,
    silent: float,
    ended: str,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(outboxes, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def lose(at: Job, _order: FuzzOrder, outbox: Outbox) -> tuple[End, int]:
        outbox.silence()
        with store.engine.begin() as connection:
            connection.execute(update(lease).values(state="cancelled"))
        if told is not None:
            say(at, told)
        outbox.silence()
        clock[0] += silent
        raise LeaseLostError

    monkeypatch.setattr(fuzzing, "run_target", lose)
    assert do(store, monkeypatch, fuzzing.fuzz).state == "committed"
    with store.engine.connect() as connection:
        done = read_result(connection.execute(select(result.c.body)).scalar_one())
        counted = connection.execute(select(campaign.c.schedules)).scalar_one()
    assert isinstance(done, FuzzResult)
    assert (counted, done.schedules, done.ended) == (told or 0, told or 0, ended)
    assert silent_pairs(store.engine, 1) == ([] if told else ["model:v5.10 map_race"])


def test_a_campaign_that_ends_while_a_tree_is_built_is_told_that_the_order_has_not_begun(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> None:
        with store.engine.begin() as connection:
            connection.execute(update(lease).values(state="cancelled"))
        raise LeaseLostError

    monkeypatch.setattr(fuzzing, "prepare", lose)
    after = do(store, monkeypatch, fuzzing.fuzz)
    assert (after.state, after.failure) == ("committed", NOT_BEGUN)
    assert silent_pairs(store.engine, 1) == ["model:v5.10 map_race"]


def test_a_target_that_died_of_no_input_is_told_though_its_campaign_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        with store.engine.begin() as connection:
            connection.execute(update(lease).values(state="cancelled"))
        raise DiedError("map_race, no input", End(How.CRASH, -9))

    monkeypatch.setattr(fuzzing, "run_target", lambda *_: (End(How.CRASH, -9), 0))
    monkeypatch.setattr(fuzzing, "report_killers", die)
    assert do(store, monkeypatch, fuzzing.fuzz).failure == "crash"


def test_how_a_target_ended_is_told_though_its_campaign_ended_while_it_was_looked_at(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_target(at: Job, *_: object) -> tuple[End, int]:
        say(at, 50)
        return End(How.OUTPUT, -9), 0

    def lose(*_: object) -> tuple[str, ...]:
        with store.engine.begin() as connection:
            connection.execute(update(lease).values(state="cancelled"))
        raise LeaseLostError

    monkeypatch.setattr(fuzzing, "run_target", run_target)
    monkeypatch.setattr(fuzzing, "report_killers", lose)
    assert do(store, monkeypatch, fuzzing.fuzz).failure == "output"
    assert silent_pairs(store.engine, 1) == []


def test_silence_begins_with_the_last_schedule_or_else_with_the_first_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [5.0]
    monkeypatch.setattr(outboxes, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    outbox = Outbox(tmp_path, "model:v5.10")

    def after(seconds: float) -> tuple[float, bool]:
        clock[0] += seconds
        return outbox.silence(), outbox.has_spoken

    assert after(3.0) == (0.0, False)
    assert after(2.0) == (2.0, False)
    write_statistics(tmp_path, Told(schedules=0))
    assert after(2.0) == (4.0, False)
    write_statistics(tmp_path, Told(schedules=1))
    assert after(2.0) == (0.0, True)
    assert after(2.0) == (2.0, True)
    write_statistics(tmp_path, Told(schedules=1, seconds=9.0))
    assert after(2.0) == (4.0, True)
    write_statistics(tmp_path, Told(schedules=20, seconds=9.0))
    assert after(2.0) == (0.0, True)


def test_an_input_that_kills_is_a_finding_and_a_death_of_none_is_a_failure(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = held_job(store, tmp_path)
    order = fuzz_order(at)
    fuzzing.lay_out_seeds(at, order)
    outbox = Outbox(at.folder / "outbox", order.engine)
    died = End(How.CRASH, -11)
    monkeypatch.setattr(fuzzing, "killers", lambda *_: [("crash", b"deadly")])
    assert fuzzing.report_killers(at, order, outbox, died) == (digest_of(b"deadly"),)
    assert [each.signature for each in store.list()] == ["process/crash/map_race"]
    monkeypatch.setattr(fuzzing, "killers", lambda *_: [])
    assert fuzzing.report_killers(at, order, outbox, End(How.OK, 0)) == ()
    assert fuzzing.report_killers(at, order, outbox, End(How.TIMEOUT, -9)) == ()
    with pytest.raises(DiedError):
        fuzzing.report_killers(at, order, outbox, died)

    def full(_folder: Path) -> None:
        raise NoRoomError("full")

    monkeypatch.setattr(fuzzing, "expect_room", full)
    with pytest.raises(NoRoomError):
        fuzzing.report_killers(at, order, outbox, died)


def test_what_a_target_reports_while_it_runs_is_recorded_and_what_is_none_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = held_job(store, tmp_path)
    order = fuzz_order(at)
    fuzzing.lay_out_seeds(at, order)
    outbox = Outbox(at.folder / "outbox", order.engine)

    class Server:
        def run(self, *given: Any) -> End:
            beat = given[-1]
            write_finding(at.folder / "outbox", parse(CASE, "case"), FAULT)
            beat()
            assert [each.count for each in store.list()] == [1]
            (at.folder / "outbox" / "bad.finding.json").write_text("{")
            beat()
            return End(How.OK, 0)

    monkeypatch.setattr(fuzzing, "fork_server", lambda _process: Server())
    assert fuzzing.run_target(at, order, outbox) == (End(How.OK, 0), 1)


def test_new_inputs_are_measured_where_they_claim_what_nobody_has(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = held_job(store, tmp_path)
    order = fuzz_order(at)
    old = fuzzing.lay_out_seeds(at, order)
    outbox = Outbox(at.folder / "outbox", order.engine)
    datas = {"seed": b"s", "small": b"ab", "large": b"abcdef", "second": b"abc", "none": b"a"}
    for name, data in datas.items():
        (at.folder / "corpus" / name).write_bytes(data)
    shown = {"small": {1, 2}, "large": {1, 2}, "second": {2, 3}, "none": {1}}
    for name in ("small", "large", "second"):
        claim(outbox.folder, datas[name], shown[name])
    asked: list[str] = []

    def measure(_job: Job, _engine: str, _target: str, paths: Any) -> Any:
        asked.extend(path.name for path in paths)
        return {path: frozenset(shown[path.name]) for path in paths}

    monkeypatch.setattr(fuzzing, "measure", measure)
    found = fuzzing.new_inputs(at, order, outbox, {*old, "seed"})
    assert asked == ["small", "second"]
    assert [each.digest for each in found] == [digest_of(datas[name]) for name in asked]
    shutil.rmtree(outbox.folder)
    outbox.folder.mkdir()
    asked.clear()
    assert len(fuzzing.new_inputs(at, order, outbox, {*old, "seed"})) == 3
    assert asked == ["none", "small", "second", "large"]
    assert fuzzing.new_inputs(at, order, outbox, set(datas)) == []
