"""Memory is refused at each request in turn: the model's kernel survives all of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import WRITE
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Options, Scenario, Slot
from stage2fuzz.run import Outcome, run_scheduled
from stage2fuzz.schedule.random_walk import RandomWalk
from tests.model.scenarios import events_of

SPLIT = Scenario(
    slots=(Slot(1024, Backing.PMD),),
    vcpus=((Access(WRITE, 0), Access(WRITE, 512)), (Access(WRITE, 513),)),
    hosts=((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_DISABLE), HostOp(Op.LOG_ENABLE)),),
    options=Options(ipa_bits=48, teardown=True),
)
HYP = Scenario(hosts=((HostOp(Op.HYP_MAP),),))


def each_refusal(engine: str, scenario: Scenario, seed: int) -> Iterator[Outcome]:
    """One run for each request for memory of a schedule's, which is refused; until none is."""
    for number in range(1, 64):
        options = replace(scenario.options, failing_alloc=number)
        outcome = run_scheduled(engine, replace(scenario, options=options), RandomWalk(seed))
        asked = [event[4] for event in events_of(ev.TOPUP, outcome.events)]
        if not any(asked):
            return
        assert asked.index(-ev.ENOMEM) == number - 1, "another request was refused than was said"
        yield outcome
    pytest.fail("the run asks for memory without end")


@pytest.mark.parametrize("revision", ["v5.10", "v6.1", "v6.12", "v7.3"])
@pytest.mark.parametrize("scenario", [SPLIT, HYP], ids=["split", "hyp"])
def test_each_refused_request_is_survived(revision: str, scenario: Scenario) -> None:
    refused = single = 0
    for seed in range(3):
        for outcome in each_refusal(f"model:{revision}", scenario, seed):
            refused += 1
            topups = events_of(ev.TOPUP, outcome.events)
            single += any(event[4] and event[3] == ev.TOPUP_SINGLE for event in topups)
            assert not outcome.violations
            assert not outcome.limit
    assert refused
    assert bool(single) == (scenario is HYP or revision in ("v6.12", "v7.3"))


def test_a_host_that_gets_no_table_for_hyp_is_told_so() -> None:
    answers = [
        [event[4] for event in events_of(ev.RETURN, outcome.events) if event[5] == ev.CALL_HYP_MAP]
        for outcome in each_refusal("model:v6.12", HYP, 0)
    ]
    assert [-ev.ENOMEM, 0] in [answer[:2] for answer in answers]
