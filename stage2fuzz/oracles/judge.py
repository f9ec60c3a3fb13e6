"""judge(): one pass over a run's events, every oracle told what it wants to hear.

What is told to whom is found out once for each (rules, oracles) pair; before a run only what the
last one left behind is emptied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from stage2fuzz.events import CALL_NAMES, FAULT, FREE, KINDS, RESUME, RETURN, Event
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.catalogue import EVERYWHERE, ORACLES, OWNERSHIP
from stage2fuzz.oracles.cause import cause_of
from stage2fuzz.oracles.dispatch import Teller, silent, teller
from stage2fuzz.oracles.handlers import ALWAYS, ANNOUNCEMENTS, EVENTS, FIELDS
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.oracles.world import World
from stage2fuzz.rules import Rules

WORLD_LAST: Final = (FREE, RESUME)
"""Kinds that end something: the oracles see it once more before the world forgets it."""


class Judge:
    """The world and one set of oracles, reused from run to run."""

    def __init__(self, rules: Rules, names: tuple[str, ...] | None, lasso: bool = True) -> None:
        self._rules = rules
        self._found: dict[str, Violation] = {}
        self.world = World()
        self._oracles: list[Oracle] = [
            make(self.world, self._found)
            for make in ((*OWNERSHIP, *EVERYWHERE) if rules.ownership else ORACLES)
            if (names is None or make.oracle in names)
            and (lasso or not make.lasso)
            and make.applies(rules)
        ]
        self._state = [container for oracle in self._oracles for container in oracle.state]
        self.table: list[Teller | None] = [None] * (max(KINDS) + 1)
        """Kind -> whom to tell, by the function that does."""
        self._late: dict[int, Teller | None] = {}
        for kind, name in EVENTS.items():
            self._listen(kind, name)
        every = (*ALWAYS, *KINDS[RETURN].fields)
        self.table[RETURN] = teller("returned", every, [self.world])
        self._early = {kind: self.table[kind] for kind in self._late}
        self._armed = False
        self._announce()

    def _listen(self, kind: int, name: str) -> None:
        """Find out who hears of a kind of event, early and late in a run."""
        fields = FIELDS[name]
        heard = [oracle for oracle in self._oracles if hasattr(oracle, name)]
        own: list[object] = [oracle for oracle in heard if name not in oracle.late]
        facts: list[object] = [self.world] if hasattr(self.world, name) else []
        order = own + facts if kind in WORLD_LAST else facts + own
        self.table[kind] = teller(name, fields, order)
        late = [oracle for oracle in heard if name in oracle.late]
        if late:
            self._late[kind] = teller(name, fields, order + late)

    def _announce(self) -> None:
        """Let the world know who hears its announcements; of returns, those of which calls."""
        world = self.world
        for name in ANNOUNCEMENTS:
            heard = [oracle for oracle in self._oracles if hasattr(oracle, name)]
            if name != "returned":
                setattr(world, f"on_{name}", teller(name, FIELDS[name], heard) or silent)
                continue
            for code in CALL_NAMES:
                waiting = [each for each in heard if not each.returns or code in each.returns]
                world.on_returned[code] = teller(name, FIELDS[name], waiting) or silent
        world.on_first_free = self._arm

    def _arm(self) -> None:
        """From the first FREE on every load and walk is looked at."""
        for kind, tell in self._late.items():
            self.table[kind] = tell
        self._armed = True

    def judge(self, events: list[Event], vcpus: int, threads: int) -> tuple[Violation, ...]:
        """The violations of one run, in the order in which they were proved."""
        self._begin(events, vcpus, threads)
        table = self.table
        for index, (kind, thread, where, old, new, aux) in enumerate(events):
            tell = table[kind]
            if tell is not None:
                tell(index, thread, where, old, new, aux)
        return tuple(
            replace(each, cause=cause_of(each.signature, each.events, events))
            for each in self._found.values()
        )

    def follow(self, events: list[Event], vcpus: int, threads: int) -> Iterator[World]:
        """The world after each event, the same object each time."""
        self._begin(events, vcpus, threads)
        for index, (kind, *fields) in enumerate(events):
            tell = self.table[kind]
            if tell is not None:
                tell(index, *fields)
            yield self.world

    def _begin(self, events: list[Event], vcpus: int, threads: int) -> None:
        """Forget the last run."""
        for container in self._state:
            if container:
                container.clear()
        self._found.clear()
        if self._armed:
            for kind, early in self._early.items():
                self.table[kind] = early
            self._armed = False
        self.world.begin(events, self._rules, vcpus, threads)


@lru_cache(maxsize=16)
def _judge_of(rules: Rules, names: tuple[str, ...] | None, lasso: bool) -> Judge:
    return Judge(rules, names, lasso)


def judge(
    events: list[Event],
    rules: Rules = Rules(),  # noqa: B008  (frozen)
    vcpus: int = 0,
    threads: int = 0,
    oracles: Sequence[str] | None = None,
    lasso: bool = True,
) -> tuple[Violation, ...]:
    """What the oracles say of a run's events.

    ``vcpus`` and ``threads`` count the run's guests and all its threads; where they are not given
    they are taken from the events, and a thread that never did anything is then not known.
    ``oracles`` names those of the catalogue to ask (None: all that ``rules`` allow).
    Where ``lasso`` is false an engine has found that no state returned, and nobody asks whether.
    """
    if not threads:
        threads = 1 + max((event[1] for event in events), default=0)
        vcpus = 1 + max((event[1] for event in events if event[0] == FAULT), default=threads - 1)
    names = None if oracles is None else tuple(oracles)
    return _judge_of(rules, names, lasso).judge(events, vcpus, threads)


def follow(events: list[Event], vcpus: int, threads: int) -> Iterator[World]:
    """What is known after each event of a run, told to nobody: for pages that show a run in full.

    The same object each time, so look before you go on. No era's rules apply: a TLBI's level hint
    covers a table, too.
    """
    return Judge(Rules(), (), lasso=False).follow(events, vcpus, threads)
