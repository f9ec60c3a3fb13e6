"""Case: one reproducible experiment. Same case, same events, on every machine."""

from dataclasses import dataclass, field

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.schedule.base import Schedule

DEFAULT_ENGINE = "model:v5.10"


@dataclass(frozen=True, slots=True)
class Case:
    """An engine's name (``KIND:OPERAND``, see ``engine.ENGINES``), a scenario and a schedule."""

    engine: str = DEFAULT_ENGINE
    scenario: Scenario = field(default_factory=Scenario)
    schedule: Schedule = field(default_factory=Schedule)
    build: str = ""
    """The build of a kernel engine that executed this very schedule (``Engine.build``); empty for
    a model, and for a case that nobody has run yet."""
