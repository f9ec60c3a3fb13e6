"""Weak memory of the C runtime: litmus shapes, and runs of a tree whose stores are seen late."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from stage2fuzz.case.scenario import Options, Scenario, Tlb
from stage2fuzz.events import (
    DMB_ISH,
    DMB_ISHST,
    DRAIN,
    DSB_ISH,
    DSB_ISHST,
    ORDER_PLAIN,
    ORDER_RELEASE,
    PENDING,
    STORE,
)
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.build import HERE
from stage2fuzz.kernel.compiling import write_headers
from stage2fuzz.kernel.toolchain import RUNTIME_FLAGS
from stage2fuzz.schedule import strategy
from stage2fuzz.schedule.base import Run, Schedule, View

CHECK = Path(__file__).parent / "storebuffer_check.c"
COMPILER = shutil.which("clang") or shutil.which("gcc")
A, B = 0, 1
Instruction = Callable[[ctypes.CDLL, list[int]], None]
Outcome = tuple[tuple[int, ...], ...]


@pytest.fixture(scope="module")
def buffers(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if COMPILER is None:
        pytest.skip("needs clang or gcc")
    folder = tmp_path_factory.mktemp("storebuffer")
    write_headers(folder)
    quoted = ("-iquote", str(folder), "-iquote", str(HERE / "runtime"))
    command = [COMPILER, *RUNTIME_FLAGS, "-Wno-unused-function", *quoted, "-shared", "-fPIC"]
    done = subprocess.run(
        [*command, str(CHECK), "-o", str(folder / "check.so")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(folder / "check.so"))
    library.check_load.restype = library.check_cmpxchg.restype = ctypes.c_uint64
    return library


def store(number: int, value: int = 1, order: int = ORDER_PLAIN) -> Instruction:
    return lambda library, seen: library.check_store(number, ctypes.c_uint64(value), order)


def plain(number: int, value: int = 1) -> Instruction:
    return lambda library, seen: library.check_plain_store(number, ctypes.c_uint64(value))


def load(number: int) -> Instruction:
    return lambda library, seen: seen.append(library.check_load(number))


def barrier(kind: int) -> Instruction:
    return lambda library, seen: library.check_barrier(kind)


def exchange(number: int, expected: int, value: int) -> Instruction:
    def act(library: ctypes.CDLL, seen: list[int]) -> None:
        old, new = ctypes.c_uint64(expected), ctypes.c_uint64(value)
        seen.append(library.check_cmpxchg(number, old, new))

    return act


def outcomes(library: ctypes.CDLL, *threads: tuple[Instruction, ...]) -> set[Outcome]:
    """What the threads' loads see, and memory at the end, in every interleaving of instructions and
    of stores becoming visible."""
    found: set[Outcome] = set()
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        way = waiting.pop()
        seen: list[list[int]] = [[] for _ in threads]
        at = [0] * len(threads)
        library.check_begin(len(threads))
        for number in count():
            options = list(_options(library, threads, at))
            if not options:
                break
            if number >= len(way):
                waiting += [(*way, other) for other in range(1, len(options))]
                way = (*way, 0)
            thread, which = options[way[number]]
            if which is None:
                library.check_run(thread)
                threads[thread][at[thread]](library, seen[thread])
                at[thread] += 1
            else:
                library.check_drain(thread, which)
        library.check_run(-1)
        memory = tuple(int(library.check_load(each)) for each in (A, B))
        found.add((*map(tuple, seen), memory))
    return found


def _options(
    library: ctypes.CDLL, threads: tuple[tuple[Instruction, ...], ...], at: list[int]
) -> Iterator[tuple[int, int | None]]:
    for thread, instructions in enumerate(threads):
        if at[thread] < len(instructions):
            yield thread, None
        yield from ((thread, which) for which in range(library.check_ready(thread)))


DMB: Final = barrier(DMB_ISHST)
DSB: Final = barrier(DSB_ISHST)


@pytest.mark.parametrize(
    ("between", "allowed"),
    [
        ((), True),
        ((DMB,), True),
        ((barrier(DMB_ISH),), False),
        ((DSB,), False),
        ((barrier(DSB_ISH),), False),
    ],
    ids=["nothing", "dmb-st", "dmb", "dsb-st", "dsb"],
)
def test_store_buffering_needs_a_barrier_that_waits(
    buffers: ctypes.CDLL, between: tuple[Instruction, ...], allowed: bool
) -> None:
    """SB: each stores, then loads what the other stores."""
    seen = outcomes(buffers, (store(A), *between, load(B)), (store(B), *between, load(A)))
    assert (((0,), (0,), (1, 1)) in seen) is allowed
    assert ((1,), (1,), (1, 1)) in seen


@pytest.mark.parametrize(
    ("writer", "allowed"),
    [
        ((store(A), store(B)), True),
        ((plain(A), plain(B)), True),
        ((store(A), DMB, store(B)), False),
        ((store(A), DSB, store(B)), False),
        ((store(A), store(B, 1, ORDER_RELEASE)), False),
        ((store(A, 1, ORDER_RELEASE), store(B)), True),
        ((store(A), exchange(B, 0, 1)), False),
    ],
    ids=["plain", "compiled", "dmb-st", "dsb-st", "release", "release-first", "cmpxchg"],
)
def test_a_message_needs_an_order_of_its_stores(
    buffers: ctypes.CDLL, writer: tuple[Instruction, ...], allowed: bool
) -> None:
    """MP: the contents of a table, and then its link; readers are ordered by address dependency."""
    seen = outcomes(buffers, writer, (load(B), load(A)))
    assert ((1, 0) in {each[1] for each in seen}) is allowed
    assert (1, 1) in {each[1] for each in seen}


def test_a_cpu_sees_its_own_stores_at_once_and_nobody_elses_early(buffers: ctypes.CDLL) -> None:
    seen = outcomes(buffers, (store(A), load(A), store(A, 2), load(A)), (load(A),))
    assert {each[0] for each in seen} == {(1, 2)}
    assert {each[1] for each in seen} == {(0,), (1,), (2,)}
    assert {each[2] for each in seen} == {(2, 0)}


def test_stores_to_one_entry_stay_in_order(buffers: ctypes.CDLL) -> None:
    """CoWW and CoRR: nobody sees the newer value and then the older one."""
    seen = outcomes(buffers, (store(A, 1), store(A, 2)), (load(A), load(A)))
    assert (2, 1) not in {each[1] for each in seen}
    assert {each[2] for each in seen} == {(2, 0)}


def test_the_stores_of_two_cpus_to_one_entry_take_either_order(buffers: ctypes.CDLL) -> None:
    seen = outcomes(buffers, (store(A, 1), load(A)), (store(A, 2), load(A)))
    assert {each[2] for each in seen} == {(1, 0), (2, 0)}
    assert ((1,), (2,), (1, 0)) in seen


def test_a_full_buffer_makes_its_oldest_store_visible(buffers: ctypes.CDLL) -> None:
    buffers.check_begin(2)
    buffers.check_run(0)
    for number in range(65):
        buffers.check_store(A if number else B, ctypes.c_uint64(number + 1), ORDER_PLAIN)
    buffers.check_run(1)
    assert (buffers.check_load(B), buffers.check_load(A)) == (1, 0)


class Dictation:
    """Says a schedule from outside, as a scheduler of Python does."""

    def __init__(self, schedule: Schedule) -> None:
        self._runs, self._choices = list(schedule.runs), list(schedule.choices)

    def begin(self, threads: int) -> None:
        """Nothing to do: one run each."""

    def next(self, view: View) -> Run:
        """The rest of the run, or the next one."""
        if view.left:
            return view.current, view.left
        return self._runs.pop(0)

    def choose(self, options: int) -> int:
        """The next choice."""
        return self._choices.pop(0)


LATE = replace(REFERENCE, options=Options(pending_stores=True))
STALE = replace(REFERENCE, options=Options(pending_stores=True, tlb=Tlb.SAMPLED))


@pytest.mark.parametrize("scenario", [LATE, STALE], ids=["fresh", "sampled"])
def test_a_seed_its_schedule_and_a_scheduler_outside_make_the_same_events(
    kernel: KernelEngine, scenario: Scenario
) -> None:
    drained = 0
    for seed in range(40):
        made = kernel.run(scenario, seed)
        drained += sum(event[0] == DRAIN for event in made.events)
        again = kernel.run(scenario, made.schedule)
        assert again.events == made.events
        assert again.schedule == made.schedule
        told = kernel.run(scenario, Dictation(made.schedule))
        assert (told.events, told.preemptions) == (made.events, made.preemptions)
    assert drained > 100


def test_each_pending_store_is_drained_once_in_a_run_that_ends(kernel: KernelEngine) -> None:
    for seed in range(40):
        trace = kernel.run(LATE, seed)
        late = [event[1:5] for event in trace.events if event[0] == STORE and event[5] & PENDING]
        drains = [event[1:5] for event in trace.events if event[0] == DRAIN]
        assert trace.ended == "finished"
        assert sorted((t, at, new) for t, at, _, new in late) == sorted(
            (t, at, new) for t, at, _, new in drains
        )


@pytest.mark.parametrize("name", ["random", "pct", "pos", "surw", "breaker"])
def test_every_strategy_of_python_schedules_store_buffers_too(
    kernel: KernelEngine, name: str
) -> None:
    chosen = strategy(name, 7)
    traces = [kernel.run(LATE, chosen) for _ in range(5)]
    assert all(trace.ended == "finished" for trace in traces)
    assert any(thread >= LATE.threads for trace in traces for thread, _ in trace.schedule.runs)


def test_without_pending_stores_no_store_is_late(kernel: KernelEngine) -> None:
    trace = kernel.run(REFERENCE, 3)
    assert not any(event[0] == DRAIN for event in trace.events)
    assert not any(event[5] & PENDING for event in trace.events if event[0] == STORE)
