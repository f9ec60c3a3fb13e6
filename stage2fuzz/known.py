"""Known: which causes are known faults of which kernels, so that a run can tell what is news.

The list ships with the package (``confirm/known.json``, ``causes``). An entry names causes, as the
judge does, and says in which engines they are known: trees by the features that a build's probes
found, never by version, because users have backports; models by revision. A planted fault that
ends in the same cause in a tree where that is not known is news there.
"""

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from stage2fuzz.engine import TraitEngine, engine_of, parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.places import PACKAGE

LIST: Final = PACKAGE / "confirm" / "known.json"


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What one real kernel said of an example."""

    kernel: str
    answer: str
    """``confirmed``, ``refuted`` or ``not reached``."""
    confirmed: int
    runs: int


@dataclass(frozen=True, slots=True)
class KnownExample:
    """A case of a known cause, and what came of it on real kernels."""

    name: str
    oracles: tuple[str, ...]
    consequence: str
    case: str
    """Its lines between the first and the last; its engine is ``kernel:TREE``. May be empty."""
    answers: tuple[KnownAnswer, ...]


@dataclass(frozen=True, slots=True)
class KnownCause:
    """One entry of the list."""

    name: str
    causes: tuple[str, ...]
    needs: frozenset[str]
    """Features that a tree must have."""
    lacks: frozenset[str]
    """Features that a tree must not have."""
    models: tuple[str, ...]
    """Patterns of revisions."""
    section: str
    """The heading in ``docs/findings.md`` that tells it."""
    explanation: str
    examples: tuple[KnownExample, ...]

    @property
    def confirmed(self) -> tuple[str, ...]:
        """Real kernels that showed it."""
        answers = (answer for each in self.examples for answer in each.answers)
        shown = (each.kernel for each in answers if each.answer == "confirmed")
        return tuple(dict.fromkeys(shown))

    def holds(self, engine: str, traits: frozenset[str]) -> bool:
        """Whether it is known of this engine."""
        word, operand = parts_of(engine)
        if word == "model":
            revision = operand.partition("!")[0]
            return any(fnmatchcase(revision, pattern) for pattern in self.models)
        return self.needs <= traits and not self.lacks & traits


@lru_cache(maxsize=1)
def known_causes() -> tuple[KnownCause, ...]:
    """The list."""
    told: dict[str, Any] = json.loads(LIST.read_text())
    examples = {each["name"]: _example(each) for each in told["findings"]}
    return tuple(
        KnownCause(
            each["name"],
            tuple(each["causes"]),
            frozenset(each.get("needs", ())),
            frozenset(each.get("lacks", ())),
            tuple(each["models"]),
            each["section"],
            each["explanation"],
            tuple(examples[name] for name in each.get("findings", ())),
        )
        for each in told["causes"]
    )


def _example(told: dict[str, Any]) -> KnownExample:
    answers = tuple(
        KnownAnswer(one["kernel"], one["answer"], one.get("confirmed", 0), one.get("runs", 0))
        for one in told["answers"]
    )
    case, consequence = told.get("case", ""), told.get("consequence", "")
    return KnownExample(told["name"], tuple(told["oracles"]), consequence, case, answers)


def known_of(engine: str, cause: str) -> str:
    """The name of the known cause that this is on that engine; empty where it is news.

    An engine that can't be opened here is one of which nothing is known.
    """
    entries = [each for each in known_causes() if cause in each.causes]
    if not entries:
        return ""
    try:
        opened = engine_of(engine)
    except InputError:
        return ""
    traits = opened.traits if isinstance(opened, TraitEngine) else frozenset()
    return next((each.name for each in entries if each.holds(engine, traits)), "")
