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

from stage2fuzz.engine import TraitEngine, engine_of
from stage2fuzz.errors import InputError
from stage2fuzz.places import PACKAGE

LIST: Final = PACKAGE / "confirm" / "known.json"


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
    confirmed: tuple[str, ...]
    """Real kernels that showed it."""

    def holds(self, engine: str, traits: frozenset[str]) -> bool:
        """Whether it is known of this engine."""
        kind, _, operand = engine.partition(":")
        if kind == "model":
            revision = operand.partition("!")[0]
            return any(fnmatchcase(revision, pattern) for pattern in self.models)
        return self.needs <= traits and not self.lacks & traits


@lru_cache(maxsize=1)
def known_causes() -> tuple[KnownCause, ...]:
    """The list."""
    told: dict[str, Any] = json.loads(LIST.read_text())
    confirmed = {
        each["name"]: [one["kernel"] for one in each["answers"] if one["answer"] == "confirmed"]
        for each in told["findings"]
    }
    return tuple(
        KnownCause(
            each["name"],
            tuple(each["causes"]),
            frozenset(each.get("needs", ())),
            frozenset(each.get("lacks", ())),
            tuple(each["models"]),
            each["section"],
            each["explanation"],
            tuple(
                dict.fromkeys(
                    kernel for name in each.get("findings", ()) for kernel in confirmed[name]
                )
            ),
        )
        for each in told["causes"]
    )


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
