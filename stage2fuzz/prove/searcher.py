"""The searches of one request on a kernel engine: in a confined process, since kernel code runs.

First what can go on for ever, among configurations without their past, which are finitely many.
Then every class of runs. Where that does not come to an end, at most 0, 1, 2 and more preemptions,
each search from the beginning: so a shallow fault is found and a bound is said, whatever the size.
"""

import itertools
import time
from collections.abc import Generator, Iterator
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import MAX_FAULTS
from stage2fuzz.case.text import format_case
from stage2fuzz.events import CRASH
from stage2fuzz.fuzz.outbox import violation_record
from stage2fuzz.kernel.abi import S2SearchCounts, SearchStop
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.search import SearchBounds, StateSearch
from stage2fuzz.oracles.native.binding import NativeJudge
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.frames import Frame
from stage2fuzz.prove.request import ProofRequest, SearchPass
from stage2fuzz.run import judge_run
from stage2fuzz.schedule.base import Schedule

STEPS: Final = 50_000
"""Of a search until somebody is told how far it is."""
FEW_FAULTS: Final = 3
"""Of one access at most where threads can undo one another for ever: then there is no end of
classes."""
NUMBERS: Final = itertools.count(1)
"""One for each search of this process, whose classes are its own."""
AROUND: Final = 3
"""Times around a cycle until the oracle of progress sees a state return."""


class Searcher:
    """One request; the answers come as the searches go."""

    def __init__(
        self, engine: KernelEngine, request: ProofRequest, compiled: NativeJudge | None
    ) -> None:
        self._engine, self._request, self._compiled = engine, request, compiled
        self._scenario = request.case.scenario
        self._until = time.monotonic() + request.seconds
        self._told: set[str] = set()
        self._cycles: list[tuple[Schedule, Schedule]] = []
        if compiled is not None:
            compiled.begin()
            compiled.scenario(engine.rules, len(self._scenario.vcpus), self._scenario.threads)

    def answers(self) -> Iterator[Frame]:
        """What was found, what was searched, and meanwhile how far it is."""
        asked = self._request
        fair = 0
        if not (asked.first and asked.preemptions is not None):
            loops = yield from self._search(SearchBounds(memory=asked.memory, state_only=True), 0.5)
            if loops.why == "crash":
                return
            yield from self._follow_cycles()
            fair = loops.figures["fair"]
        if self._enough:
            return
        faults = asked.faults
        if faults is None and fair:
            faults = FEW_FAULTS
        share = 1.0 if asked.preemptions is not None else 0.6
        bounds = SearchBounds(asked.preemptions, faults, asked.memory)
        whole = yield from self._search(bounds, share)
        if whole.whole and whole.figures["limits"] and faults is None:
            bounds = SearchBounds(asked.preemptions, FEW_FAULTS, asked.memory)
            whole = yield from self._search(bounds, 1.0)
        if whole.whole or whole.why == "crash" or asked.preemptions is not None or self._news:
            return
        for preemptions in itertools.count():
            bounds = SearchBounds(preemptions, faults, asked.memory)
            bounded = yield from self._search(bounds, 1.0)
            if not bounded.whole or not bounded.figures["cut"]:
                return

    def _search(self, bounds: SearchBounds, share: float) -> Generator[Frame, None, SearchPass]:
        """One search, for a share of the time that is left; its ``SearchPass`` at the end."""
        began, now = time.process_time(), time.monotonic()
        until = now + (self._until - now) * share
        address = self._compiled.address if self._compiled is not None else None
        search = StateSearch(
            self._engine.native,
            self._engine.library.path,
            self._scenario,
            bounds,
            next(NUMBERS),
        )
        why = "" if search.begun else "memory"
        while not why:
            found = search.go(STEPS, address)
            if found is SearchStop.RUN:
                crashed, frames = self._look(search)
                yield from frames
                why = "crash" if crashed else "news" if self._enough else ""
            elif found is SearchStop.CYCLE:
                self._cycles.append(search.cycle())
            elif found is SearchStop.ALL:
                break
            elif found is SearchStop.NO_ROOM:
                why = "memory"
            else:
                yield {"told": figures(search.told), "bounds": [bounds.preemptions, bounds.faults]}
                why = "time" if time.monotonic() > until else ""
        search.end()
        outcome = SearchPass(
            bounds.state_only,
            bounds.preemptions,
            bounds.faults,
            not why,
            why,
            round(time.process_time() - began, 3),
            figures(search.told),
        )
        yield {"pass": outcome.to_answer()}
        return outcome

    def _look(self, search: StateSearch) -> tuple[bool, list[Frame]]:
        """Let Python's oracles say what they have to say of a run: whether it crashed, and that."""
        trace = search.trace()
        said = judge_run(self._engine, self._scenario, trace, lasso=bool(search.told.lasso))
        crashed = trace.events[-1][0] == CRASH
        if self._compiled is not None and not crashed:
            self._compiled.check(said)
        return crashed, [self._frame(each, trace.schedule) for each in self._new(said)]

    def _follow_cycles(self) -> Iterator[Frame]:
        """Run the shortest cycles a few times around, and see what the oracles say."""
        self._cycles.sort(key=length)
        for before, around in self._cycles:
            schedule = Schedule(
                before.runs + around.runs * AROUND, before.choices + around.choices * AROUND
            )
            trace = self._engine.run(self._scenario, schedule)
            new = self._new(judge_run(self._engine, self._scenario, trace))
            yield from (self._frame(each, trace.schedule) for each in new)
            if any(each.oracle == "G1" for each in new):
                return

    @property
    def _news(self) -> bool:
        return not self._told <= self._request.known

    @property
    def _enough(self) -> bool:
        """Whether nobody wants to hear more."""
        return self._request.first and self._news

    def _new(self, said: tuple[Violation, ...]) -> list[Violation]:
        new = [each for each in said if each.signature not in self._told]
        self._told.update(each.signature for each in new)
        return new

    def _frame(self, violation: Violation, schedule: Schedule) -> Frame:
        case = Case(self._request.case.engine, self._scenario, schedule, self._engine.build)
        return {"found": violation_record(violation), "case": format_case(case)}


def length(cycle: tuple[Schedule, Schedule]) -> int:
    """The points of a cycle and of the way to it."""
    return sum(points for part in cycle for _, points in part.runs)


def figures(told: S2SearchCounts) -> dict[str, int]:
    """What a search told, by name."""
    return {field[0]: getattr(told, field[0]) for field in told._fields_}


assert FEW_FAULTS < MAX_FAULTS
