"""Every call of the judge in these tests is held against the compiled oracles."""

import pytest

from stage2fuzz.events import Event
from stage2fuzz.oracles.judge import Judge
from stage2fuzz.oracles.native.binding import Verdict, native_judge
from stage2fuzz.oracles.violation import Violation


@pytest.fixture(autouse=True)
def both_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks in Python speaks natively, and nobody else, wherever a compiler is."""
    compiled, judge = native_judge(), Judge.judge
    if compiled is None:
        return

    def held(self: Judge, events: list[Event], vcpus: int, threads: int) -> tuple[Violation, ...]:
        said = judge(self, events, vcpus, threads)
        asked = {each.oracle for each in self._oracles}
        compiled.begin(0)
        compiled.scenario(self._rules, vcpus, threads)
        if compiled.judge(events) is not Verdict.LEFT:
            assert compiled.spoke() & asked == {each.oracle for each in said}
        return said

    monkeypatch.setattr(Judge, "judge", held)
