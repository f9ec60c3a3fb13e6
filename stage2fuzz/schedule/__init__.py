"""Schedules: which thread runs at each shared step, as a value and as strategies that make one."""

from typing import Any, Final

from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import Scheduler
from stage2fuzz.schedule.breaker import Breaker
from stage2fuzz.schedule.pct import Pct
from stage2fuzz.schedule.pos import Pos
from stage2fuzz.schedule.random_walk import RandomWalk
from stage2fuzz.schedule.surw import Surw

_STRATEGIES: Final[dict[str, Any]] = {
    "random": RandomWalk,
    "pct": Pct,
    "pos": Pos,
    "surw": Surw,
    "breaker": Breaker,
}
STRATEGIES: Final = tuple(_STRATEGIES)


def strategy(name: str, seed: int, **options: Any) -> Scheduler:
    """A strategy by name; the same seed and options give the same sequence of schedules.

    One object serves many runs, so that what it measured in one helps the next. Raises InputError
    for a name or option that does not exist.
    """
    made = _STRATEGIES.get(name)
    if made is None:
        known = ", ".join(STRATEGIES)
        raise InputError("strategy", f"{name!r} does not exist", f"known are {known}")
    try:
        scheduler: Scheduler = made(seed, **options)
    except TypeError as error:
        raise InputError(f"strategy {name}", str(error).partition("() ")[2]) from error
    return scheduler
