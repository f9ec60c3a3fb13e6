"""Golden cases: ``good_*`` show nothing, ``bad_*`` show what their expected log says, for ever.

``python -m tests.test_golden`` writes the logs anew; read the difference before you commit it.
"""

from pathlib import Path

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.report import event_log
from stage2fuzz.run import run

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.case"))


def log(name: str) -> str:
    """What the case shows: verdicts first, then every event."""
    outcome = run(read_case(CASES / f"{name}.case"))
    verdicts = [f"{each.signature}\n  {each.verdict}\n" for each in outcome.violations]
    return "".join(verdicts) + event_log(outcome.events)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_case_shows_what_it_always_showed(name: str) -> None:
    assert log(name) == (CASES / "expected" / f"{name}.log").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_good_cases_show_nothing_and_bad_ones_something(name: str) -> None:
    violations = run(read_case(CASES / f"{name}.case")).violations
    assert bool(violations) == name.startswith("bad_")


if __name__ == "__main__":
    for each in NAMES:
        (CASES / "expected" / f"{each}.log").write_text(log(each))
