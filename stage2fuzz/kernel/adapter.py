"""A built tree as an engine: proved before it is believed, with the rules of its era."""

from dataclasses import replace
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
from stage2fuzz.engine import Trace
from stage2fuzz.errors import InputError
from stage2fuzz.events import ACCESS, TLBI, TLBI_IPAS2E1, TLBI_OPERATION
from stage2fuzz.kernel.build import Library
from stage2fuzz.kernel.compiled import CompiledEngine
from stage2fuzz.kernel.units import TLB
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule

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


class KernelEngine(CompiledEngine):
    """The stage-2 code of one tree."""

    def __init__(self, library: Library) -> None:
        super().__init__(library.path, library.key, rules_of(library.has))
        self.library = library

    @property
    def traits(self) -> frozenset[str]:
        """The features that the probes found."""
        return self.library.has

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
