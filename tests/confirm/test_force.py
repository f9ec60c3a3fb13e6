"""Following a plan: arrivals are counted within an item, and what is missed is said."""

from collections.abc import Callable, Sequence

from stage2fuzz.confirm.anchors import Anchor
from stage2fuzz.confirm.driver import NotReachedError, NotSettledError
from stage2fuzz.confirm.force import force
from stage2fuzz.confirm.plan import Plan, PlannedStep, Stop


class Script:
    """A machine whose threads arrive at anchors in a fixed order."""

    def __init__(self, arrivals: dict[int, list[Anchor]]) -> None:
        self.left = {thread: list(each) for thread, each in arrivals.items()}
        self.log: list[str] = []
        self.waits = True
        """Whether a thread that settles is seen to wait."""

    def begin(self, start: Callable[[], None]) -> None:
        """All threads stand before their first item at once."""
        start()

    def advance(self, thread: int, anchors: Sequence[Anchor]) -> Anchor:
        """The next of the arrivals that is asked for."""
        while self.left[thread]:
            here = self.left[thread].pop(0)
            if here in anchors:
                self.log.append(f"{thread} {here}")
                return here
        raise NotReachedError("nothing more")

    def settle(self, thread: int, anchors: Sequence[Anchor]) -> Anchor | None:
        """It need not wait where its next arrival is one of these."""
        self.log.append(f"{thread} settles before {' or '.join(anchors)}")
        if self.left[thread] and self.left[thread][0] in anchors:
            return self.left[thread].pop(0)
        if not self.waits:
            raise NotSettledError("not seen to wait")
        return None

    def stack(self, thread: int) -> list[int]:
        """A number to know the thread by."""
        return [thread]

    def release(self) -> None:
        """Only noted."""
        self.log.append("released")


ITEM, FAULT, LOOK_UP = Anchor.ITEM, Anchor.FAULT, Anchor.LOOK_UP


def test_the_second_arrival_in_the_second_item_is_not_the_first() -> None:
    script = Script({0: [FAULT, ITEM, FAULT, LOOK_UP, FAULT, LOOK_UP, ITEM]})
    plan = Plan((PlannedStep(0, Stop(1, FAULT, 2)),), 0)
    forced = force(plan, script, lambda: None)
    assert forced.missed == ""
    assert script.left[0] == [LOOK_UP, ITEM]
    assert forced.held[0].stack == (0,)


def test_another_trap_that_returns_to_where_a_fault_does_is_no_arrival() -> None:
    resume = Anchor.RESUME
    script = Script({0: [resume, FAULT, LOOK_UP, resume, resume, FAULT, resume, ITEM]})
    steps = (PlannedStep(0, Stop(0, LOOK_UP, 1)), PlannedStep(0, Stop(0, resume, 2)))
    forced = force(Plan(steps, 0), script, lambda: None)
    assert forced.missed == ""
    assert script.left[0] == [ITEM]


def test_an_item_that_ends_without_the_anchor_is_named() -> None:
    script = Script({0: [FAULT, ITEM, FAULT]})
    forced = force(Plan((PlannedStep(0, Stop(0, LOOK_UP, 1)),), 0), script, lambda: None)
    assert forced.missed == "thread 0 ended item 1 without look-up in item 1"
    assert script.log[-1] == "released"


def test_a_publication_is_left_only_when_its_wait_has_begun() -> None:
    script = Script({0: [Anchor.PUBLISHED], 1: [FAULT]})
    plan = Plan(
        (PlannedStep(0, Stop(0, Anchor.PUBLISHED, 1)), PlannedStep(1, Stop(0, FAULT, 1))), 0
    )
    assert force(plan, script, lambda: None).missed == ""
    assert script.log == ["0 published", "0 settles before commit or unmap", "1 fault", "released"]


def test_a_wait_that_nobody_saw_is_noted_and_the_plan_goes_on() -> None:
    script = Script({0: [Anchor.PUBLISHED], 1: [FAULT]})
    script.waits = False
    steps = (PlannedStep(0, Stop(0, Anchor.PUBLISHED, 1)), PlannedStep(1, Stop(0, FAULT, 1)))
    forced = force(Plan(steps, 0), script, lambda: None)
    assert (forced.missed, forced.unsettled) == ("", "not seen to wait")
    assert script.log[-2:] == ["1 fault", "released"]


def test_an_unmap_that_follows_a_publication_at_once_is_an_arrival() -> None:
    script = Script({0: [Anchor.PUBLISHED, Anchor.UNMAP, ITEM], 1: [FAULT]})
    steps = (
        PlannedStep(0, Stop(0, Anchor.PUBLISHED, 1)),
        PlannedStep(1, Stop(0, FAULT, 1)),
        PlannedStep(0, Stop(0, Anchor.UNMAP, 1)),
    )
    assert force(Plan(steps, 0), script, lambda: None).missed == ""
    assert script.left[0] == [ITEM]
