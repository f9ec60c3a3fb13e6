"""v6.12 against v5.12: what changes when faults share the lock."""

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import EXECUTE, PTE_LOCKED, READ, WRITE
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Options, Scenario, Slot
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.model.engine import ModelEngine
from stage2fuzz.model.revision import parse_revision
from stage2fuzz.schedule.base import FOREVER, Schedule
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.schedule.replay import Replay
from stage2fuzz.studies.anchored import final_leaves
from tests.model.scenarios import events_of

ENGINE = ModelEngine(parse_revision("v6.12"))
SAME_PAGE = Scenario(vcpus=((Access(WRITE, 0),), (Access(READ, 0),), (Access(EXECUTE, 0),)))
RELAXED = Scenario(vcpus=((Access(READ, 0), Access(EXECUTE, 0)), (Access(READ, 0),)))
RELAXERS = Scenario(vcpus=((Access(READ, 0), Access(EXECUTE, 0)),) * 2)
COLLAPSE = Scenario(
    slots=(Slot(pages=512, backing=Backing.PMD, logging=True),),
    vcpus=((Access(READ, 0), Access(READ, 1)), (Access(READ, 2), Access(READ, 0))),
    hosts=((HostOp(Op.LOG_DISABLE, 0),),),
)


def runs(scenario: Scenario, count: int = 150) -> list[list[Event]]:
    """The events of many random schedules."""
    return [ENGINE.run(scenario, RandomWalk(seed)).events for seed in range(count)]


def test_two_faults_of_one_page_hold_the_lock_together_and_the_loser_gets_eagain() -> None:
    together = lost = 0
    for events in runs(SAME_PAGE):
        held = 0
        for kind, _thread, where, _old, new, aux in events:
            if kind in (ev.LOCK, ev.UNLOCK) and where == ev.LOCK_MMU:
                assert aux == 1, "a fault took the lock exclusively"
                held += 1 if kind == ev.LOCK else -1
                together += held > 1
            lost += kind == ev.RETURN and new == -ev.EAGAIN
        assert all(event[4] == 1 for event in events_of(ev.RESUME, events))
    assert together
    assert lost


def test_every_entry_that_is_taken_is_given_back() -> None:
    taken = 0
    for events in runs(SAME_PAGE) + runs(COLLAPSE):
        entries: dict[int, int] = {}
        for event in events_of(ev.STORE, events):
            entries[event[2]] = event[4]
            taken += event[4] == PTE_LOCKED
        assert PTE_LOCKED not in entries.values()
    assert taken


def test_a_table_that_a_block_replaced_is_freed_when_its_readers_have_left() -> None:
    waited = 0
    for events in runs(COLLAPSE):
        readers: list[int] = []
        waiting: dict[int, list[int]] = {}
        for kind, thread, where, *_ in events:
            if kind == ev.RCU_LOCK:
                readers.append(thread)
            elif kind == ev.RCU_UNLOCK:
                readers.remove(thread)
                for inside in waiting.values():
                    if thread in inside:
                        inside.remove(thread)
            elif kind == ev.FREE_DEFERRED:
                waiting[where] = readers.copy()
                waited += len(readers) > 1
            elif kind == ev.FREE:
                assert not waiting.pop(where, []), "freed under a walker"
        assert not waiting, "never freed"
    assert waited


def test_relaxing_flushes_the_faulting_cpu_alone() -> None:
    flushes = [event[5] for events in runs(RELAXED, 20) for event in events_of(ev.TLBI, events)]
    assert flushes
    assert not any(aux & ev.TLBI_BROADCAST for aux in flushes)


def test_a_page_is_marked_dirty_after_the_lock_is_gone() -> None:
    logged = Scenario(slots=(Slot(logging=True),), vcpus=((Access(WRITE, 0),),))
    kinds = [(event[0], event[2]) for event in ENGINE.run(logged, RandomWalk(0)).events]
    marked = next(i for i, (kind, _) in enumerate(kinds) if kind == ev.MARK_DIRTY)
    assert kinds.index((ev.UNLOCK, ev.LOCK_MMU)) < marked


def test_the_sequence_is_read_under_the_mmap_lock() -> None:
    events = ENGINE.run(Scenario(vcpus=((Access(READ, 0),),)), RandomWalk(0)).events
    kinds = [(event[0], event[2]) for event in events]
    locked, left = kinds.index((ev.LOCK, ev.LOCK_MMAP)), kinds.index((ev.UNLOCK, ev.LOCK_MMAP))
    assert locked < kinds.index((ev.SEQ_READ, 0)) < left


def test_switching_the_log_on_splits_a_block_where_nobody_sees_it() -> None:
    scenario = Scenario(
        slots=(Slot(pages=512, backing=Backing.PMD),),
        vcpus=((Access(WRITE, 0), Access(WRITE, 1)),),
        hosts=((HostOp(Op.LOG_ENABLE),),),
        options=Options(ipa_bits=48),
    )
    splits = 0
    for events in runs(scenario, 30):
        leaves = list(final_leaves(events))
        split = [event[4] for event in events_of(ev.RETURN, events) if event[5] == ev.CALL_SPLIT]
        assert split == [0]
        assert {level for _ipa, level, _pte in leaves} <= {3}
        splits += len(leaves) == 512
    assert splits


def test_a_split_that_finds_no_page_leaves_the_block() -> None:
    scenario = Scenario(
        slots=(Slot(pages=512, backing=Backing.PMD),),
        vcpus=((Access(WRITE, 0),),),
        hosts=((HostOp(Op.LOG_ENABLE),),),
        options=Options(ipa_bits=48, failing_topup=2),
    )
    whole = Replay(Schedule(((0, FOREVER), (1, FOREVER))))
    events = ENGINE.run(scenario, whole).events
    assert [level for _ipa, level, _pte in final_leaves(events)] == [2]
    assert events_of(ev.RETURN, events)[-1][4] == 0


@pytest.mark.parametrize(("revision", "calls"), [("v6.6", 1), ("v6.12", 0)])
def test_until_v6_10_change_pte_maps_the_new_page(revision: str, calls: int) -> None:
    scenario = Scenario(vcpus=((Access(READ, 0),),), hosts=((HostOp(Op.CHANGE_PTE),),))
    whole = Replay(Schedule(((0, FOREVER), (1, FOREVER))))
    events = ModelEngine(parse_revision(revision)).run(scenario, whole).events
    mapped = [e[1] for e in events_of(ev.CALL, events) if e[5] & ev.CALL_CODE == ev.CALL_MAP]
    assert mapped == [0] + [1] * calls


@pytest.mark.parametrize(("revision", "warned"), [("v6.12", [ev.WARN_MEMORY_CACHE]), ("v7.3", [])])
def test_from_v7_3_an_execute_fault_while_logging_has_pages(
    revision: str, warned: list[int]
) -> None:
    scenario = Scenario(
        slots=(Slot(pages=512, backing=Backing.PMD),),
        vcpus=((Access(EXECUTE, 0),), (Access(READ, 0),)),
        hosts=((HostOp(Op.LOG_ENABLE),),),
    )
    order = Replay(Schedule(((1, FOREVER), (2, FOREVER), (0, FOREVER))))
    events = ModelEngine(parse_revision(revision)).run(scenario, order).events
    assert [event[5] for event in events_of(ev.WARN, events)] == warned
    assert {event[4] for event in events_of(ev.RESUME, events)} == {1}


@pytest.mark.parametrize(("revision", "flushes"), [("v6.6", False), ("v6.12", True)])
def test_who_lost_the_race_to_relax_flushes_in_v6_12_alone(revision: str, flushes: bool) -> None:
    engine, lost = ModelEngine(parse_revision(revision)), 0
    for seed in range(150):
        flushed = {}
        for kind, thread, _where, _old, new, aux in engine.run(RELAXERS, RandomWalk(seed)).events:
            if kind == ev.CALL:
                flushed[thread] = False
            elif kind == ev.TLBI:
                flushed[thread] = True
            elif kind == ev.RETURN and aux == ev.CALL_RELAX and new == -ev.EAGAIN:
                lost += 1
                assert flushed[thread] == flushes
    assert lost


def test_a_planted_bug_that_this_code_has_no_place_for_is_refused() -> None:
    with pytest.raises(InputError, match="missing-tlbi"):
        parse_revision("v6.12!free-before-flush")
    with pytest.raises(InputError, match="free-before-flush"):
        parse_revision("v5.12!child-freed-at-once")
