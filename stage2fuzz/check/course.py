"""The course of a check: which turns every version takes, in an order that nothing else decides."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.rules import Rules
from stage2fuzz.studies.hunt.ground import Ground
from stage2fuzz.studies.hunt.turn import Turn

FIRST_IN_C: Final = 500
"""Schedules of a scenario's first turn on compiled code; each later pass has twice as many."""
FIRST_OF_MODEL: Final = 40
LONGEST: Final = 20_000
ELSEWHERE: Final = 1 << 40
"""Seeds from here on belong to searches, so that they try other schedules than the course did."""


@dataclass(frozen=True, slots=True)
class Course:
    """Turns of one job of several; the same seed and numbers give the same turns."""

    seed: int
    jobs: int
    first: int
    ground: Ground = Ground.STAGE2

    def turns(self, job: int, rules: Rules, until: float) -> Iterator[Turn]:
        """The job's own scenarios that return, as many random ones, and so again."""
        scenarios = self.ground.returning()
        mine = list(enumerate(scenarios))[job :: self.jobs]
        random, begin, runs = count(job, self.jobs), self.seed << 32, self.first
        while True:
            for number, scenario in mine:
                yield Turn(number, scenario, begin, runs, runs, rules, until)
            for _ in range(max(1, len(mine))):
                number = next(random)
                scenario, place = self.ground.drawn(self.seed, number), len(scenarios) + number
                yield Turn(place, scenario, self.seed << 32, runs, runs, rules, until)
            begin, runs = begin + runs, min(2 * runs, LONGEST)


def search(scenario: Scenario, begin: int, schedules: int, rules: Rules, until: float) -> Turn:
    """A turn that looks for a fault where the course did not see it."""
    return Turn(0, scenario, ELSEWHERE + begin, schedules, schedules, rules, until)
