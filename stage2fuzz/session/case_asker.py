"""Ask a confined process what a case shows; each answer is checked here, where it comes in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import parse_violation
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.checked import count, listed, text
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError, End
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import nothing
from stage2fuzz.source import SourceLine, read_stack

SERVER: Final = "stage2fuzz.session.case_server"
MAX_KILLERS: Final = 16
"""Inputs of one batch that may kill the process before we rather doubt the process."""
ENDS: Final = ("finished", "deadlock", "crash", "limit")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A case that ran in a confined process, and what the oracles say of it."""

    case: Case
    """With the schedule that was executed, and the build that ran it."""
    violations: tuple[Violation, ...]
    """Without the events that prove them, which stayed there."""
    log: str
    """The run's event log."""
    ended: str
    """As in ``Outcome``."""

    @property
    def signatures(self) -> tuple[str, ...]:
        """The signatures, in the order in which the faults were proved."""
        return tuple(violation.signature for violation in self.violations)


@dataclass(frozen=True, slots=True)
class Minimisation:
    """What became of a minimisation."""

    case: Case
    tries: int
    """Replays it took."""
    finished: bool
    """No single step makes it simpler; False where the budget or the time ended it."""


class CaseAsker:
    """A confined process for cases, replaced when it dies or may be damaged.

    All its questions raise DiedError where the process does not live to answer, or answers what
    can't be; InputError where the case or its engine can't be used.
    """

    def __init__(
        self,
        folder: Path | None = None,
        limits: Limits | None = None,
        hash_seed: int = 0,
        beat: Callable[[], None] = nothing,
    ) -> None:
        """``folder`` is the process's home; ``beat`` is called ten times a second as we wait."""
        more = {"PYTHONHASHSEED": str(hash_seed)}
        self._child, self._beat = Child(SERVER, (), limits, folder, more), beat

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._child.close()

    def renew(self) -> None:
        """Let the next question have a new process."""
        self._child.renew()

    def prepare(self, engine: str, seconds: float) -> None:
        """Have an engine built, so that no later question takes the time for it."""
        self._one({"do": "prepare", "engine": engine}, seconds)

    def ask(
        self,
        do: str,
        case: Case,
        seconds: float,
        read: Callable[[Frame, str], T],
        more: Mapping[str, object] | None = None,
    ) -> T:
        """What ``read`` makes of the one answer, which must be about the case's engine."""
        answer = self._one({"do": do, "case": format_case(case), **(more or {})}, seconds)
        return self._read(do, answer, lambda one: read(one, case.engine))

    def judge(self, case: Case, seconds: float) -> Judgement:
        """Run ``case`` from its text: a reproduction from scratch."""
        judged = self.ask("judge", case, seconds, read_judgement)
        if judged.ended == "crash":
            self._child.renew()  # its memory may be damaged
        return judged

    def minimise(self, case: Case, signature: str, seconds: float, start: float) -> Minimisation:
        """The simplest case with the same fault, after ``seconds`` at most.

        The process gets ``start`` more seconds. What the answer shows is not proved by the answer.
        """
        more = {"signature": signature, "seconds": seconds}
        return self.ask("minimise", case, seconds + start, read_smaller, more)

    def shows(self, case: Case, signature: str, engine: str, seconds: float) -> bool | None:
        """Whether ``engine`` shows the fault by any schedule that is tried; None: it isn't here."""
        question = {
            "do": "find",
            "case": format_case(case),
            "signature": signature,
            "engine": engine,
        }
        answer = self._one(question, seconds)
        return answer["present"] if isinstance(answer.get("present"), bool) else None

    def features(
        self, engine: str, target: str, files: Sequence[Path], seconds: float, judging: bool = False
    ) -> tuple[dict[Path, frozenset[int]], dict[Path, End]]:
        """Features of input files, and the files that killed or hung the process.

        One process measures them all; where it dies, the first file without an answer is what it
        died of, and a new process goes on behind it. ``judging`` does all that a target does with
        an input: whoever asks what a target died of asks so.
        """
        asked = {"do": "measure", "engine": engine, "target": target, "judging": judging}
        measured: dict[Path, frozenset[int]] = {}
        killers: dict[Path, End] = {}
        left = list(files)
        while left:
            question = {**asked, "files": [str(path.absolute()) for path in left]}
            try:
                for answer in self._child.ask(question, seconds, self._beat):
                    if not left:
                        raise ValueError("the measuring process made inputs up")
                    found = self._read("measure", answer, read_features)
                    measured[left.pop(0)] = found
            except DiedError as died:
                if not left:
                    raise
                killers[left.pop(0)] = died.end
            else:
                if left:
                    raise ValueError("the measuring process left inputs out")
            if len(killers) > MAX_KILLERS:
                raise ValueError(f"{len(killers)} inputs in a row can't be measured")
        return measured, killers

    def lines_run(
        self, engine: str, cases: Sequence[str], seconds: float
    ) -> tuple[int, list[tuple[SourceLine, bool]]]:
        """How many of these cases' texts are cases, and the lines of the engine's tree that can be
        counted, each with whether they run it."""
        question = {"do": "cover", "engine": engine, "cases": list(cases)}
        return self._read("cover", self._one(question, seconds), read_lines)

    def _one(self, question: Frame, seconds: float) -> Frame:
        return self._child.ask_one(question, seconds, self._beat)

    def _read(self, what: str, answer: Frame, read: Callable[[Frame], T]) -> T:
        """What ``read`` makes of an answer; one that can't be ends the process that gave it."""
        try:
            return read(answer)
        except (ValueError, LookupError, TypeError, InputError):
            end = self._child.renew()
            raise DiedError(what, end, "its answer makes no sense") from None


def read_judgement(answer: Frame, engine: str) -> Judgement:
    """The answer to ``judge``."""
    found = tuple(parse_violation(each, "violation") for each in listed(answer["violations"]))
    ended = text(answer["ended"])
    if ended not in ENDS:
        raise ValueError(ended)
    return Judgement(read_case_of(answer, engine), found, text(answer["log"]), ended)


def read_smaller(answer: Frame, engine: str) -> Minimisation:
    """The answer to ``minimise``."""
    finished = answer["finished"] is True
    return Minimisation(read_case_of(answer, engine), count(answer["tries"]), finished)


def read_lines(answer: Frame) -> tuple[int, list[tuple[SourceLine, bool]]]:
    """The answer to ``cover``."""
    found = []
    for function, file, line, hit in listed(answer["lines"]):
        (place,) = read_stack([[function, file, line]])
        found.append((place, hit is True))
    return count(answer["cases"]), found


def read_features(answer: Frame) -> frozenset[int]:
    """One answer to ``measure``."""
    return frozenset(count(each) for each in listed(answer["features"]))


def read_case_of(answer: Frame, engine: str) -> Case:
    """The case in an answer, which must be about ``engine``."""
    case = parse(text(answer["case"]), "case")
    if case.engine != engine:
        raise ValueError(case.engine)
    return case
