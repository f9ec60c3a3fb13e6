"""Many schedules of one scenario, in a child process that may die of what the kernel code does.

The C side runs and folds; what is of a new class or tripped a wire comes back as events and
schedule. Who judges is handed in, so that this package knows no oracle.
"""

import ctypes
import mmap
import os
import pickle
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from stage2fuzz.errors import ModelError
from stage2fuzz.events import CRASH, Event
from stage2fuzz.kernel.adapter import Native
from stage2fuzz.scenario import Scenario
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.trace import Trace

ROOM: Final = 1000
"""Runs of one batch that come back at most; those with a tripped wire before the others."""
PATIENCE: Final = 60.0
"""Seconds a batch may take; the library itself ends an endless loop in less than one."""
TRIPS: Final = ("break", "downgrade", "warning", "end", "leak", "flush", "stuck")


@dataclass(frozen=True, slots=True)
class Kept:
    """A run worth judging: the seed that made it, its tripwires, what happened."""

    seed: int
    trips: tuple[str, ...]
    trace: Trace


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of seeds did: ``runs`` were run, ``classes`` of them new, ``kept`` came back."""

    runs: int
    classes: int
    tripped: int
    steps: int
    kept: tuple[Kept, ...]
    crashed: bool = False
    """The last run ended with a signal: the process that ran it is not to be trusted further."""


def explore(native: Native, scenario: Scenario, seed: int, count: int, room: int = ROOM) -> Batch:
    """Run seeds ``seed`` to ``seed + count - 1`` in this process; each run is a pure function of
    the scenario and its seed."""
    native.load(scenario)
    library = native.library
    rows, figures = (ctypes.c_uint64 * (3 * room))(), (ctypes.c_int64 * 6)()
    used = library.s2_explore(
        ctypes.c_uint64(seed), ctypes.c_int64(count), rows, ctypes.c_int(room), figures
    )
    seeds, trips = rows[: 3 * used : 3], rows[2 : 3 * used : 3]
    # In their order, since one that crashed is the last, and memory may be damaged after it.
    traces = {each: native.trace(native.run_seed(each)) for each in sorted(seeds)}
    kept = tuple(
        Kept(
            each, tuple(name for bit, name in enumerate(TRIPS) if tripped >> bit & 1), traces[each]
        )
        for each, tripped in zip(seeds, trips, strict=True)
    )
    runs, classes, tripped, steps, _preemptions, crashed = figures
    return Batch(runs, classes, tripped, steps, kept, bool(crashed))


class Child:
    """A child process with the library loaded; a new one replaces it when it dies."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._process: subprocess.Popen[bytes] | None = None
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            self._place = os.dup(file.fileno())
        self._running = mmap.mmap(self._place, mmap.PAGESIZE)

    def explore(self, scenario: Scenario, seed: int, count: int, room: int = ROOM) -> Batch:
        """As ``explore``; a death of the child is a kept run that ends with CRASH."""
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump((scenario, seed, count, room), process.stdin)
            process.stdin.flush()
            if not select.select([process.stdout], [], [], PATIENCE)[0]:
                process.kill()
            answer = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            return self._bury(process)
        if not isinstance(answer, Batch):
            raise ModelError(f"the child answered {answer!r}")
        if answer.crashed:
            self._end()
        return answer

    def close(self) -> None:
        """End the child."""
        self._end()
        self._running.close()
        os.close(self._place)

    def _end(self) -> None:
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
            self._process.wait()
            self._process = None

    def _alive(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            root = str(Path(__file__).parents[2])
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stage2fuzz.kernel.child", self._library, str(self._place)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(self._place,),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
        return self._process

    def _bury(self, process: "subprocess.Popen[bytes]") -> Batch:
        code = process.wait()
        self._end()
        seed = int.from_bytes(self._running[:8], sys.byteorder)
        died: Event = (CRASH, 0, 0, 0, 0, -code if code < 0 else 0)
        trace = Trace([died], Schedule(), 0, "crash")
        return Batch(0, 0, 1, 0, (Kept(seed, ("end",), trace),), crashed=True)


def serve(library: Path, place: int, orders: BinaryIO, answers: BinaryIO) -> None:
    """The child's life: one order, one answer, until there are no more orders."""
    native = Native(library)
    running = mmap.mmap(place, mmap.PAGESIZE)
    native.library.s2_watch(ctypes.byref(ctypes.c_uint64.from_buffer(running)))
    for scenario, seed, count, room in _orders(orders):
        pickle.dump(explore(native, scenario, seed, count, room), answers)
        answers.flush()


def _orders(stream: BinaryIO) -> Iterator[tuple[Scenario, int, int, int]]:
    while True:
        try:
            yield pickle.load(stream)
        except EOFError:
            return
