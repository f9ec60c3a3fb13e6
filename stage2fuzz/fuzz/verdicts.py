"""Verdicts: what the oracles said of a schedule that was executed before.

A third of what a fuzzer runs was executed before in every step: a changed byte that asks for what
cannot be done, or for what would have happened anyway, executes the old schedule. Its events are
then the same, because a run is a function of the scenario and the schedule that was executed, and
so is what a pure judge says of them; nothing is compared by a digest. Only the fuzzing harness
remembers: whoever replays a case to believe it has it judged anew.
"""

from collections.abc import Callable
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.engine import Engine, Trace
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.run import judge_run
from stage2fuzz.schedule.base import Schedule

MOST: Final = 8192
"""Schedules kept, about 25 MiB; when there are more all are forgotten, which is the cheapest."""

Violations = tuple[Violation, ...]


class Verdicts:
    """The memory of one engine."""

    def __init__(self) -> None:
        self._known: dict[Scenario, dict[Schedule, Violations]] = {}
        self._scenario: Scenario | None = None
        self._here: dict[Schedule, Violations] = {}
        self._kept = 0
        self.asked = 0
        self.remembered = 0

    def judge(self, engine: Engine, scenario: Scenario, trace: Trace) -> Violations:
        """What the oracles say of a run, asked only if they were not asked before."""
        return self.of(scenario, trace.schedule, lambda: judge_run(engine, scenario, trace))

    def of(
        self, scenario: Scenario, schedule: Schedule, judged: Callable[[], Violations]
    ) -> Violations:
        """What ``judged`` says of this run, asked only if it was not asked before."""
        self.asked += 1
        if scenario is not self._scenario:  # an input runs its scenario twice: one look-up
            self._scenario = scenario
            self._here = self._known.setdefault(scenario, {})
        said = self._here.get(schedule)
        if said is not None:
            self.remembered += 1
            return said
        if self._kept == MOST:
            self._known.clear()
            self._here = self._known[scenario] = {}
            self._kept = 0
        self._kept += 1
        said = self._here[schedule] = judged()
        return said
