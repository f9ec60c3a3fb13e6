"""A session keeps to its seconds, whatever there is to minimise."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.cli.live import drive
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.session import intake as module
from stage2fuzz.session.intake import Intake

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding

SECONDS = 0.2
"""Of the session, and of what is added for minimising."""


class SlowIntake(Intake):
    """Minimising takes all the time that it may."""

    def _minimise(self, finding: "Finding", seconds: float) -> None:
        time.sleep(seconds)


class Session:
    """It finds something new for much longer than its time."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self._until = time.monotonic() + 5 * SECONDS

    def step(self) -> bool:
        """Report one more finding."""
        signature = f"C1 rule: {time.monotonic()}"
        violation = Violation("C1", "rule", Category.CORRECTNESS, "verdict", (), signature)
        number = self.intake.keep(Case("model:v5.10", Scenario()), violation)
        self.intake.to_minimise.append(number)
        return time.monotonic() < self._until

    def pause(self) -> None:
        """Wait for nobody."""


def test_what_is_found_late_is_not_minimised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_GRACE", SECONDS)
    with Store.open(f"sqlite:///{tmp_path}/findings.db", create=True) as store:
        intake = SlowIntake(store)
        began = time.monotonic()
        drive(Session(intake), list, quiet=True, seconds=SECONDS)
        intake.close()
    assert time.monotonic() - began < 20 * SECONDS
    assert intake.left_as_found > 1
