"""Test the tester: every planted bug is caught by an oracle that must catch it."""

from pathlib import Path
from random import Random

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import read_case
from stage2fuzz.model.planted import MUST_CATCH
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import strategy
from tests.model.scenarios import any_scenario, any_schedule

BUDGET = 6000
"""Random scenarios, one schedule each."""
ONLY_IN_V5_10 = ("no_break_on_remap", "count_kept_on_rewrite", "count_dropped_twice")
ONLY_IN_V6_12 = (
    "host_page_dirty_late",
    "plain_store_while_shared",
    "child_freed_at_once",
    "locked_marker_stays",
    "sequence_after_the_mmap_lock",
    "refused_relax_without_tlbi",
    "relax_of_nothing_succeeds",
    "deferred_free_frees_nothing",
    "entry_below_a_table_unlinked",
    "wrprotect_of_nothing",
    "split_breaks_first",
)
ONLY_IN_V7_3 = ("unsupported_atomic_keeps_the_page",)
CASES = Path(__file__).parents[1] / "cases"
SELDOM = {
    name: CASES / f"bad_{name}.case"
    for name in (
        "caches_on_without_clean",
        "child_freed_at_once",
        "relax_of_nothing_succeeds",
        "split_breaks_first",
    )
}
"""Bugs that random scenarios meet too seldom: the scenario of a case is run under strategies."""
STRATEGIES = ("breaker", "random", "pct", "surw", "pos")


def attempt(engine: str, number: int, known: Scenario | None = None) -> Outcome:
    """A random or known scenario under one schedule, by its bytes or by a strategy."""
    draw = Random(number)
    scenario = known or any_scenario(draw)
    if number % 2 and known is None:
        return run(Case(engine, scenario, any_schedule(draw, scenario.threads)))
    chosen = strategy(STRATEGIES[number // 2 % len(STRATEGIES)], number)
    return run_scheduled(engine, scenario, chosen)


@pytest.mark.parametrize("bug", MUST_CATCH)
def test_a_planted_bug_is_caught(bug: str) -> None:
    revision = "v5.10" if bug in ONLY_IN_V5_10 else "v6.12" if bug in ONLY_IN_V6_12 else "v5.12"
    revision = "v7.3" if bug in ONLY_IN_V7_3 else revision
    engine = f"model:{revision}!{bug.replace('_', '-')}"
    known = read_case(SELDOM[bug]).scenario if bug in SELDOM else None
    caught: set[str] = set()
    for number in range(BUDGET):
        caught |= {violation.oracle for violation in attempt(engine, number, known).violations}
        if caught & set(MUST_CATCH[bug]):
            return
    pytest.fail(f"{MUST_CATCH[bug]} are blind to {bug}; others that objected: {sorted(caught)}")
