"""Our model of the host against a kernel: what is compared, and what is known to differ."""

from stage2fuzz import events as ev
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.confirm.against import of_engine


def test_a_warning_is_compared_but_for_the_cache_that_the_machine_never_finds_empty() -> None:
    def said(*warnings: int) -> str:
        events = [(ev.WARN, 0, 0, 0, 0, each) for each in warnings]
        return of_engine(Scenario(), events).get("warning", "not compared")

    assert said() == "no"
    assert said(ev.WARN_REFCOUNT) == "yes"
    assert said(ev.WARN_MEMORY_CACHE) == "not compared"
    assert said(ev.WARN_MEMORY_CACHE, ev.WARN_REFCOUNT) == "yes"
