"""Which scenarios a hunt runs: some that return again and again, and random ones without end."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from random import Random

from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import read_case
from stage2fuzz.hyp.draw import PURPOSES, draw
from stage2fuzz.kernel.nested_ground import NESTED_GROUND
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.kernel.units import NESTED
from stage2fuzz.places import CORPUS
from stage2fuzz.studies.hunt.neighbours import neighbours
from stage2fuzz.studies.hunt.nested_neighbours import nested_neighbours
from stage2fuzz.studies.series import FAULTS


class Ground(StrEnum):
    """Where to look: what the code under test can do decides it."""

    STAGE2 = "stage2"
    NESTED = "nested"
    """Of a tree that has nested guests, too: half of the small random scenarios are theirs."""
    EL2 = "el2"
    """Of pKVM: host CPUs that call it."""

    @classmethod
    def of(cls, features: Collection[str]) -> "Ground":
        """The ground of an engine of these features."""
        return cls.NESTED if NESTED.config in features else cls.STAGE2

    def returning(self, corpus: Path = CORPUS) -> tuple[Scenario, ...]:
        """Those made for a purpose: the series', those in which planted faults show, and, in a
        checkout, the seeds'."""
        if self is Ground.EL2:
            return PURPOSES
        scenarios = [fault.scenario for fault in FAULTS]
        scenarios += PROVING_GROUND
        scenarios += NESTED_GROUND * (self is Ground.NESTED)
        seeds = [read_case(path).scenario for path in sorted(corpus.glob("*/*.case"))]
        scenarios += [each for each in seeds if self.suits(each)]
        return tuple(dict.fromkeys(scenarios))

    def suits(self, scenario: Scenario) -> bool:
        """Whether it is for the engines of this ground: EL2's are for another, and those of nested
        guests for trees that have them."""
        if self is Ground.EL2:
            return bool(scenario.cpus)
        return not scenario.cpus and (self is Ground.NESTED or not scenario.options.nested)

    def drawn(self, seed: int, number: int) -> Scenario:
        """Random scenario ``number`` of a campaign: of all bytes under each profile in turn, or
        small.

        What one kind of scenario does not reach, the other may: they are as many.
        """
        if self is Ground.EL2:
            return draw(seed, number)
        chance = Random(f"{seed} {number}")
        data = chance.randbytes(CHOICES_AT)
        if chance.getrandbits(1):
            theirs = self is Ground.NESTED and chance.getrandbits(1)
            return (nested_neighbours if theirs else neighbours)(seed, number)
        profiles = tuple(PROFILES.values())
        return decode(newest(data), "kernel:", profiles[number % len(profiles)]).scenario
