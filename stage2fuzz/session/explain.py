"""What a rule means: its promise, its reasons, and a run that breaks it beside one that keeps it.

The runs are of the model: a case that is shipped for each oracle that a model's fault can show, and
the same case where the fault is not. Oracles of guest hypervisors and of EL2 speak of compiled
trees alone, which nobody ships, so they have words and no picture.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.errors import InputError
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.catalogue import ORACLES, OWNERSHIP
from stage2fuzz.run import Outcome
from stage2fuzz.session.apart import run_apart

EXAMPLES: Final = Path(__file__).with_name("examples")
CURES: Final = tuple(f"model:{name}" for name in ("v5.12", "v6.1", "v6.12", "v7.3", "series-v4"))
"""Engines on which the same case may show nothing, tried in this order."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One rule, explained."""

    oracle: str
    rule: str
    category: str
    promise: str
    reasons: tuple[str, ...]
    """Paragraphs."""
    broken: Outcome | None
    """A run that breaks it, its own violation first; None where no model can."""
    kept: Outcome | None
    """The same case where it is kept."""

    def to_record(self) -> dict[str, Any]:
        """For a program: the runs as the texts of their cases, empty where there is none."""
        broken, kept = (
            format_case(run.case) if run is not None else "" for run in (self.broken, self.kept)
        )
        return {
            "oracle": self.oracle,
            "rule": self.rule,
            "category": self.category,
            "promise": self.promise,
            "reasons": list(self.reasons),
            "broken": broken,
            "kept": kept,
        }


def explain(name: str, run: Callable[[Case], Outcome] = run_apart) -> Explanation:
    """Explain the oracle of that name. InputError where there is none."""
    found = oracle_named(name)
    broken = kept = None
    path = EXAMPLES / f"{found.oracle}.case"
    if path.is_file():
        broken = run(read_case(path))
        mine = tuple(each for each in broken.violations if each.oracle == found.oracle)
        broken = replace(broken, violations=mine)
        kept = _kept(broken.case, found.oracle, run)
    text = inspect.cleandoc(found.__doc__ or "").replace("``", "")
    reasons = tuple(" ".join(each.split()) for each in text.split("\n\n"))
    about = found.oracle, found.rule, str(found.category), found.why
    return Explanation(*about, reasons, broken, kept)


@lru_cache(maxsize=1)
def _oracles() -> dict[str, type[Oracle]]:
    return {each.oracle: each for each in (*ORACLES, *OWNERSHIP)}


def oracle_named(name: str) -> type[Oracle]:
    """The oracle; InputError where there is none."""
    found = _oracles().get(name.upper())
    if found is None:
        raise InputError("oracle", f"there is no oracle {name[:20]!r}", "see: stage2fuzz oracles")
    return found


def _kept(case: Case, oracle: str, run: Callable[[Case], Outcome]) -> Outcome | None:
    """The same case where the rule is kept: without the planted fault, or on another revision."""
    for engine in (case.engine.partition("!")[0], *CURES):
        if engine == case.engine:
            continue
        outcome = run(replace(case, engine=engine))
        if not any(each.oracle == oracle for each in outcome.violations):
            return outcome
    return None
