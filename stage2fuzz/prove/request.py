"""What is to be proved, how far, and what came of it: as objects, and as they cross a pipe."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.checked import count
from stage2fuzz.process.frames import Frame


class Knowledge(StrEnum):
    """What is known in the end."""

    PROVED = "proved"
    """Every interleaving was judged, and nobody objects."""
    REFUTED = "refuted"
    """An oracle objects to one of them."""
    BOUNDED = "bounded"
    """Nobody objects, within bounds that leave interleavings out."""
    INCONCLUSIVE = "inconclusive"
    """Not even the smallest bound was searched whole."""


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """A scenario on an engine, and how far to go: ``None`` is without a bound."""

    case: Case
    seconds: float
    memory: int
    """Bytes for configurations, and as many for what is to be come back to."""
    preemptions: int | None = None
    faults: int | None = None
    """Of one access."""
    known: frozenset[str] = frozenset()
    """Signatures that are no news: with them alone a search goes on to its bounds."""
    first: bool = False
    """Whether the first news ends it; within preemptions nobody looks for what goes on for ever."""
    cache: str = ""
    """Where the tree was built and is believed without a proof, as one with a planted fault is;
    empty: it is opened as any engine."""

    def to_question(self) -> Frame:
        """As it is sent; ``parse_request`` reads it."""
        return {
            "do": "prove",
            "case": format_case(self.case),
            "seconds": self.seconds,
            "memory": self.memory,
            "preemptions": self.preemptions,
            "faults": self.faults,
            "known": sorted(self.known),
            "first": self.first,
            "cache": self.cache,
        }


def parse_request(question: Frame) -> ProofRequest:
    """What an asker sent."""
    return ProofRequest(
        parse(question["case"], "prove"),
        question["seconds"],
        question["memory"],
        question["preemptions"],
        question["faults"],
        frozenset(question["known"]),
        question["first"],
        question["cache"],
    )


@dataclass(frozen=True, slots=True)
class SearchPass:
    """One search of the scenario from its beginning."""

    loops: bool
    """Whether it looked for what can go on for ever, and not for classes."""
    preemptions: int | None
    faults: int | None
    whole: bool
    """Whether there was nothing left within its bounds."""
    why: str
    """What ended it where it is not whole: ``time``, ``memory``, ``crash``, or
    ``news`` where those end it."""
    seconds: float
    """Of CPU time."""
    figures: dict[str, int]
    """The fields of ``kernel.abi.Searched``, and for a model ``executions``."""

    @property
    def complete(self) -> bool:
        """Whether it saw all interleavings, without any bound."""
        cut = self.preemptions is not None or self.faults is not None
        return self.whole and not cut and not self.figures.get("limits")

    def to_answer(self) -> Frame:
        """As it is sent; ``read_pass`` reads it."""
        return asdict(self)


def read_pass(answer: Frame) -> SearchPass:
    """A search's outcome, distrusted. Raises ValueError, KeyError or TypeError."""
    return SearchPass(
        answer["loops"] is True,
        _bound(answer["preemptions"]),
        _bound(answer["faults"]),
        answer["whole"] is True,
        str(answer["why"]),
        float(answer["seconds"]),
        {str(name): count(figure) for name, figure in answer["figures"].items()},
    )


def _bound(number: object) -> int | None:
    return None if number is None else count(number)


@dataclass(slots=True)
class Proof:
    """All that was found out about a request."""

    request: ProofRequest
    passes: list[SearchPass] = field(default_factory=list)
    found: dict[str, tuple[Violation, Case]] = field(default_factory=dict)
    """Signature -> the violation and a case that shows it."""
    died: str = ""
    """How the process ended that searched, where it did not live to the end."""

    @property
    def news(self) -> dict[str, tuple[Violation, Case]]:
        """What was found and was not known."""
        return {name: each for name, each in self.found.items() if name not in self.request.known}

    @property
    def crashed(self) -> bool:
        """Whether the code did that was searched, so that its process may be damaged."""
        return any(each.why == "crash" for each in self.passes)

    @property
    def loops(self) -> SearchPass | None:
        """The search for what can go on for ever."""
        return next((each for each in self.passes if each.loops), None)

    @property
    def best(self) -> SearchPass | None:
        """The search for classes that says most: whole, and with the widest bounds."""
        whole = [each for each in self.passes if each.whole and not each.loops]
        return max(
            whole,
            key=lambda each: (
                each.complete,
                each.preemptions is None,
                -1 if each.preemptions is None else each.preemptions,
            ),
            default=None,
        )

    @property
    def knowledge(self) -> Knowledge:
        """What is known."""
        return Knowledge.REFUTED if self.found else self.reached

    @property
    def reached(self) -> Knowledge:
        """How far the search went, whatever it found."""
        best, loops = self.best, self.loops
        if best is None or self.died:
            return Knowledge.INCONCLUSIVE
        unresolved = loops is None or not loops.complete or loops.figures.get("fair", 0)
        if not best.complete or unresolved or best.figures.get("forgotten"):
            return Knowledge.BOUNDED
        return Knowledge.PROVED
