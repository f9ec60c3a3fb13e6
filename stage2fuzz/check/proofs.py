"""Base and head proved on the ground of proofs: where a verdict differs, the patch did it.

A search of every interleaving depends on no luck, so what it says of a scenario is held against
what it says of the base in the same scenario, and nothing need be looked for again there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.check.survey import Exhibit
from stage2fuzz.check.version import Version
from stage2fuzz.prove.ground import GROUND
from stage2fuzz.prove.model_proof import prove_model
from stage2fuzz.prove.prover import Prover
from stage2fuzz.prove.request import Knowledge, Proof, ProofRequest

SECONDS: Final = 3.0
"""Of each scenario of a version; most need less than one."""
MODEL_SECONDS: Final = 1.0
"""Of a model, which takes a thousand times as long for a run."""
MEMORY: Final = 512 << 20
LONGER: Final = 3
"""How many times as long a head is searched that was not searched as far as the base."""
_REACHED: Final = {
    Knowledge.PROVED: "searched whole",
    Knowledge.BOUNDED: "searched within bounds",
    Knowledge.INCONCLUSIVE: "not searched whole within any bound",
}
"""From far to near."""


@dataclass(frozen=True, slots=True)
class ScenarioProof:
    """One scenario of the ground, on the base and on the head."""

    name: str
    base: Proof
    head: Proof

    @property
    def came(self) -> tuple[str, ...]:
        """Signatures that the head shows alone."""
        return tuple(name for name in self.head.found if name not in self.base.found)

    @property
    def went(self) -> tuple[str, ...]:
        """Signatures that the base shows alone."""
        return tuple(name for name in self.base.found if name not in self.head.found)

    @property
    def differs(self) -> bool:
        """Whether the verdict does."""
        return bool(self.came or self.went) or self.base.knowledge is not self.head.knowledge

    @property
    def shortfall(self) -> str:
        """Why finding nothing new here would mean little; empty where it means something.

        What is no further searched on the base is no shortfall: the bounds are the scenario's.
        """
        if self.head.died:
            both = "base and head alike" if self.base.died else "the head"
            return f"the process that searched {both} {self.head.died}"
        if self.head.knowledge is Knowledge.INCONCLUSIVE:
            return "not even the smallest bound was searched whole on the head"
        if self.lags:
            words = _REACHED[self.base.reached], _REACHED[self.head.reached]
            return f"{words[0]} on the base, {words[1]} on the head"
        return ""

    @property
    def lags(self) -> bool:
        """Whether the head was not searched as far as the base."""
        return list(_REACHED).index(self.head.reached) > list(_REACHED).index(self.base.reached)

    @property
    def unsearched(self) -> str:
        """Why no verdict on the head stands for all interleavings; empty where one does."""
        if self.head.reached is Knowledge.PROVED:
            return ""
        return self.shortfall or f"{self.head.reached}: not every interleaving was searched"

    def words(self, side: Proof) -> str:
        """The verdict of one side: what is known, and which oracles object."""
        oracles = sorted({violation.oracle for violation, _ in side.found.values()})
        if not oracles:
            return str(side.knowledge)
        whole = "" if side.reached is Knowledge.PROVED else ", not searched whole"
        return f"{side.knowledge} ({' '.join(oracles)}{whole})"

    def exhibits(self, side: Proof) -> Iterator[tuple[str, Exhibit]]:
        """What one side shows, as a survey has it."""
        runs = max(1, sum(each.figures.get("ends", 0) for each in side.passes))
        other = self.head if side is self.base else self.base
        for signature, (violation, case) in side.found.items():
            whole = other.reached is Knowledge.PROVED and signature not in other.found
            yield (
                signature,
                Exhibit(violation, case, 1, runs, searched=self.name, absent=whole),
            )


def prove_ground(
    base: Version,
    head: Version,
    cache: Path | None,
    jobs: int,
    say: Callable[[str, float], None],
) -> list[ScenarioProof]:
    """Prove the ground on both; ``say`` hears which scenario, and how much is done."""
    proofs: list[list[Proof]] = [[], []]

    def go(side: int, version: Version) -> None:
        for number, proof in enumerate(_proved(version, cache, list(GROUND))):
            proofs[side].append(proof)
            say(f"{version.name}: {number + 1} of {len(GROUND)} scenarios", number / len(GROUND))

    if base.library is None:  # a model's threads stay with the thread that began them
        go(0, base)
        go(1, head)
    else:
        with ThreadPoolExecutor(min(2, jobs)) as pool:
            list(pool.map(go, (0, 1), (base, head)))
    rows = [ScenarioProof(*row) for row in zip(GROUND, *proofs, strict=True)]
    late = [each.name for each in rows if each.lags and not each.head.died]
    if late:
        say(f"{head.name}: {len(late)} scenarios once more, longer", 1.0)
    again = dict(zip(late, _proved(head, cache, late, LONGER), strict=True))
    return [
        replace(each, head=_further(each.head, again[each.name])) if each.name in again else each
        for each in rows
    ]


def _further(first: Proof, again: Proof) -> Proof:
    """The one of two searches that went further, with what either of them found."""
    order = list(_REACHED)
    best = min(again, first, key=lambda proof: order.index(proof.reached))
    return replace(best, found=again.found | first.found)


def _proved(
    version: Version, cache: Path | None, names: Sequence[str], times: int = 1
) -> Iterator[Proof]:
    """Scenarios of the ground on one version, each with ``times`` its seconds."""
    where = "" if cache is None else str(cache.resolve())
    seconds = times * (SECONDS if version.library is not None else MODEL_SECONDS)
    asked = [
        ProofRequest(Case(version.engine, GROUND[name]), seconds, MEMORY, cache=where)
        for name in names
    ]
    if version.library is None:
        yield from (prove_model(each, lambda _: None) for each in asked)
        return
    with closing(Prover(MEMORY)) as prover:
        for each in asked:
            yield prover.prove(each, lambda _: None)


def summary(proofs: Sequence[ScenarioProof]) -> str:
    """How far the proofs of the head went, in a line."""
    counted = Counter(each.head.knowledge for each in proofs)
    known = ", ".join(f"{counted[each]} {each}" for each in Knowledge if counted[each])
    differ = sum(each.differs for each in proofs)
    return (
        f"every interleaving of {len(proofs)} scenarios: {known}; "
        f"{differ} otherwise than on the base"
    )


def verdicts(proofs: Sequence[ScenarioProof]) -> list[str]:
    """A line for each scenario whose verdict differs."""
    return [
        f"{each.name}: {each.words(each.base)} on the base, {each.words(each.head)} on the head"
        for each in proofs
        if each.differs
    ]


def to_record(proofs: Sequence[ScenarioProof]) -> list[dict[str, object]]:
    """For a program."""
    return [
        {
            "scenario": each.name,
            "base": str(each.base.knowledge),
            "head": str(each.head.knowledge),
            "new": list(each.came),
            "gone": list(each.went),
            "whole": not each.unsearched,
            "inconclusive": each.shortfall,
        }
        for each in proofs
    ]
