"""Many schedules of EL2's cases, and planted faults of its code: who sees each, and how soon.

All of it runs the tree's code in this process: whoever calls it is confined.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.errors import InputError
from stage2fuzz.hyp.adapter import SMOKE, HypEngine
from stage2fuzz.hyp.boot import boot_failure
from stage2fuzz.hyp.build import build
from stage2fuzz.hyp.draw import draw_scenarios
from stage2fuzz.hyp.faults import EL2_FAULTS
from stage2fuzz.kernel.abi import S2ExploreCounts
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.run import judge_run
from stage2fuzz.schedule.base import Schedule

TURN: Final = 200
"""Schedules of one scenario before the next has its turn."""
MUTANT_SCENARIOS: Final = 120
"""Scenarios that each planted fault is tried on, those with a purpose first."""


@dataclass(slots=True)
class EL2Totals:
    """What an exploration has done so far."""

    schedules: int = 0
    classes: int = 0
    points: int = 0
    scenarios: int = 0
    inconclusive: int = 0
    crashed: bool = False
    found: dict[str, tuple[Violation, Case]] = field(default_factory=dict)
    """Signature -> what was said first, and the case that shows it."""


def explore_el2(
    engine: HypEngine, name: str, seed: int, schedules: int, seconds: float
) -> Iterator[EL2Totals]:
    """Run seeds of one scenario after another; the totals after each turn.

    A crash is the last run, since memory may be damaged.
    """
    totals, ends = EL2Totals(), time.monotonic() + seconds
    for number, scenario in enumerate(draw_scenarios(seed)):
        told = S2ExploreCounts()
        most = min(TURN, schedules - totals.schedules)
        asked = engine.suspicion
        for run in explore(engine.native, scenario, seed * TURN, most, number, told, judge=asked):
            for violation in judge_run(engine, scenario, run.trace):
                case = Case(name, scenario, run.trace.schedule, engine.build)
                totals.found.setdefault(violation.signature, (violation, case))
            totals.crashed |= run.trace.ended == "crash"
        totals.schedules += told.runs
        totals.classes += told.classes
        totals.points += told.steps
        totals.inconclusive += told.inconclusive
        totals.scenarios += 1
        yield totals
        if totals.crashed or totals.schedules >= schedules or time.monotonic() > ends:
            return


@dataclass(frozen=True, slots=True)
class EL2MutantResult:
    """What became of one planted fault."""

    fault: str
    planted: bool
    found_by: str
    """The signature that showed it first; empty where none did."""
    schedules: int


def run_el2_mutants(
    tree: Path, cache: Path | None, only: tuple[str, ...]
) -> Iterator[EL2MutantResult]:
    """Plant each fault in a copy of ``tree``, and run until an oracle speaks."""
    unknown = set(only) - {fault.name for fault in EL2_FAULTS}
    if unknown:
        raise InputError("--only", f"no fault {', '.join(sorted(unknown))}", "hyp mutants")
    for fault in EL2_FAULTS:
        if only and fault.name not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            copy_tree(tree, copy)
            if not plant(copy, fault):
                yield EL2MutantResult(fault.name, False, "", 0)
                continue
            yield _tried(fault.name, HypEngine(build(copy, cache, lines=False)))


def _tried(name: str, engine: HypEngine) -> EL2MutantResult:
    """The first violation of a tree with one planted fault."""
    runs = 0
    engine.run(SMOKE, Schedule())
    if engine.native.started():
        words = boot_failure(engine.library, engine.native.library)
        return EL2MutantResult(name, True, f"the build's proof: {words}", 0)
    for number, scenario in enumerate(islice(draw_scenarios(1), MUTANT_SCENARIOS)):
        told = S2ExploreCounts()
        asked = engine.suspicion
        for run in explore(engine.native, scenario, 1, TURN, number, told, judge=asked):
            found = judge_run(engine, scenario, run.trace)
            if found:
                return EL2MutantResult(name, True, found[0].signature, runs + told.runs)
        runs += told.runs
    return EL2MutantResult(name, True, "", runs)
