"""Structure-aware mutation of an input: moves that byte flips rarely make.

The moves are those of the literature and of the bug class: insert a preemption, move or repeat a
block of steps (a repeated block is how a lasso closes), change one access, one operation, one
option; crossover takes the scenario of one input and splices the schedules of both.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import decode, encode
from stage2fuzz.case.el2 import EL2_TEST_PAGES, MAX_HYP_CALLS, plain_hyp_call
from stage2fuzz.case.limits import schedulable
from stage2fuzz.case.profile import Profile
from stage2fuzz.case.scenario import MAX_ACCESSES, Access, Options, Scenario
from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import Run, Schedule

MAX_RUNS: Final = 64
"""Runs a mutated schedule may have; longer ones find nothing more and are slower to decode."""


class Lcg:
    """A small linear congruential generator: ``random.Random`` costs more than a mutation."""

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = (seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) & (1 << 64) - 1

    def below(self, limit: int) -> int:
        """A number in ``range(limit)``."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        return (self.state >> 33) % limit


def mutate(data: bytes, engine: str, profile: Profile, seed: int, max_size: int) -> bytes:
    """One to three structured moves on ``data``; never longer than ``max_size``."""
    draw = Lcg(seed)
    case = decode(data, engine, profile)
    for _ in range(1 + draw.below(3)):
        move = MOVES[draw.below(len(MOVES))]
        case = move(case, draw)
    return _encoded(case, data)[:max_size]


def cross(one: bytes, other: bytes, engine: str, profile: Profile, seed: int, limit: int) -> bytes:
    """The scenario of ``one`` with its schedule's head and the tail of the other's schedule."""
    draw = Lcg(seed)
    first, second = decode(one, engine, profile), decode(other, engine, profile)
    head, tail = list(first.schedule.runs), list(second.schedule.runs)
    runs = head[: draw.below(len(head) + 1)] + tail[draw.below(len(tail) + 1) :]
    return _encoded(_scheduled(first, runs), one)[:limit]


def _encoded(case: Case, instead: bytes) -> bytes:
    """The bytes of ``case``; a move that left the limits of a case is no move."""
    try:
        return encode(case)
    except InputError:
        return instead


def _scheduled(case: Case, runs: list[Run]) -> Case:
    """``case`` with these runs, those of threads it does not have folded onto the ones it has."""
    threads = schedulable(case.scenario)
    merged: list[Run] = []
    for thread, points in runs[:MAX_RUNS]:
        thread %= threads
        if merged and merged[-1][0] == thread:
            merged[-1] = (thread, min(merged[-1][1] + points, 4096))
        else:
            merged.append((thread, points))
    return replace(case, schedule=Schedule(tuple(merged), case.schedule.choices))


def _preempt(case: Case, draw: Lcg) -> Case:
    """Another thread runs for a while at some place inside a run."""
    runs = list(case.schedule.runs)
    at = draw.below(len(runs) + 1)
    visitor = (draw.below(case.scenario.threads), 1 + draw.below(40))
    if at < len(runs) and runs[at][1] > 1:
        thread, points = runs[at]
        cut = 1 + draw.below(min(points, 400) - 1) if points > 1 else 1
        runs[at : at + 1] = [(thread, cut), visitor, (thread, max(1, points - cut))]
    else:
        runs.insert(at, visitor)
    return _scheduled(case, runs)


def _stretch(case: Case, draw: Lcg) -> Case:
    """One run is a little longer or shorter."""
    runs = list(case.schedule.runs)
    if not runs:
        return _preempt(case, draw)
    at = draw.below(len(runs))
    thread, points = runs[at]
    runs[at] = (thread, max(1, min(points, 400) + draw.below(9) - 4))
    return _scheduled(case, runs)


def _drop_run(case: Case, draw: Lcg) -> Case:
    runs = list(case.schedule.runs)
    if runs:
        del runs[draw.below(len(runs))]
    return _scheduled(case, runs)


def _repeat(case: Case, draw: Lcg) -> Case:
    """A block of runs happens two to four times."""
    runs = list(case.schedule.runs)
    if len(runs) < 2:
        return _preempt(case, draw)
    start = draw.below(len(runs) - 1)
    end = start + 1 + draw.below(min(6, len(runs) - start))
    runs[end:end] = runs[start:end] * (1 + draw.below(3))
    return _scheduled(case, runs)


def _swap(case: Case, draw: Lcg) -> Case:
    """Two neighbouring runs change places."""
    runs = list(case.schedule.runs)
    if len(runs) > 1:
        at = draw.below(len(runs) - 1)
        runs[at], runs[at + 1] = runs[at + 1], runs[at]
    return _scheduled(case, runs)


def _access(case: Case, draw: Lcg) -> Case:
    """One access changes its kind, goes to another access's page, is doubled or dropped."""
    if case.scenario.cpus:
        return _hyp_call(case, draw)
    programs = [list(program) for program in case.scenario.vcpus]
    program = programs[draw.below(len(programs))]
    at = draw.below(len(program)) if program else 0
    others = [access for each in programs for access in each]
    what = draw.below(4)
    if not program or (what == 0 and len(program) < MAX_ACCESSES and others):
        program.insert(at, others[draw.below(len(others))] if others else Access(1, 0))
    elif what == 1 and len(program) > 1:
        del program[at]
    elif what == 2:
        program[at] = replace(program[at], kind=1 << draw.below(3))
    else:
        program[at] = replace(program[at], page=others[draw.below(len(others))].page)
    return _with(case, replace(case.scenario, vcpus=tuple(tuple(each) for each in programs)))


def _hyp_call(case: Case, draw: Lcg) -> Case:
    """A host CPU's call is dropped, doubled, put elsewhere, or changes one field."""
    programs = [list(calls) for calls in case.scenario.cpus]
    calls = programs[draw.below(len(programs))]
    at, what = draw.below(len(calls)), draw.below(4)
    if what == 0 and len(calls) > 1:
        del calls[at]
    elif what == 1 and len(calls) < MAX_HYP_CALLS:
        donor = programs[draw.below(len(programs))]
        calls.insert(at, donor[draw.below(len(donor))])
    elif what == 2:
        other = draw.below(len(calls))
        calls[at], calls[other] = calls[other], calls[at]
    else:
        name = ("page", "gfn", "vm")[draw.below(3)]
        changed = replace(calls[at], **{name: draw.below(EL2_TEST_PAGES)})  # type: ignore[arg-type]
        calls[at] = plain_hyp_call(changed)
    return _with(case, replace(case.scenario, cpus=tuple(tuple(each) for each in programs)))


def _option(case: Case, draw: Lcg) -> Case:
    """One option returns to its default; leaving it is what byte mutation is for."""
    field = fields(Options)[draw.below(len(fields(Options)))]
    plain = getattr(Options(), field.name)
    options = replace(case.scenario.options, **{field.name: plain})
    return _with(case, replace(case.scenario, options=options))


def _with(case: Case, scenario: Scenario) -> Case:
    return _scheduled(replace(case, scenario=scenario), list(case.schedule.runs))


MOVES: Final[tuple[Callable[[Case, Lcg], Case], ...]] = (
    _preempt,
    _preempt,
    _stretch,
    _drop_run,
    _repeat,
    _swap,
    _access,
    _access,
    _option,
)
