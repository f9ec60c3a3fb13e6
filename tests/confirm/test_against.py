"""Our model of the host against a kernel: what is compared, and what is known to differ."""

from stage2fuzz import events as ev
from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import SLOT_STRIDE, Access, HostOp, Op, Scenario, Slot
from stage2fuzz.confirm.view import of_engine
from stage2fuzz.run import run
from stage2fuzz.schedule.base import FOREVER, Schedule


def test_a_warning_is_compared_but_for_the_cache_that_the_machine_never_finds_empty() -> None:
    def said(*warnings: int) -> str:
        events = [(ev.WARN, 0, 0, 0, 0, each) for each in warnings]
        return of_engine(Scenario(), events).get("warning", "not compared")

    assert said() == "no"
    assert said(ev.WARN_REFCOUNT) == "yes"
    assert said(ev.WARN_MEMORY_CACHE) == "not compared"
    assert said(ev.WARN_MEMORY_CACHE, ev.WARN_REFCOUNT) == "yes"


def test_an_operation_on_a_deleted_slot_takes_no_other_one_s_result() -> None:
    ops = (HostOp(Op.SLOT_DELETE), HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_GET, SLOT_STRIDE))
    scenario = Scenario((Slot(1), Slot(1)), ((Access(READ, 0),),), (ops,))
    outcome = run(Case("model:v6.12", scenario, Schedule(((1, FOREVER), (0, FOREVER)))))
    said = of_engine(scenario, outcome.events)
    assert said["slot_delete (1) of host 0"] == "returned 0"
    assert "log_enable (2) of host 0" not in said
    assert said["log_get (3) of host 0"] == "returned -2"


def test_the_log_of_a_slot_that_was_deleted_cannot_be_read() -> None:
    logging = Slot(1, logging=True)
    writes = ((Access(WRITE, 0),), (Access(WRITE, SLOT_STRIDE),))
    scenario = Scenario((logging, logging), writes, ((HostOp(Op.SLOT_DELETE),),))
    # The deletion is published while vCPU 0's fault, which marks the page after that, goes on.
    schedule = Schedule(((0, 4), (2, 3), (0, FOREVER), (2, FOREVER), (1, FOREVER)))
    outcome = run(Case("model:v6.12", scenario, schedule))
    marked = [event[2] for event in outcome.events if event[0] == ev.MARK_DIRTY]
    assert len(marked) == 2
    said = of_engine(scenario, outcome.events)
    assert said["dirty log of slot 0"] == ""
    assert said["dirty log of slot 1"] == "0"
