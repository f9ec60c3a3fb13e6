"""The engine's hardware gives the published verdict on each litmus shape, exhaustively."""

from collections.abc import Sequence

import pytest

from stage2fuzz.window import Window
from tests.litmus.machine import allowed, outcomes
from tests.litmus.shapes import ALLOWED, FORBIDDEN, FULL, SHAPES, message


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_has_its_verdict(name: str) -> None:
    shape, verdict = SHAPES[name]
    assert allowed(shape) is verdict


@pytest.mark.parametrize("missing", range(5))
def test_each_of_the_five_steps_of_a_break_is_needed(missing: int) -> None:
    clear, *steps, send = FULL.split()
    del steps[missing]
    assert allowed(message(" ".join([clear, *steps, send])))


class MovedByStage2(Window):
    """One index instead of two, and the TLBI by IPA moves it."""

    def dsb(self, thread: int, kind: int) -> None:
        """Complete, then let combined entries go with the others."""
        super().dsb(thread, kind)
        for record in self:
            record.combined_low = record.stage2_low


class MovedByStage1(Window):
    """One index instead of two, and the TLBI of stage 1 moves it."""

    def dsb(self, thread: int, kind: int) -> None:
        """Complete, then let the others go with combined entries."""
        for at, item in enumerate(self._pending.get(thread, [])):
            record, broadcast, _end, combined = item
            if combined is None:
                self._pending[thread][at] = (record, broadcast, 0, None)
            else:
                last = record.last
                self._pending[thread][at] = (record, broadcast, last, [last] * len(combined))
        super().dsb(thread, kind)


def wrong(window: type[Window]) -> Sequence[str]:
    return [name for name, (shape, verdict) in SHAPES.items() if allowed(shape, window) != verdict]


def test_one_index_moved_by_stage_2_forbids_what_is_allowed() -> None:
    broken = wrong(MovedByStage2)
    assert "MP.invRT2+ipais-dsb" in broken
    assert all(SHAPES[name][1] is ALLOWED for name in broken)


def test_one_index_moved_by_stage_1_forbids_what_is_allowed() -> None:
    broken = wrong(MovedByStage1)
    assert "derived: stage 1 before stage 2" in broken
    assert "derived: stage 1 alone" in broken
    assert all(SHAPES[name][1] is ALLOWED for name in broken)


@pytest.mark.parametrize("name", SHAPES)
def test_reduction_loses_no_outcome(name: str) -> None:
    shape, _ = SHAPES[name]
    full, everything = outcomes(shape)
    reduced, kept = outcomes(shape, reduce=True)
    assert kept == everything
    assert reduced.executions <= full.executions


def test_both_verdicts_are_well_covered() -> None:
    verdicts = [verdict for _, verdict in SHAPES.values()]
    assert verdicts.count(ALLOWED) >= 15
    assert verdicts.count(FORBIDDEN) >= 15


@pytest.mark.parametrize("name", SHAPES)
def test_no_verdict_is_vacuous(name: str) -> None:
    _, seen = outcomes(SHAPES[name][0])
    assert any(outcome[-1] for outcome in seen), "the last thread never gets to its access"
    assert len(seen) > 1 or SHAPES[name][1] is FORBIDDEN
