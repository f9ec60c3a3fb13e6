"""Engines: what one is, what it may be able to do, and which there are.

A case names its engine ``KIND:OPERAND``. Nobody but this file takes such a name apart: whoever
wants to know how an engine must be treated asks its ``Kind``, which opens nothing, or the engine
itself. A new engine costs one package and one entry of ``ENGINES``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast, runtime_checkable

from stage2fuzz.arch import GRANULE_4K, GRANULE_16K, GRANULE_64K, TranslationGranule
from stage2fuzz.case.limits import check_engine
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.errors import InputError
from stage2fuzz.events import Event
from stage2fuzz.rules import Rules
from stage2fuzz.schedule.base import Schedule, Scheduler
from stage2fuzz.source import SourceLine, Stack


@dataclass(frozen=True, slots=True)
class Trace:
    """What one run did; the only thing an engine hands back."""

    events: list[Event]
    schedule: Schedule
    """The one that was really executed."""
    preemptions: int
    ended: str
    """``finished``, ``deadlock``, ``limit``, or ``crash``: BUG(), or a signal of the C code."""


class Engine(Protocol):
    """What runs scenarios: the model, or a kernel tree compiled in user space."""

    @property
    def rules(self) -> Rules:
        """The era whose rules the oracles apply."""

    @property
    def build(self) -> str:
        """What its schedules belong to: a key of 24 hexadecimal digits, empty for a model."""

    def run(self, scenario: Scenario, scheduler: Scheduler) -> Trace:
        """Run one scenario under one scheduler."""


class BurstRun(NamedTuple):
    """A run of a burst that is worth judging."""

    number: int
    """0 is the input's own schedule, n the n-th seed after it."""
    lasso: bool
    """Whether a state may have returned in it; where none did, no vCPU is stuck."""
    judged: int
    """What a judge in C said of it, if there was one."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What one fuzz input's runs showed."""

    runs: int
    features: int
    """Interleaving features that no burst before showed."""
    classes: int
    """Runs of a class that was not seen before."""
    fresh: tuple[BurstRun, ...]
    """Those of them that a judge in C, if there is one, is not content with, the most suspicious
    first; if one crashed, that one alone, since what runs after it may run in damaged memory."""


@runtime_checkable
class BurstEngine(Protocol):
    """An engine so fast that a fuzz input is run under many seeds of its own strategies."""

    @property
    def rules(self) -> Rules:
        """As of any engine."""

    @property
    def build(self) -> str:
        """As of any engine."""

    def run(self, scenario: Scenario, how: Scheduler | Schedule | int) -> Trace:
        """Run one scenario under a scheduler, a schedule or a seed of its own strategies."""

    def burst(
        self,
        scenario: Scenario,
        schedule: Schedule,
        seed: int,
        count: int,
        counters: bytearray,
        judge: int | None = None,
    ) -> Burst:
        """Run ``schedule`` and ``count`` seeds from ``seed`` on; their features go to ``counters``
        (one byte a feature, as ``fuzz.features`` has them)."""


@runtime_checkable
class EdgeCountingEngine(Protocol):
    """An engine whose compiled code counts the edges that it takes."""

    def coverage(self) -> tuple[int, int, int, int] | None:
        """Addresses of its counters and of their table of PCs: start, stop, start, stop; None
        where its compiler counts nothing."""


@runtime_checkable
class LineCountingEngine(Protocol):
    """An engine that can say which lines of the user's tree some cases run."""

    def lines_run(
        self, cases: Iterable[tuple[Scenario, Schedule]]
    ) -> list[tuple[SourceLine, bool]]:
        """Each line that can be counted, and whether it was run; none where none can."""


@runtime_checkable
class TraitEngine(Protocol):
    """An engine that knows what kind of kernel it is, by what was found in it."""

    @property
    def traits(self) -> frozenset[str]:
        """The features that were found."""


@runtime_checkable
class SourceEngine(Protocol):
    """An engine that knows from which line of the user's tree each event of a run comes."""

    def stacks(self, scenario: Scenario, schedule: Schedule) -> list[Stack]:
        """The place of each event of that run, which is made once more; none where the build
        knows none."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds for all engines of one kind, known before any is opened."""

    module: str
    """Has ``opener(operand) -> Engine``. Imported when the first is opened, not before: it
    may need a compiler, and costs every command its time."""
    operand: str
    """What follows the colon, as a help text names it."""
    about: str
    """One line for a person."""
    isolated: bool = False
    """It runs code that may take its process down: never in a process that keeps findings."""
    reducible: bool = False
    """It announces every access to shared memory, so it is known which steps are independent and
    one execution may stand for its class."""
    targets: tuple[str, ...] = ()
    """The fuzz targets that make cases for it; none: the usual ones."""
    asked_targets: tuple[str, ...] = ()
    """Those that run only where they are asked for, since not each of its engines can."""
    everywhere: bool = False
    """It needs nothing but this package: what opens here opens on every worker."""
    granule: TranslationGranule = GRANULE_4K
    """The page size of the host, and of stage 2."""
    opener: str = "open_engine"
    """What in its module opens one."""


ENGINES: Final[dict[str, Kind]] = {
    "model": Kind(
        "stage2fuzz.model.engine",
        "REVISION",
        "the kernel's code as a readable model",
        reducible=True,
        everywhere=True,
    ),
    "kernel": Kind(
        "stage2fuzz.kernel.opener",
        "TREE",
        "the user's own kernel code, compiled in user space",
        isolated=True,
        asked_targets=("nested",),
    ),
    "kernel16k": Kind(
        "stage2fuzz.kernel.opener",
        "TREE",
        "the same code compiled for pages of 16 KiB",
        isolated=True,
        granule=GRANULE_16K,
        opener="open_16k",
    ),
    "kernel64k": Kind(
        "stage2fuzz.kernel.opener",
        "TREE",
        "the same code compiled for pages of 64 KiB",
        isolated=True,
        granule=GRANULE_64K,
        opener="open_64k",
    ),
    "hyp": Kind(
        "stage2fuzz.hyp.opener",
        "TREE",
        "the user's own EL2 of pKVM, compiled in user space",
        isolated=True,
        targets=("hypercalls",),
    ),
}


def engine_names() -> str:
    """How an engine may be named, for help and error texts."""
    return " or ".join(f"{name}:{kind.operand}" for name, kind in ENGINES.items())


def kind_of(name: str) -> Kind:
    """The kind of the engine of that name; InputError if there is none."""
    kind = ENGINES.get(parts_of(name)[0])
    if kind is None or ":" not in name:
        raise InputError(name[:80], "unknown engine", engine_names())
    return kind


def kernel_name(tree: str | Path, granule: TranslationGranule = GRANULE_4K) -> str:
    """The name of the engine that is made of a tree's stage-2 code for pages of that size."""
    return f"kernel{'' if granule is GRANULE_4K else granule.name}:{tree}"


def parts_of(name: str) -> tuple[str, str]:
    """The word of the engine's kind, as ``ENGINES`` has it, and its operand."""
    word, _, operand = name.partition(":")
    return word, operand


@lru_cache(maxsize=64)
def engine_of(name: str) -> Engine:
    """The engine of that name, kept for the life of the process; InputError if there is none.

    A name that a case could not hold is refused before anything is run: its findings would be lost.
    """
    kind = kind_of(name)
    opener = getattr(import_module(kind.module), kind.opener)
    check_engine(name, "engine")
    return cast(Engine, opener(parts_of(name)[1]))


def native_coverage(name: str) -> tuple[int, int, int, int] | None:
    """Where an engine's own edge counters lie; None for one that counts nothing."""
    engine = engine_of(name)
    return engine.coverage() if isinstance(engine, EdgeCountingEngine) else None
