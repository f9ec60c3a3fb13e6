"""stage2fuzz: fuzzing of concurrent fault schedules of the KVM/arm64 stage-2 page-table engine.

The public door: what a script needs to read a case, run it, have its events judged and make it
smaller. All else is the inside of the program and may change from version to version. Each name is
imported when it is first used, so ``import stage2fuzz`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stage2fuzz.case.case import Case
    from stage2fuzz.case.text import format_case, read_case
    from stage2fuzz.case.text import parse as parse_case
    from stage2fuzz.errors import InputError
    from stage2fuzz.oracles.judge import judge as judge_events
    from stage2fuzz.oracles.violation import Violation
    from stage2fuzz.run import Outcome
    from stage2fuzz.run import run as run_case
    from stage2fuzz.session.reproduce import minimise_finding as minimise_case

__version__ = "0.1.0"
"""The only place that states it: the build reads it from here."""

__all__ = [
    "Case",
    "InputError",
    "Outcome",
    "Violation",
    "__version__",
    "format_case",
    "judge_events",
    "minimise_case",
    "parse_case",
    "read_case",
    "run_case",
]

_HOMES: Final = {
    "Case": ("case.case", "Case"),
    "InputError": ("errors", "InputError"),
    "Outcome": ("run", "Outcome"),
    "Violation": ("oracles.violation", "Violation"),
    "format_case": ("case.text", "format_case"),
    "judge_events": ("oracles.judge", "judge"),
    "minimise_case": ("session.reproduce", "minimise_finding"),
    "parse_case": ("case.text", "parse"),
    "read_case": ("case.text", "read_case"),
    "run_case": ("run", "run"),
}
"""Public name -> module and name there. None is the name of a module: that would hide it."""


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stage2fuzz' has no attribute {name!r}")
    module, inside = _HOMES[name]
    return getattr(import_module(f"stage2fuzz.{module}"), inside)
