"""The host's operations: what they refuse, and when they let others in."""

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import WRITE
from stage2fuzz.scenario import Access, Backing, HostOp, Op, Scenario, Slot
from stage2fuzz.schedule.base import FOREVER
from tests.engine.scenarios import events_of, trace


@pytest.mark.parametrize("revision", ["v5.10", "v6.12"])
def test_device_memory_is_never_logged(revision: str) -> None:
    scenario = Scenario(
        slots=(Slot(backing=Backing.DEVICE, logging=True),),
        vcpus=((Access(WRITE, 0),),),
        hosts=((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_GET)),),
    )
    events = trace(revision, scenario, (1, FOREVER), (0, FOREVER)).events
    assert [event[4] for event in events_of(ev.RETURN, events)][:2] == [-ev.EINVAL, -ev.ENOENT]
    assert not events_of(ev.MARK_DIRTY, events)
