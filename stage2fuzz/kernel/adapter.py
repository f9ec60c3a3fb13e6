"""A built tree as an engine: proved before it is believed, with the rules of its era."""

from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import (
    SLOT_STRIDE,
    Access,
    Backing,
    Options,
    Scenario,
    Slot,
)
from stage2fuzz.engine import Burst, Trace
from stage2fuzz.errors import InputError
from stage2fuzz.events import ACCESS, TLBI, TLBI_IPAS2E1, TLBI_OPERATION
from stage2fuzz.kernel.build import Library
from stage2fuzz.kernel.lines import Lines, load_lines
from stage2fuzz.kernel.native import Native
from stage2fuzz.kernel.units import TLB
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule, Scheduler
from stage2fuzz.schedule.replay import Replay
from stage2fuzz.source import Stack

REFERENCE: Final = Scenario(
    vcpus=(
        (Access(WRITE, 0), Access(WRITE, 0)),
        (Access(READ, 0), Access(READ, 0)),
        (Access(EXECUTE, 0), Access(READ, 1)),
    )
)
"""Three vCPUs, two accesses each, one page that all want: what the figures are measured with."""
SMOKE: Final = Scenario(
    slots=(Slot(pages=512, backing=Backing.PMD), Slot(pages=4, logging=True)),
    vcpus=(
        (Access(WRITE, 0), Access(EXECUTE, 0), Access(READ, SLOT_STRIDE)),
        (Access(READ, 1), Access(WRITE, SLOT_STRIDE)),
    ),
)
"""Blocks, pages, both fault kinds: what each build must get through before it is believed."""


class KernelEngine:
    """One tree, built and loaded; not to be shared between OS threads."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.rules = rules_of(library.has)

    @property
    def build(self) -> str:
        """What a schedule belongs to: tree, shim, compiler and flags by their contents."""
        return self.library.key

    @property
    def traits(self) -> frozenset[str]:
        """The features that the probes found."""
        return self.library.has

    @cached_property
    def native(self) -> Native:
        """The loaded library; loaded when first used."""
        return Native(self.library.path)

    def prove(self) -> None:
        """Check that the build sees what it must see and finishes what it must finish.

        A blind build, or a host model that answers every fault with an error, looks like a kernel
        without bugs; InputError says that it is neither.
        """
        where = str(self.library.tree)
        self.native.load(SMOKE)
        trace = self.run(SMOKE, Schedule())
        done = sum(event[0] == ACCESS for event in trace.events)
        wanted = sum(map(len, SMOKE.vcpus))
        if trace.ended != "finished" or done != wanted:
            found = f"{done} of {wanted} accesses finished, the run {trace.ended}"
            raise InputError(where, f"the smoke program makes no progress: {found}")
        if self.native.announced_loads() != 3:
            raise InputError(where, "plain loads are not announced", "another compiler")
        self._prove_operands(where, trace)

    def _prove_operands(self, where: str, smoke: Trace) -> None:
        """Check that the operands of the tree's own TLBIs arrive (``shim/tlb.h`` says how).

        Which page they name is for the oracles; but no guest of ours has a page 0.
        """
        if TLB.config not in self.library.has:
            return
        vhe = self.run(replace(SMOKE, options=Options(vhe=True)), Schedule())
        named = [
            event[2]
            for event in (*smoke.events, *vhe.events)
            if event[0] == TLBI and event[5] & TLBI_OPERATION == TLBI_IPAS2E1
        ]
        if not all(named):
            right = "a tree whose TLBI wrappers the shim knows"
            raise InputError(where, "TLBIs come without their operands", right)

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
        """Run ``schedule`` once more and note where in the tree each event comes from; none where
        the build has no table of lines."""
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

    def burst(
        self,
        scenario: Scenario,
        schedule: Schedule,
        seed: int,
        count: int,
        counters: bytearray,
        judge: int | None = None,
    ) -> Burst:
        """Run ``schedule`` and ``count`` seeds from ``seed`` on, all in C, ``judge`` included."""
        self.native.load(scenario)
        return self.native.fuzz(schedule, seed, count, counters, judge)

    def coverage(self) -> tuple[int, int, int, int] | None:
        """Where the compiled code's edge counters lie; None where the compiler counts none."""
        ranges = self.native.coverage()
        return ranges if ranges[0] else None


def rules_of(has: frozenset[str]) -> Rules:
    """What is right in a tree's era, decided by what the probes found."""
    shared = "S2_HAS_SHARED_WALK" in has
    return Rules(
        shared_faults=shared,
        shared_relax="S2_HAS_RWLOCK" in has and not shared,
        counts_any_nonzero="S2_HAS_COUNTED_ENTRIES" in has,
        rcu="S2_HAS_FREE_UNLINKED" in has,
        ages_ranges="S2_HAS_TEST_CLEAR_YOUNG" in has,
        refuses_beyond="S2_HAS_IPA_LIMIT" in has,
        strict_table_hints="S2_HAS_TTL_UNKNOWN" in has,
    )
