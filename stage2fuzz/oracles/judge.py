"""judge(): one pass over a run's events, every oracle told what it wants to hear.

The dispatch tables, one tuple of bound methods for each kind of event, are built once for each
(rules, oracles) pair; before a run only what the last one left behind is emptied.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from stage2fuzz.events import (
    CALL_CODE,
    CALL_NAMES,
    FAULT,
    FREE,
    KINDS,
    RESUME,
    RETURN,
    THREAD_END,
    Event,
)
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.catalogue import ORACLES
from stage2fuzz.oracles.facts import SEMANTIC
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.oracles.world import World
from stage2fuzz.rules import Rules

HANDLER_NAMES: Final[dict[int, str]] = {
    number: kind.name.replace("-", "_") for number, kind in KINDS.items()
} | {RETURN: "returned", THREAD_END: "ended"}
WORLD_LAST: Final = (FREE, RESUME)
"""Kinds that end something: the oracles see it once more before the world forgets it."""


class Judge:
    """The world and one set of oracles, reused from run to run."""

    def __init__(self, rules: Rules, names: tuple[str, ...] | None) -> None:
        self._rules = rules
        self._found: dict[str, Violation] = {}
        self._world = world = World()
        self._oracles: list[Oracle] = [
            make(world, self._found)
            for make in ORACLES
            if (names is None or make.oracle in names) and make.applies(rules)
        ]
        self._state = [container for oracle in self._oracles for container in oracle.state]
        self._table: list[tuple[Any, ...]] = [()] * (max(KINDS) + 1)
        self._late: dict[int, tuple[Any, ...]] = {}
        for kind, name in HANDLER_NAMES.items():
            own = tuple(
                getattr(oracle, name)
                for oracle in self._oracles
                if hasattr(oracle, name) and name not in oracle.late and kind != RETURN
            )
            late = tuple(getattr(oracle, name) for oracle in self._oracles if name in oracle.late)
            facts = (getattr(world, name),) if hasattr(world, name) else ()
            self._table[kind] = own + facts if kind in WORLD_LAST else facts + own
            if late:
                self._late[kind] = self._table[kind] + late
        self._returns = {
            code: tuple(
                oracle.returned
                for oracle in self._oracles
                if hasattr(oracle, "returned") and (not oracle.returns or code in oracle.returns)
            )
            for code in CALL_NAMES
        }
        self._table[RETURN] += (self._returned,)
        self._early = {kind: self._table[kind] for kind in self._late}
        self._armed = False
        for name in SEMANTIC:
            handlers = tuple(getattr(o, name) for o in self._oracles if hasattr(o, name))
            setattr(world, f"on_{name}", handlers)
        world.on_first_free = self._arm

    def _arm(self) -> None:
        """From the first FREE on every load and walk is looked at."""
        for kind, handlers in self._late.items():
            self._table[kind] = handlers
        self._armed = True

    def _returned(self, index: int, thread: int, where: int, old: int, new: int, aux: int) -> None:
        """Tell of a RETURN those who wait for that call."""
        for handler in self._returns.get(aux & CALL_CODE, ()):
            handler(index, thread, where, old, new, aux)

    def judge(self, events: list[Event], vcpus: int, threads: int) -> tuple[Violation, ...]:
        """The violations of one run, in the order in which they were proved."""
        for container in self._state:
            if container:
                container.clear()
        found, table = self._found, self._table
        found.clear()
        if self._armed:
            for kind, handlers in self._early.items():
                table[kind] = handlers
            self._armed = False
        self._world.begin(events, self._rules, vcpus, threads)
        for index, (kind, thread, where, old, new, aux) in enumerate(events):
            for handler in table[kind]:
                handler(index, thread, where, old, new, aux)
        return tuple(found.values())


@lru_cache(maxsize=16)
def _judge_of(rules: Rules, names: tuple[str, ...] | None) -> Judge:
    return Judge(rules, names)


def judge(
    events: list[Event],
    rules: Rules = Rules(),  # noqa: B008  (frozen)
    vcpus: int = 0,
    threads: int = 0,
    oracles: Sequence[str] | None = None,
) -> tuple[Violation, ...]:
    """What the oracles say of a run's events.

    ``vcpus`` and ``threads`` count the run's guests and all its threads; where they are not given
    they are taken from the events, and a thread that never did anything is then not known.
    ``oracles`` names those of the catalogue to ask (None: all that ``rules`` allow).
    """
    if not threads:
        threads = 1 + max((event[1] for event in events), default=0)
        vcpus = 1 + max((event[1] for event in events if event[0] == FAULT), default=threads - 1)
    return _judge_of(rules, None if oracles is None else tuple(oracles)).judge(
        events, vcpus, threads
    )
