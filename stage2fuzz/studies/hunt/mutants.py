"""Can the engine and its judge see? Faults planted in a copy of the tree, each to be found.

A fault that nothing finds is a blind oracle or a missing operation. What the clean tree shows in
the same scenarios is the baseline: a fault is found by a violation of another signature.
"""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.arch import GRANULE_4K, TranslationGranule
from stage2fuzz.case.granule import fitted
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import rules_of
from stage2fuzz.kernel.build import Library
from stage2fuzz.kernel.faults import FAULTS, PlantedFault
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.nested_ground import NESTED_GROUND, ground_of
from stage2fuzz.kernel.proof import built, proved
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.kernel.units import UNITS
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.hunt.turn import Turn, TurnResult
from stage2fuzz.studies.hunt.turn_process import TurnProcess

BATCH: Final = 1000
ANYWHERE: Final = 100
"""Schedules of a random scenario: many scenarios find more than many schedules of few."""
SEED: Final = 1
"""Of the random scenarios."""
JUDGED: Final = 250
"""Of a batch at most, which ends when that many were of a new class."""
ROUNDS: Final = 8
"""Batches a scenario gets before a fault counts as not found."""


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What became of one fault."""

    fault: str
    what: str
    found_by: str = ""
    """The signature that found it, empty if none did."""
    schedules: int = 0
    """Schedules run until then."""
    planted: bool = True
    """False: no way of writing it fits this tree, or the engine lacks its unit."""


def run_mutants(
    tree: Path,
    cache: Path | None = None,
    names: Sequence[str] = (),
    jobs: int = 1,
    rounds: int = ROUNDS,
    random: int = 0,
    granule: TranslationGranule = GRANULE_4K,
) -> Iterator[MutantResult]:
    """Plant each fault (or those of ``names``) and look for it; ``jobs`` faults at once.

    It is looked for where it is known to show, or in so many ``random`` scenarios, as an
    exploration draws them: how a fault would fare for which nobody made a scenario.
    A result a fault, in the catalogue's order; they depend on nothing but the tree.
    """
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        known_faults = ", ".join(fault.name for fault in FAULTS)
        raise InputError("--only", f"no fault {', '.join(sorted(unknown))}", f"of {known_faults}")
    library = proved(tree, cache, granule)
    faults = [fault for fault in FAULTS if not names or fault.name in names]
    ground = Ground.of(library.has)
    anywhere = tuple(ground.drawn(SEED, number) for number in range(random))
    grounds = {anywhere or ground_of(each) for each in faults if fits(library, each)}
    known = baseline(library, rounds, grounds, _batch(anywhere))
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(
                lambda fault: (
                    try_fault(tree, fault, known, rounds, anywhere, granule)
                    if fits(library, fault)
                    else MutantResult(fault.name, fault.what, planted=False)
                ),
                faults,
            )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def fits(library: Library, fault: PlantedFault) -> bool:
    """Whether the engine has the unit that the fault is in."""
    return not fault.unit or UNITS[fault.unit].config in library.has


def try_fault(
    tree: Path,
    fault: PlantedFault,
    known: frozenset[str],
    rounds: int,
    anywhere: tuple[Scenario, ...] = (),
    granule: TranslationGranule = GRANULE_4K,
) -> MutantResult:
    """Plant one fault in a copy of ``tree`` and look for a signature that is not ``known``, on the
    ground where it shows or ``anywhere``."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "tree"
        copy_tree(tree, copy)
        if not plant(copy, fault):
            return MutantResult(fault.name, fault.what, planted=False)
        library = built(copy, Path(name) / "cache", granule)
        looked = look(library, known, rounds, anywhere or ground_of(fault), _batch(anywhere))
        return MutantResult(fault.name, fault.what, looked.signature, looked.runs)


@dataclass(frozen=True, slots=True)
class Look:
    """What exploring the proving ground showed first that was not known."""

    runs: int
    """Schedules until then."""
    signature: str = ""
    """Empty where there was nothing new."""
    number: int = 0
    """Of the scenario that showed it."""


def look(
    library: Library,
    known: frozenset[str],
    rounds: int,
    ground: tuple[Scenario, ...] = PROVING_GROUND,
    batch: int = BATCH,
) -> Look:
    """Explore a proving ground for so many rounds, a ``batch`` of schedules of each scenario in
    each, or until something new shows."""
    schedules = 0
    for turn, done in enumerate(_batches(library, rounds, ground, batch)):
        new = [found for signature, found in done.found.items() if signature not in known]
        if new:
            first = min(new, key=lambda found: found.runs)
            signature = first.violation.signature
            return Look(schedules + first.runs, signature, turn % len(ground))
        schedules += done.runs
    return Look(schedules)


def budget(rounds: int = ROUNDS, random: int = 0) -> int:
    """Schedules that a fault gets at most."""
    longest = BATCH * max(len(PROVING_GROUND), len(NESTED_GROUND))
    return rounds * (ANYWHERE * random or longest)


def baseline(
    library: Library,
    rounds: int,
    grounds: Collection[tuple[Scenario, ...]] = (PROVING_GROUND,),
    batch: int = BATCH,
) -> frozenset[str]:
    """The signatures that the clean tree shows on the proving grounds."""
    return frozenset(
        signature
        for ground in grounds
        for done in _batches(library, rounds, ground, batch)
        for signature in done.found
    )


def _batch(anywhere: tuple[Scenario, ...]) -> int:
    """Schedules of a scenario at a time."""
    return ANYWHERE if anywhere else BATCH


def _batches(
    library: Library, rounds: int, ground: tuple[Scenario, ...], batch: int
) -> Iterator[TurnResult]:
    """Every scenario in turn, so that no fault waits long for the one that shows it."""
    rules = rules_of(library.has)
    with closing(TurnProcess(library.path)) as process:
        for round_ in range(rounds):
            for number, scenario in enumerate(ground):
                scenario = fitted(scenario, library.granule)
                process.ask(Turn(number, scenario, 1 + round_ * batch, batch, JUDGED, rules))
                yield process.answer()
