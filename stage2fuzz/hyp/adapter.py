"""A built EL2 as an engine: proved before it is believed."""

import ctypes
from array import array
from functools import cached_property
from itertools import chain
from typing import Final

from stage2fuzz.case.scenario import HypCall, HypOp, Scenario
from stage2fuzz.engine import Burst, Trace
from stage2fuzz.errors import InputError
from stage2fuzz.events import HYPERCALL_RETURN, WARN
from stage2fuzz.hyp.build import HypLibrary
from stage2fuzz.kernel.lines import Lines, load_lines
from stage2fuzz.kernel.native import Native
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule, Scheduler
from stage2fuzz.schedule.replay import Replay
from stage2fuzz.source import Stack

SMOKE: Final = Scenario(
    vcpus=(),
    cpus=(
        (
            HypCall(HypOp.HOST_WRITE, page=0),
            HypCall(HypOp.SHARE_HYP, page=0),
            HypCall(HypOp.UNSHARE_HYP, page=0),
            HypCall(HypOp.LOAD, vm=0),
            HypCall(HypOp.GUEST_WRITE, page=1, gfn=1),
            HypCall(HypOp.PUT),
            HypCall(HypOp.UNSHARE_GUEST, vm=0, gfn=1),
        ),
        (
            HypCall(HypOp.LOAD, vm=2),
            HypCall(HypOp.GUEST_WRITE, page=2, gfn=0),
            HypCall(HypOp.GUEST_SHARE, gfn=0),
            HypCall(HypOp.PUT),
            HypCall(HypOp.START_TEARDOWN, vm=2),
            HypCall(HypOp.FINALIZE_TEARDOWN, vm=2),
        ),
    ),
)
"""What each build must get through before it is believed, each call with success."""


class HypEngine:
    """EL2 of one tree, built and loaded; not to be shared between OS threads."""

    def __init__(self, library: HypLibrary) -> None:
        self.library = library
        self.rules = Rules(ownership=True)

    @property
    def build(self) -> str:
        """What a schedule belongs to: tree, shim, compiler and flags by their contents."""
        return self.library.key

    @cached_property
    def native(self) -> Native:
        """The loaded library; loaded when first used."""
        return Native(self.library.path, encode)

    def prove(self) -> None:
        """Check that EL2 starts, its own check of ownership included, and that its calls succeed.

        InputError where it does not: a blind build looks like code without bugs.
        """
        where = str(self.library.tree)
        trace = self.run(SMOKE, Schedule())
        if self.native.started():
            raise InputError(where, "EL2 does not start, or its own check of ownership warns")
        failed = [
            HypOp(event[5]).name.lower()
            for event in trace.events
            if event[0] == HYPERCALL_RETURN and event[4]
        ]
        if trace.ended != "finished" or failed or any(e[0] == WARN for e in trace.events):
            found = f"{', '.join(failed) or 'no call'} failed, the run {trace.ended}"
            raise InputError(where, f"the smoke program does not get through: {found}")
        if self.native.announced_loads() != 3:
            raise InputError(where, "plain loads are not announced", "another compiler")

    def run(self, scenario: Scenario, how: Scheduler | Schedule | int) -> Trace:
        """Run ``scenario`` to its end: under a schedule or a seed of the C side's strategies, which
        it follows by itself, or asking a scheduler at each decision."""
        native = self.native
        native.load(scenario)
        if isinstance(how, int):
            ended = native.run_seed(how)
        elif isinstance(how, Schedule):
            ended = native.run_schedule(how)
        elif isinstance(how, Replay):
            ended = native.run_schedule(how.schedule)
            how.followed(native.figures().diverged)
        else:
            ended = native.run_scheduler(how, scenario.threads)
        return native.trace(ended)

    @cached_property
    def _lines(self) -> Lines | None:
        return load_lines(self.library.path.parent)

    def stacks(self, scenario: Scenario, schedule: Schedule) -> list[Stack]:
        """Run ``schedule`` once more and note where in the tree each event comes from."""
        native, lines = self.native, self._lines
        if lines is None:
            return []
        native.load(scenario)
        native.note_sites(True)
        try:
            native.run_schedule(schedule)
            noted = native.stacks()
        finally:
            native.note_sites(False)
        known: dict[int, Stack] = {address: lines.at(address) for address in set(chain(*noted))}
        return [tuple(chain(*(known[at] for at in stack if at))) for stack in noted]

    @cached_property
    def suspicion(self) -> int:
        """The address of the library's own judge, which is content with most runs."""
        return ctypes.cast(self.native.library.s2_suspects, ctypes.c_void_p).value or 0

    def burst(
        self,
        scenario: Scenario,
        schedule: Schedule,
        seed: int,
        count: int,
        counters: bytearray,
        judge: int | None = None,
    ) -> Burst:
        """Run ``schedule`` and ``count`` seeds from ``seed`` on, all in C; without a ``judge`` the
        library's own says which runs are worth the oracles' time."""
        self.native.load(scenario)
        return self.native.fuzz(schedule, seed, count, counters, judge or self.suspicion)

    def coverage(self) -> tuple[int, int, int, int] | None:
        """Where the compiled code's edge counters lie; None where the compiler counts none."""
        ranges = self.native.coverage()
        return ranges if ranges[0] else None


def encode(scenario: Scenario) -> "array[int]":
    """The numbers that ``read_scenario`` of runtime/program.c reads, in its order."""
    if not scenario.cpus:
        right = "lines such as 'cpu 0: load vm 0, guest-write page 1 gfn 2, put'"
        raise InputError("hyp", "a case without host CPUs", right)
    numbers = [len(scenario.cpus), scenario.options.fwb, scenario.options.teardown]
    for calls in scenario.cpus:
        numbers.append(len(calls))
        for call in calls:
            numbers += [call.op, call.page, call.gfn, call.vm, call.flag]
    return array("q", map(int, numbers))
