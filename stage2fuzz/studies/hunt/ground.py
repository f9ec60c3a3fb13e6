"""Which scenarios a hunt runs: some that return again and again, and random ones without end."""

from pathlib import Path
from random import Random

from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import read_case
from stage2fuzz.kernel.nested_ground import NESTED_GROUND
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.places import CORPUS
from stage2fuzz.studies.hunt.neighbours import neighbours
from stage2fuzz.studies.hunt.nested_neighbours import nested_neighbours
from stage2fuzz.studies.series import FAULTS


def returning(corpus: Path = CORPUS, nested: bool = False) -> tuple[Scenario, ...]:
    """The series' scenarios, those in which planted faults show, of ``nested`` guests too where the
    tree has them, and, in a checkout, the seeds'."""
    scenarios = [fault.scenario for fault in FAULTS]
    scenarios += PROVING_GROUND
    scenarios += NESTED_GROUND * nested
    seeds = [read_case(path).scenario for path in sorted(corpus.glob("*/*.case"))]
    scenarios += [each for each in seeds if not each.cpus]  # EL2's are for another engine
    return tuple(dict.fromkeys(scenarios))


def drawn(seed: int, number: int, nested: bool = False) -> Scenario:
    """Random scenario ``number`` of a campaign: of all bytes under each profile in turn, or small.

    What one kind of scenario does not reach, the other may: they are as many. Where the tree has
    ``nested`` guests, half of the small ones are theirs.
    """
    chance = Random(f"{seed} {number}")
    data = chance.randbytes(CHOICES_AT)
    if chance.getrandbits(1):
        theirs = nested and chance.getrandbits(1)
        return (nested_neighbours if theirs else neighbours)(seed, number)
    profiles = tuple(PROFILES.values())
    return decode(newest(data), "kernel:", profiles[number % len(profiles)]).scenario
