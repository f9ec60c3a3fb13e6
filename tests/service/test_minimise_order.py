"""A worker minimises as a session does: whatever a pass proposes, no attempt is lost to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import parse
from stage2fuzz.findings import leases
from stage2fuzz.findings.campaign_tables import lease
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import strategy
from stage2fuzz.session.reproduce import minimise_finding, signatures
from tests.service.rig import Rig

CASE = """stage2fuzz case 1
engine model:v5.10
slot 0: pages 4
host-page 2: lazy
vcpu 0: write 2
vcpu 1: read 2
end
"""
"""A pass shrinks the slot away from page 2; an engine that is given that fails on it."""


def failing(scenario: Case) -> Outcome:
    """A run of the scenario that shows C6."""
    chooser = strategy("breaker", 1)
    for _ in range(2000):
        outcome = run_scheduled(scenario.engine, scenario.scenario, chooser)
        if any(each.oracle == "C6" for each in outcome.violations):
            return outcome
    raise AssertionError("C6 does not show")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, f"sqlite:///{tmp_path}/campaign.db", workers=1, findings=0)
    yield made
    made.close()


def test_the_shrinking_slot_is_minimised_by_a_real_worker(rig: Rig) -> None:
    outcome = failing(parse(CASE, "case"))
    violation = next(each for each in outcome.violations if each.oracle == "C6")
    campaign = rig.start(seconds=60)
    held = leases.HeldLease(lease=0, campaign=campaign, kind="fuzz", body="", epoch=0, attempt=1)
    leases.report(rig.store, held, outcome.case, violation, "")
    rig.until(lambda _: any(each.minimised for each in rig.store.list()))
    rig.drain()
    rig.until_done()
    (finding,) = rig.store.list()
    expected = minimise_finding(outcome.case, violation.signature).case
    assert parse(finding.minimised, "minimised") == expected
    assert violation.signature in signatures(run(expected))
    with rig.store.engine.connect() as connection:
        kind = lease.c.kind == "minimise"
        rows = connection.execute(select(lease.c.state, lease.c.attempts).where(kind)).all()
    assert [tuple(row) for row in rows] == [("committed", 1)]
