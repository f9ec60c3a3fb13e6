"""Which scenarios a hunt runs: some that return again and again, and random ones without end."""

from pathlib import Path
from random import Random
from typing import Final

import stage2fuzz
from stage2fuzz.casetext import read_case
from stage2fuzz.codec import CHOICES_AT, decode
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.profile import PROFILES
from stage2fuzz.scenario import Scenario
from stage2fuzz.series import FAULTS

CORPUS: Final = Path(stage2fuzz.__file__).resolve().parent.parent / "corpus"


def returning(corpus: Path = CORPUS) -> tuple[Scenario, ...]:
    """The series' scenarios, those in which planted faults show, and, in a checkout, the seeds'."""
    scenarios = [fault.scenario for fault in FAULTS]
    scenarios += PROVING_GROUND
    scenarios += [read_case(path).scenario for path in sorted(corpus.glob("*/*.case"))]
    return tuple(dict.fromkeys(scenarios))


def drawn(seed: int, number: int) -> Scenario:
    """Random scenario ``number`` of a campaign; the profiles take turns."""
    profiles = tuple(PROFILES.values())
    data = Random(f"{seed} {number}").randbytes(CHOICES_AT)
    return decode(data, "kernel:", profiles[number % len(profiles)]).scenario
