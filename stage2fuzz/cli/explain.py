"""stage2fuzz explain: what a rule promises and why, with a run that breaks it and another."""

from typing import Annotated

import typer

from stage2fuzz.cli.options import Json
from stage2fuzz.cli.output import emit, say, width
from stage2fuzz.report import text
from stage2fuzz.run import Outcome
from stage2fuzz.session.explain import explain


def explain_rule(
    oracle: Annotated[str, typer.Argument(help="Its name: C6.")], as_json: Json = False
) -> None:
    """Explain a rule: its promise, its reasons, a run that breaks it and one that keeps it."""
    told = explain(oracle)
    if as_json:
        emit(told.to_record())
        return
    say(f"{told.oracle} {told.rule} ({told.category})")
    for each in (told.promise, *told.reasons):
        print()
        say(each)
    for what, outcome in (("broken", told.broken), ("kept", told.kept)):
        if outcome is not None:
            _show(what, outcome)
    if told.broken is None:
        print()
        say("No picture: no fault of the model shows it, only one of a compiled tree.")


def _show(what: str, outcome: Outcome) -> None:
    print(f"\n{what}, on {outcome.case.engine}:\n")
    print(text(outcome.case, outcome.events, outcome.violations, width()), end="")
