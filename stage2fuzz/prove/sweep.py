"""Does a proof see what is there? Faults planted in a copy of a tree, each to be refuted.

Each is looked for on the ground of proofs. What is not found there is explored: where exploring
shows the fault in a scenario that a search goes through whole without it, the search is wrong.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.faults import FAULTS, PlantedFault
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.nested_ground import ground_of
from stage2fuzz.kernel.proof import built, proved
from stage2fuzz.prove.ground import GROUND
from stage2fuzz.prove.prover import Prover
from stage2fuzz.prove.request import Knowledge, Proof, ProofRequest
from stage2fuzz.studies.hunt.mutants import baseline, fits, look

MEMORY: Final = 512 << 20
BOUNDS: Final = (0, 1, None)
"""Preemptions, so that a shallow fault costs little; None is the whole search."""
QUICK: Final = 1.0
"""Seconds of a scenario within so few."""
LONGER: Final = 3
"""Times as long a scenario gets in which exploring shows what the ground does not."""


class SweepEnd(StrEnum):
    """What became of a fault."""

    FOUND = "found"
    TOO_LARGE = "too large"
    """Exploring shows it, in a scenario that a search does not go through whole in its time."""
    NOT_SEEN = "not seen"
    """Neither a proof nor exploring shows it."""
    MISSED = "missed"
    """Exploring shows it in a scenario that was searched whole: our bug."""
    NOT_PLANTED = "not planted"
    """No way of writing it fits the tree, or the engine lacks its unit."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """One fault, and what proofs say of it."""

    fault: str
    what: str
    verdict: SweepEnd
    scenario: str = ""
    """Where it was found, by name, or where exploring shows it."""
    signature: str = ""
    configs: int = 0
    """That were seen in that scenario."""
    seconds: float = 0.0
    """Of CPU time, of all scenarios up to that."""
    whole: int = 0
    """Scenarios of the ground that were searched whole."""
    why: str = ""
    """What a person should know beside."""


def sweep(
    tree: Path, cache: Path | None, names: Sequence[str], seconds: float, rounds: int
) -> Iterator[SweepResult]:
    """Plant each fault (or those of ``names``) and prove the ground of it, ``seconds`` a scenario;
    one that no proof shows is explored for so many ``rounds``."""
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    unknown = set(names) - {fault.name for fault in chosen}
    if unknown:
        raise InputError("--only", f"no fault {', '.join(sorted(unknown))}", "kernel mutants")
    library = proved(tree, cache)
    with closing(Prover(MEMORY)) as prover:
        grounds = {ground_of(fault) for fault in chosen if fits(library, fault)}
        known = set(baseline(library, rounds, grounds))
        for scenario in GROUND.values():
            case = Case(f"kernel:{library.tree}", scenario)
            asked = ProofRequest(
                case, seconds, MEMORY, cache="" if cache is None else str(cache.resolve())
            )
            known |= prover.prove(asked, lambda _: None).found.keys()
        for fault in chosen:
            if not fits(library, fault):
                yield SweepResult(fault.name, fault.what, SweepEnd.NOT_PLANTED)
                continue
            yield _tried(tree, fault, frozenset(known), seconds, rounds, prover)


def _tried(
    tree: Path,
    fault: PlantedFault,
    known: frozenset[str],
    seconds: float,
    rounds: int,
    prover: Prover,
) -> SweepResult:
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-sweep-") as name:
        copy, cache = Path(name) / "tree", Path(name) / "cache"
        copy_tree(tree, copy)
        if not plant(copy, fault):
            return SweepResult(fault.name, fault.what, SweepEnd.NOT_PLANTED)
        library = built(copy, cache)

        def prove(scenario: Scenario, longest: float, preemptions: int | None = None) -> Proof:
            case = Case(f"kernel:{copy}", scenario)
            asked = ProofRequest(case, longest, MEMORY, preemptions, None, known, True, str(cache))
            return prover.prove(asked, lambda _: None)

        spent, whole, died = 0.0, 0, ""
        for bound, (number, scenario) in product(BOUNDS, GROUND.items()):
            proof = prove(scenario, seconds if bound is None else QUICK, bound)
            spent += sum(each.seconds for each in proof.passes)
            whole += proof.reached is Knowledge.PROVED
            died = died or proof.died
            if proof.news:
                return _found(fault, number, proof, spent, whole)
        ground = ground_of(fault)
        news = look(library, known, rounds, ground)
        if not news.signature:
            return SweepResult(
                fault.name,
                fault.what,
                SweepEnd.NOT_SEEN,
                seconds=round(spent, 2),
                whole=whole,
                why=died,
            )
        number = f"number {news.number} of the proving ground"
        proof = prove(ground[news.number], LONGER * seconds)
        spent += sum(each.seconds for each in proof.passes)
        if proof.news:
            return _found(fault, number, proof, spent, whole)
        missed = proof.reached is Knowledge.PROVED
        why = f"exploring took {news.runs:,} schedules; the search is {proof.reached}"
        return SweepResult(
            fault.name,
            fault.what,
            SweepEnd.MISSED if missed else SweepEnd.TOO_LARGE,
            number,
            news.signature,
            _configs(proof),
            round(spent, 2),
            whole,
            proof.died or why,
        )


def _found(
    fault: PlantedFault, scenario: str, proof: Proof, spent: float, whole: int
) -> SweepResult:
    signature = next(iter(proof.news))
    return SweepResult(
        fault.name,
        fault.what,
        SweepEnd.FOUND,
        scenario,
        signature,
        _configs(proof),
        round(spent, 2),
        whole,
    )


def _configs(proof: Proof) -> int:
    return max((each.figures.get("configs", 0) for each in proof.passes), default=0)
