"""Orders and results: what coordinator and workers say to one another, and nothing else.

Coordinator and worker never import each other; they share these frozen records, which are stored
as JSON beside a lease in the database. A message of the broker carries two numbers only (campaign,
lease), so whoever can write to the broker can wake a worker but can't tell it what to do. Reading
is strict: a field that is missing, unknown, of another type or beyond its limit is an
``InputError`` of one line, because an order may have been written by another version of us.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from stage2fuzz.errors import InputError

MAX_NAME: Final = 80
MAX_ENGINES: Final = 32
MAX_TARGETS: Final = 16
MAX_SEEDS: Final = 256
"""Corpus inputs one fuzz order may start from; the rest of the corpus goes to other orders."""
MAX_ORDER_SECONDS: Final = 3600
MAX_CAMPAIGN_SECONDS: Final = 10 * 365 * 86_400
MAX_COUNT: Final = 1 << 62
MAX_PARALLEL: Final = 100_000
MAX_CASE_TEXT: Final = 1 << 20
MAX_LINE: Final = 2000
MAX_REPEATS: Final = 100

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
TARGET: Final = re.compile(r"[a-z][a-z0-9_]{0,79}")
ENGINE: Final = re.compile(r"[a-z][a-z0-9]{0,15}:(?!.*\.\.)/?[A-Za-z0-9][A-Za-z0-9._+!/-]{0,199}")
"""The shape of an engine's name; a path in it is one that the workers have mounted."""
DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CampaignSpec:
    """What a person asked for. A budget of 0 is no limit; ``parallel`` 0 is every worker."""

    name: str
    engines: tuple[str, ...]
    targets: tuple[str, ...]
    strategy: str = "mutate"
    """``mutate``: from the shared corpus; ``fresh``: every order starts with an empty corpus."""
    seconds: int = 0
    schedules: int = 0
    findings: int = 0
    parallel: int = 0
    order_seconds: int = 60
    seed: int = 1
    regress: tuple[str, ...] = ()
    """Engines, oldest first, on which each confirmed finding is tried: first seen in, fixed in."""

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _match("name", self.name, NAME)
        _names("engines", self.engines, ENGINE, 1, MAX_ENGINES)
        _names("targets", self.targets, TARGET, 1, MAX_TARGETS)
        _names("regress", self.regress, ENGINE, 0, MAX_ENGINES)
        if self.strategy not in {"mutate", "fresh"}:
            raise InputError("strategy", f"{self.strategy!r} is unknown", "mutate or fresh")
        _range("seconds", self.seconds, 0, MAX_CAMPAIGN_SECONDS)
        _range("schedules", self.schedules, 0, MAX_COUNT)
        _range("findings", self.findings, 0, MAX_COUNT)
        _range("parallel", self.parallel, 0, MAX_PARALLEL)
        _range("order_seconds", self.order_seconds, 1, MAX_ORDER_SECONDS)
        _range("seed", self.seed, 0, (1 << 31) - 1)


@dataclass(frozen=True, slots=True)
class FuzzOrder:
    """Fuzz one target against one engine for some seconds, from the seeds named by digest."""

    number: int
    engine: str
    target: str
    seconds: int
    seed: int
    seeds: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _range("number", self.number, 0, MAX_COUNT)
        _match("engine", self.engine, ENGINE)
        _match("target", self.target, TARGET)
        _range("seconds", self.seconds, 1, MAX_ORDER_SECONDS)
        _range("seed", self.seed, 0, (1 << 31) - 1)
        _names("seeds", self.seeds, DIGEST, 0, MAX_SEEDS)


@dataclass(frozen=True, slots=True)
class ConfirmOrder:
    """Run a reported case again, ``times`` times, each in a clean process of its own."""

    finding: int
    signature: str
    case: str
    times: int = 3

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _finding(self.finding, self.signature, self.case)
        _range("times", self.times, 1, MAX_REPEATS)


@dataclass(frozen=True, slots=True)
class MinimiseOrder:
    """Make a confirmed case smaller while it still shows the same signature."""

    finding: int
    signature: str
    case: str
    seconds: int = 60

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _finding(self.finding, self.signature, self.case)
        _range("seconds", self.seconds, 1, MAX_ORDER_SECONDS)


@dataclass(frozen=True, slots=True)
class RegressOrder:
    """Try a minimised case on other engines: the first that shows it, the first that is fixed."""

    finding: int
    signature: str
    case: str
    engines: tuple[str, ...]

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _finding(self.finding, self.signature, self.case)
        _names("engines", self.engines, ENGINE, 1, MAX_ENGINES)


@dataclass(frozen=True, slots=True)
class PruneOrder:
    """Measure the named inputs again, each in a process of its own, to find those that kill."""

    engine: str
    target: str
    seeds: tuple[str, ...]

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _match("engine", self.engine, ENGINE)
        _match("target", self.target, TARGET)
        _names("seeds", self.seeds, DIGEST, 1, MAX_SEEDS)


@dataclass(frozen=True, slots=True)
class FuzzResult:
    """What one fuzz order did; its inputs and findings stand in the database already."""

    schedules: int
    seconds: float
    findings: int = 0
    inputs: int = 0
    ended: str = "ok"
    """``ok``, or how the fuzzing process died: ``crash``, ``timeout``, ``memory`` ..."""
    killers: tuple[str, ...] = ()
    """Digests of the inputs that it died of: never to be handed out again."""

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _range("schedules", self.schedules, 0, MAX_COUNT)
        _range("seconds", self.seconds, 0, 2 * MAX_ORDER_SECONDS)
        _line("ended", self.ended)
        _names("killers", self.killers, DIGEST, 0, MAX_SEEDS)


@dataclass(frozen=True, slots=True)
class ConfirmResult:
    """How many of the attempts reproduced, and whether their events were the same each time."""

    hits: int
    attempts: int
    same_events: bool
    log: str = ""
    """The event log of one run."""
    build: str = ""
    """The build of the kernel engine that ran it, which need not be the one of the case."""

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _range("attempts", self.attempts, 1, MAX_REPEATS)
        _range("hits", self.hits, 0, self.attempts)
        _text("log", self.log)
        _line("build", self.build)


@dataclass(frozen=True, slots=True)
class MinimiseResult:
    """The smaller case."""

    case: str
    runs: int

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _text("case", self.case)
        _range("runs", self.runs, 0, MAX_COUNT)


@dataclass(frozen=True, slots=True)
class RegressResult:
    """The engines that show the signature, those that don't, and those that could not say."""

    present: tuple[str, ...]
    absent: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        for name in ("present", "absent", "unknown"):
            _names(name, getattr(self, name), ENGINE, 0, MAX_ENGINES)


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Inputs measured, and the digests of those that killed or hung the process."""

    measured: int
    killers: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _range("measured", self.measured, 0, MAX_SEEDS)
        _names("killers", self.killers, DIGEST, 0, MAX_SEEDS)


@dataclass(frozen=True, slots=True)
class Failure:
    """An order that could not be carried out, after its bounded attempts."""

    what: str

    def check(self) -> None:
        """Raise an InputError where a field is out of its range."""
        _line("what", self.what)


Order = FuzzOrder | ConfirmOrder | MinimiseOrder | RegressOrder | PruneOrder
Result = FuzzResult | ConfirmResult | MinimiseResult | RegressResult | PruneResult | Failure
Record = CampaignSpec | Order | Result

KINDS: Final[dict[str, type[Record]]] = {
    "campaign": CampaignSpec,
    "fuzz": FuzzOrder,
    "confirm": ConfirmOrder,
    "minimise": MinimiseOrder,
    "regress": RegressOrder,
    "prune": PruneOrder,
    "fuzzed": FuzzResult,
    "confirmed": ConfirmResult,
    "minimised": MinimiseResult,
    "regressed": RegressResult,
    "pruned": PruneResult,
    "failed": Failure,
}
NAMES: Final = {record: kind for kind, record in KINDS.items()}
ORDER_KINDS: Final = ("fuzz", "confirm", "minimise", "regress", "prune")
TASKS: Final = {kind: f"stage2fuzz.{kind}" for kind in ORDER_KINDS}
"""Celery's task name of each kind of order."""
QUEUE: Final = "stage2fuzz"


def to_json(record: Record) -> str:
    """One line of JSON, keys sorted; ``from_json`` reads it back to an equal record."""
    values = {entry.name: getattr(record, entry.name) for entry in fields(record)}
    return json.dumps({"is": NAMES[type(record)], **values}, sort_keys=True)


def from_json(text: str, expected: str = "") -> Record:
    """Read a record; ``expected`` names the kind it must be. Raises InputError."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("order", f"not JSON ({error})") from None
    kind = raw.pop("is", None) if isinstance(raw, dict) else None
    if not isinstance(kind, str) or kind not in KINDS or (expected and kind != expected):
        raise InputError("order", f"is a {kind!r}", f"one of {expected or ', '.join(KINDS)}")
    values: dict[str, Any] = {}
    for entry in fields(KINDS[kind]):
        if entry.name not in raw:
            raise InputError(kind, f"has no {entry.name}")
        values[entry.name] = _READERS[str(entry.type)](f"{kind} {entry.name}", raw.pop(entry.name))
    if raw:
        raise InputError(kind, f"unknown field {min(raw)!r}")
    record = KINDS[kind](**values)
    record.check()
    return record


def _integer(where: str, value: object) -> int:
    if type(value) is not int:
        raise InputError(where, f"{value!r} is no integer")
    return value


def _number(where: str, value: object) -> float:
    if type(value) is not int and type(value) is not float:
        raise InputError(where, f"{value!r} is no number")
    return float(value)


def _truth(where: str, value: object) -> bool:
    if type(value) is not bool:
        raise InputError(where, f"{value!r} is neither true nor false")
    return value


def _string(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputError(where, f"{value!r} is no string")
    return value


def _strings(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError(where, f"{value!r} is no list")
    return tuple(_string(where, item) for item in value)


_READERS: Final[dict[str, Callable[[str, object], object]]] = {
    str(int): _integer,
    str(float): _number,
    str(bool): _truth,
    str(str): _string,
    str(tuple[str, ...]): _strings,
}


def _range(where: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(where, f"{value} is out of range", f"{low} to {high}")


def _match(where: str, value: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(value):
        raise InputError(where, f"{value[:MAX_NAME]!r} is no valid name", pattern.pattern)


def _names(
    where: str, values: tuple[str, ...], pattern: re.Pattern[str], least: int, most: int
) -> None:
    _range(f"number of {where}", len(values), least, most)
    for value in values:
        _match(where, value, pattern)


def _line(where: str, value: str) -> None:
    if len(value) > MAX_LINE or not value.isprintable():
        raise InputError(where, "is no short line of text", f"at most {MAX_LINE} characters")


def _text(where: str, value: str) -> None:
    if len(value) > MAX_CASE_TEXT:
        raise InputError(where, f"has {len(value)} characters", f"at most {MAX_CASE_TEXT}")


def _finding(finding: int, signature: str, case: str) -> None:
    _range("finding", finding, 1, MAX_COUNT)
    _line("signature", signature)
    _text("case", case)
