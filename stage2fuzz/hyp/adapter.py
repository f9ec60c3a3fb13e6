"""A built EL2 as an engine: proved before it is believed."""

import ctypes
from array import array
from functools import cached_property
from typing import Final

from stage2fuzz.case.el2 import HypCall, HypOp
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Burst
from stage2fuzz.errors import InputError
from stage2fuzz.events import HYPERCALL_RETURN, WARN
from stage2fuzz.hyp.boot import boot_failure
from stage2fuzz.hyp.build import HypLibrary
from stage2fuzz.kernel.compiled import CompiledEngine
from stage2fuzz.kernel.native import Native
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule

RULES: Final = Rules(ownership=True)
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


class HypEngine(CompiledEngine):
    """EL2 of one tree."""

    def __init__(self, library: HypLibrary) -> None:
        super().__init__(library.path, library.key, RULES, encode)
        self.library = library

    def prove(self) -> None:
        """Check that EL2 starts, its own check of ownership included, and that its calls succeed.

        InputError where it does not: a blind build looks like code without bugs.
        """
        where = str(self.library.tree)
        trace = self.run(SMOKE, Schedule())
        if self.native.started():
            raise InputError(where, boot_failure(self.library, self.native.library))
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

    @cached_property
    def suspicion(self) -> int:
        """The address of the library's own judge, which is content with most runs."""
        return suspicion_of(self.native)

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
        return super().burst(scenario, schedule, seed, count, counters, judge or self.suspicion)


def suspicion_of(native: Native) -> int:
    """The address of the judge that a library of EL2 brings."""
    return ctypes.cast(native.library.s2_suspects, ctypes.c_void_p).value or 0


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
