"""Plan: which orders a campaign needs next, as a pure function of what is on record.

Nothing is remembered between two calls, so a coordinator may be killed at any moment, and two of
them come to the same orders; each order has a label that is unique in its campaign, and the second
writer of the same label changes nothing.
"""

from dataclasses import dataclass
from typing import Final

from stage2fuzz.service.orders import (
    REAL,
    CampaignSpec,
    ConfirmOrder,
    FuzzOrder,
    MinimiseOrder,
    Order,
    PruneOrder,
    RealOrder,
    RegressOrder,
)

ORDERS_PER_SLOT: Final = 2
"""One order in work and one waiting for each slot: no slot idles, and little waits when paused."""
SEEDS_PER_ORDER: Final = 64
LONGEST_RESERVE: Final = 30
"""The most seconds at the end of a time budget in which what was found is looked at."""
ORDER_OVERHEAD: Final = 5
"""Seconds that a fuzz order takes beyond its own: starting, measuring its inputs, handing in."""
MINIMISE_SECONDS: Final = 60
CONFIRM_TIMES: Final = 3
MULTIPLIER: Final = 1_103_515_245
"""Of the linear congruential step that turns an order's number into its seed."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One pair of engine and target, which share a corpus; ``suspects`` outlived no process."""

    engine: str
    target: str
    seeds: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingProgress:
    """How far a finding has come."""

    number: int
    signature: str
    case: str
    build: str = ""
    """The build its case belongs to: what another build confirmed is confirmed anew."""
    confirmed: bool = False
    minimised: bool = False
    regressed: bool = False
    tried: bool = False
    """On a real kernel."""


@dataclass(frozen=True, slots=True)
class CampaignView:
    """What is on record about one campaign."""

    spec: CampaignSpec
    planned: int = 0
    """Fuzz orders planned since the start: the number of the next one."""
    elapsed: float = 0.0
    schedules: int = 0
    findings: int = 0
    open_orders: int = 0
    slots: int = 1
    real: bool = False
    """Whether a worker lives that has a real kernel."""
    draining: bool = False
    labels: frozenset[str] = frozenset()
    """Labels of every order but the fuzz orders."""
    streams: tuple[Stream, ...] = ()
    waiting: tuple[FindingProgress, ...] = ()
    """Findings that are not yet confirmed, minimised and regressed, and not given up."""


def plan(view: CampaignView) -> dict[str, Order]:
    """The orders to add, by label: what findings need first, then fuzzing for the free slots."""
    if overdue(view):
        return {}
    orders = {
        label: order for label, order in _follow_ups(view).items() if label not in view.labels
    }
    if view.draining or spent(view):
        return orders
    for number in range(view.planned, view.planned + _room(view) - len(orders)):
        orders[f"fuzz:{number}"] = _fuzz(view, number)
    return orders


def reserve(seconds: int) -> int:
    """Seconds at the end of a time budget that are not for fuzzing: a fifth, at most 30."""
    return min(LONGEST_RESERVE, seconds // 5)


def overdue(view: CampaignView) -> bool:
    """Whether the campaign's whole time is up, so that what is still open has to be given up."""
    return 0 < view.spec.seconds <= view.elapsed


def spent(view: CampaignView) -> bool:
    """Whether a budget is used up: the time for fuzzing, schedules or findings."""
    spec = view.spec
    return (
        (spec.seconds > 0 and _fuzzing_left(view) < 1)
        or 0 < spec.schedules <= view.schedules
        or 0 < spec.findings <= view.findings
    )


def _fuzzing_left(view: CampaignView) -> float:
    """Seconds of a time budget that are left for fuzzing."""
    return view.spec.seconds - reserve(view.spec.seconds) - view.elapsed


def _room(view: CampaignView) -> int:
    """How many more orders may be open.

    Near the end of the time no order is made to wait: it would begin too late to end in time.
    """
    spec = view.spec
    slots = min(view.slots, spec.parallel) if spec.parallel else view.slots
    last = spec.seconds and _fuzzing_left(view) < 2 * (spec.order_seconds + ORDER_OVERHEAD)
    return max(0, slots * (1 if last else ORDERS_PER_SLOT) - view.open_orders)


def _fuzz(view: CampaignView, number: int) -> FuzzOrder:
    """Order ``number``: the pairs take turns, and so do the shards of a pair's corpus."""
    spec = view.spec
    pairs = [(engine, target) for engine in spec.engines for target in spec.targets]
    engine, target = pairs[number % len(pairs)]
    seeds: tuple[str, ...] = ()
    if spec.strategy == "mutate":
        for stream in view.streams:
            if (stream.engine, stream.target) == (engine, target):
                seeds = _shard(stream.seeds, number // len(pairs))
    left = int(_fuzzing_left(view)) if spec.seconds else spec.order_seconds
    return FuzzOrder(
        number=number,
        engine=engine,
        target=target,
        seconds=max(1, min(spec.order_seconds, left)),
        seed=(spec.seed + number * MULTIPLIER) % (1 << 31),
        seeds=seeds,
    )


def _shard(seeds: tuple[str, ...], turn: int) -> tuple[str, ...]:
    """Every how-many-th seed, so that orders in work at once start from different ones."""
    shards = max(1, -(-len(seeds) // SEEDS_PER_ORDER))
    return seeds[turn % shards :: shards]


def _follow_ups(view: CampaignView) -> dict[str, Order]:
    orders: dict[str, Order] = {}
    for stream in view.streams:
        if stream.suspects:
            name = f"prune:{stream.engine}:{stream.target}:{stream.suspects[0][:16]}"
            suspects = stream.suspects[:SEEDS_PER_ORDER]
            orders[name] = PruneOrder(stream.engine, stream.target, suspects)
    for each in view.waiting:
        name = f"{each.number}:{each.build}" if each.build else f"{each.number}"
        if not each.confirmed:
            order: Order = ConfirmOrder(each.number, each.signature, each.case, CONFIRM_TIMES)
            orders[f"confirm:{name}"] = order
        elif not each.minimised:
            order = MinimiseOrder(each.number, each.signature, each.case, _minimising(view))
            orders[f"minimise:{name}"] = order
        elif not each.regressed and view.spec.regress:
            order = RegressOrder(each.number, each.signature, each.case, view.spec.regress)
            orders[f"regress:{name}"] = order
        if each.minimised and not each.tried and each.build and view.real and view.spec.real:
            order = RealOrder(each.number, each.signature, each.case, view.spec.real)
            orders[f"{REAL}:{name}"] = order
    return orders


def _minimising(view: CampaignView) -> int:
    """Seconds for one minimise order, so that it ends before the campaign does."""
    if not view.spec.seconds:
        return MINIMISE_SECONDS
    left = int(view.spec.seconds - view.elapsed) - ORDER_OVERHEAD
    return max(1, min(MINIMISE_SECONDS, left))
