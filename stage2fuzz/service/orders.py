"""Orders and results: what coordinator and workers say to one another, and nothing else.

Coordinator and worker never import each other; they share these frozen records, which are stored
as JSON beside a lease in the database. A message of the broker carries two numbers only (campaign,
lease), so whoever can write to the broker can wake a worker but can't tell it what to do. Each
field's type says its bounds and msgspec enforces them when a record is read; ``check`` enforces
them on one that was made here. A field that is unknown, of another type or beyond its bounds is an
``InputError`` of one line, because a record may have been written by another version of us; one
that is missing takes its default, so that the records of an older version can still be read.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from stage2fuzz.errors import InputError

MAX_SEEDS: Final = 256
"""Corpus inputs one fuzz order may start from; the rest of the corpus goes to other orders."""
MAX_ORDER_SECONDS: Final = 3600
MAX_CAMPAIGN_SECONDS: Final = 10 * 365 * 86_400
MAX_COUNT: Final = 1 << 62
MAX_CASE_TEXT: Final = 1 << 20
MAX_LINE: Final = 2000

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}\Z")]
Target = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,79}\Z")]
EngineName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9]{0,15}:(?!.*\.\.)/?[A-Za-z0-9][A-Za-z0-9._+!/-]{0,199}\Z")
]
"""The shape of an engine's name; a path in it is one that the workers have mounted."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Line = Annotated[
    str, Meta(max_length=MAX_LINE, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*\Z")
]
"""One line of text without control characters, so that it can be logged and printed."""
Text = Annotated[str, Meta(max_length=MAX_CASE_TEXT, pattern=r"^[^\x00\ud800-\udfff]*\Z")]
"""Many lines: a case or an event log; no database of ours stores a zero character."""
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
RowNumber = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Seed = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
OrderSeconds = Annotated[int, Meta(ge=1, le=MAX_ORDER_SECONDS)]
Repeats = Annotated[int, Meta(ge=1, le=100)]
EngineNames = Annotated[tuple[EngineName, ...], Meta(max_length=32)]
SomeEngineNames = Annotated[tuple[EngineName, ...], Meta(min_length=1, max_length=32)]
SomeTargets = Annotated[tuple[Target, ...], Meta(min_length=1, max_length=16)]
Digests = Annotated[tuple[Digest, ...], Meta(max_length=MAX_SEEDS)]
SomeDigests = Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MAX_SEEDS)]


class Strategy(StrEnum):
    """What the fuzz orders of a campaign start from."""

    MUTATE = "mutate"
    """From a shard of the campaign's shared corpus."""
    FRESH = "fresh"
    """From an empty corpus."""


class JsonRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    """What all orders and results have in common: the field ``is`` of its JSON names its kind."""

    def check(self) -> None:
        """Raise an InputError where a field is out of its bounds."""
        _as_input_error(lambda: msgspec.convert(msgspec.to_builtins(self), type(self)))


class CampaignSpec(JsonRecord, frozen=True, tag="campaign"):
    """What a person asked for. A budget of 0 is no limit; ``parallel`` 0 is every worker."""

    name: Name
    engines: SomeEngineNames
    targets: SomeTargets
    strategy: Strategy = Strategy.MUTATE
    seconds: Annotated[int, Meta(ge=0, le=MAX_CAMPAIGN_SECONDS)] = 0
    schedules: Count = 0
    findings: Count = 0
    parallel: Annotated[int, Meta(ge=0, le=100_000)] = 0
    order_seconds: OrderSeconds = 60
    seed: Seed = 1
    regress: EngineNames = ()
    """Engines, oldest first, on which each confirmed finding is tried: first seen in, fixed in."""
    real: Annotated[int, Meta(ge=0, le=100)] = 0
    """How often the schedule of each minimised finding of a tree is forced on a real kernel."""


class FuzzOrder(JsonRecord, frozen=True, tag="fuzz"):
    """Fuzz one target against one engine for some seconds, from the seeds named by digest."""

    number: Count
    engine: EngineName
    target: Target
    seconds: OrderSeconds
    seed: Seed
    seeds: Digests = ()


class ConfirmOrder(JsonRecord, frozen=True, tag="confirm"):
    """Run a reported case again, ``times`` times, each in a clean process of its own."""

    finding: RowNumber
    signature: Line
    case: Text
    times: Repeats = 3


class MinimiseOrder(JsonRecord, frozen=True, tag="minimise"):
    """Make a confirmed case smaller while it still shows the same signature."""

    finding: RowNumber
    signature: Line
    case: Text
    seconds: OrderSeconds = 60


class RegressOrder(JsonRecord, frozen=True, tag="regress"):
    """Try a minimised case on other engines: the first that shows it, the first that is fixed."""

    finding: RowNumber
    signature: Line
    case: Text
    engines: SomeEngineNames


class RealOrder(JsonRecord, frozen=True, tag="confirm-real"):
    """Force a minimised case's schedule on the real kernel that the worker has, ``times`` times."""

    finding: RowNumber
    signature: Line
    case: Text
    times: Repeats = 3


class PruneOrder(JsonRecord, frozen=True, tag="prune"):
    """Measure the named inputs again, each in a process of its own, to find those that kill."""

    engine: EngineName
    target: Target
    seeds: SomeDigests


CUT_SHORT: Final = "cut short"
"""How an order ended whose campaign was over before it."""
NOT_BEGUN: Final = "not begun"
"""How one ended whose campaign was over before its target said a word."""


class FuzzResult(JsonRecord, frozen=True, tag="fuzzed"):
    """What one fuzz order did; its inputs and findings stand in the database already."""

    schedules: Annotated[int, Meta(ge=0, le=1 << 40)]
    """An hour on a hundred cores is some 2 ** 38; the sum of a campaign must fit a row."""
    seconds: Annotated[float, Meta(ge=0, le=2 * MAX_ORDER_SECONDS)]
    findings: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    inputs: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    ended: Line = "ok"
    """``ok``, or how the fuzzing process died: ``crash``, ``timeout``, ``memory`` ..."""
    killers: Digests = ()
    """Digests of the inputs that it died of: never to be handed out again."""


class ConfirmResult(JsonRecord, frozen=True, tag="confirmed"):
    """How many of the attempts reproduced, and whether their events were the same each time."""

    hits: Annotated[int, Meta(ge=0, le=100)]
    attempts: Repeats
    same_events: bool
    log: Text = ""
    """The event log of one run."""
    build: Line = ""
    """The build of the kernel engine that ran it, which need not be the one of the case."""

    def __post_init__(self) -> None:
        """Refuse more hits than attempts."""
        if self.hits > self.attempts:
            raise ValueError(f"{self.hits} hits of {self.attempts} attempts")


class MinimiseResult(JsonRecord, frozen=True, tag="minimised"):
    """The smaller case, and how many runs it took to get there."""

    case: Text
    runs: Count


class RegressResult(JsonRecord, frozen=True, tag="regressed"):
    """The engines that show the signature, those that don't, and those that could not say."""

    present: EngineNames
    absent: EngineNames
    unknown: EngineNames = ()


class RealResult(JsonRecord, frozen=True, tag="confirmed-real"):
    """What the kernel said; ``why`` alone where no machine can say anything of the finding."""

    kernel: Line = ""
    answer: Annotated[str, Meta(pattern=r"^(confirmed|refuted|not reached)?\Z")] = ""
    confirmed: Annotated[int, Meta(ge=0, le=100)] = 0
    refuted: Annotated[int, Meta(ge=0, le=100)] = 0
    missed: Annotated[int, Meta(ge=0, le=100)] = 0
    why: Line = ""


class PruneResult(JsonRecord, frozen=True, tag="pruned"):
    """Inputs measured, and the digests of those that killed or hung the process."""

    measured: Annotated[int, Meta(ge=0, le=MAX_SEEDS)]
    killers: Digests = ()


class Failure(JsonRecord, frozen=True, tag="failed"):
    """An order that could not be carried out, after its bounded attempts."""

    what: Line

    @classmethod
    def because(cls, text: str) -> "Failure":
        """A failure with a reason from outside, which is made one printable line."""
        return cls("".join(c if c.isprintable() else " " for c in text)[:MAX_LINE])


Order = FuzzOrder | ConfirmOrder | MinimiseOrder | RegressOrder | RealOrder | PruneOrder
Result = (
    FuzzResult | ConfirmResult | MinimiseResult | RegressResult | RealResult | PruneResult | Failure
)

NAMES: Final[dict[type[JsonRecord], str]] = {
    FuzzOrder: "fuzz",
    ConfirmOrder: "confirm",
    MinimiseOrder: "minimise",
    RegressOrder: "regress",
    RealOrder: "confirm-real",
    PruneOrder: "prune",
}
"""Each kind of order as the ``kind`` of its lease names it."""
TASKS: Final = {kind: f"stage2fuzz.{kind}" for kind in NAMES.values()}
"""Celery's task name of each kind of order."""
QUEUE: Final = "stage2fuzz"
REAL: Final = "confirm-real"
"""The kind of order that only a worker with QEMU and a kernel image takes, from its own queue."""
REAL_QUEUE: Final = "stage2fuzz-real"

_SPEC: Final = msgspec.json.Decoder(CampaignSpec)
_ORDER: Final[msgspec.json.Decoder[Order]] = msgspec.json.Decoder(Order)
_RESULT: Final[msgspec.json.Decoder[Result]] = msgspec.json.Decoder(Result)


def to_json(record: JsonRecord) -> str:
    """One line of JSON, which reads back to an equal record. Raises InputError."""
    record.check()
    return msgspec.json.encode(record).decode()


def read_spec(text: str) -> CampaignSpec:
    """A campaign's spec from its row. Raises InputError."""
    return _as_input_error(lambda: _SPEC.decode(text))


def read_order(text: str) -> Order:
    """An order from its lease. Raises InputError."""
    return _as_input_error(lambda: _ORDER.decode(text))


def read_result(text: str) -> Result:
    """A result from its row. Raises InputError."""
    return _as_input_error(lambda: _RESULT.decode(text))


T = TypeVar("T")
_AT: Final = " - at `$"


def _as_input_error(read: Callable[[], T]) -> T:
    """Read a record; what msgspec refuses becomes one line that begins with the field's name."""
    try:
        return read()
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeError) as error:
        what, _, path = str(error).partition(_AT)
        field = path.rstrip("`").lstrip(".") or "record"
        if "matching regex" in what:
            raise InputError(
                field, "is no valid name or text", what.partition("regex ")[2]
            ) from None
        raise InputError(field, what) from None
