"""stage2fuzz explore: every interleaving of one scenario, and honestly how far that went."""

import signal
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario, Tlb
from stage2fuzz.case.text import format_case
from stage2fuzz.cli.causes import marked
from stage2fuzz.cli.exits import FOUND, INCONCLUSIVE
from stage2fuzz.cli.guarded import run_guarded
from stage2fuzz.cli.interrupt import on_signals
from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import (
    DEFAULT_DATABASE,
    CaseName,
    Database,
    FailOn,
    Json,
    check_range,
)
from stage2fuzz.cli.output import emit, say, write
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.engine import kind_of
from stage2fuzz.known import known_of
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.life import alive
from stage2fuzz.run import run_scheduled
from stage2fuzz.schedule.exhaustive import MAX_EXECUTIONS, Exhaustive

MOST_EXECUTIONS: Final = 100_000_000
MOST_PREEMPTIONS: Final = 100
SHALLOW: Final = (0, 1, 2)
"""Preemptions of the searches that come before the one without a bound: it goes depth first, and
most faults are shallow."""
SHALLOW_SHARE: Final = 10
"""Each of them has at most one in so many of the executions."""


@dataclass(slots=True)
class Signature:
    """One signature: how many executions showed it, and the first that did."""

    violation: Violation
    first: Case
    executions: int = 0
    after: int = 0
    """Executions until the first, itself included."""
    known: str = ""
    """The known cause that it is on this engine; empty for news."""


@dataclass(slots=True)
class Exploration:
    """What a search has seen."""

    engine: str
    search: Exhaustive
    whole: str
    """Why nothing was reduced; empty where one execution stands for a class."""
    signatures: dict[str, Signature] = field(default_factory=dict)
    inconclusive: int = 0
    interrupted: bool = False
    before: int = 0
    """Executions of the shallow searches."""
    shallow: int | None = None
    """All schedules with at most so many preemptions were executed before; None: not even those
    with none."""

    def proved(self) -> str:
        """One sentence, no more than what was really done."""
        coverage = self.search.coverage
        tried = f"{coverage.executions:,} executions"
        where = f"of this scenario on {self.engine}"
        if not coverage.complete:
            why = "interrupted" if self.interrupted else f"the limits: {coverage.cut}"
            least = "" if self.shallow is None else f", but all with {_few(self.shallow)} were"
            return (
                f"only {tried} {where} were seen ({why}); nothing is proved about the rest{least}"
            )
        bounds = f" within {coverage.cut} (what lies beyond was not seen)" if coverage.cut else ""
        if self.whole:
            return f"all {coverage.executions:,} interleavings {where}{bounds}"
        return (
            f"all interleavings {where}{bounds}: {tried} stand for them, since one is enough for "
            "all that differ only in the order of independent steps"
        )


def explore(
    case: CaseName,
    engine: Annotated[str, typer.Option(help="Explore this engine, not the case's own.")] = "",
    preemptions: Annotated[
        int | None, typer.Option(help="Only schedules with at most so many preemptions.")
    ] = None,
    executions: Annotated[int, typer.Option(help="Stop after so many.")] = MAX_EXECUTIONS,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the first case of each.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    fail_on: FailOn = "any",
    as_json: Json = False,
) -> None:
    """Run every interleaving of a case's scenario, and say what that proves."""
    if preemptions is not None:
        check_range("--preemptions", preemptions, 0, MOST_PREEMPTIONS)
    check_range("--executions", executions, 1, MOST_EXECUTIONS)
    given = load(case, stored(case, database))
    if engine:
        given = replace(given, engine=engine)
    _guarded(given, preemptions, executions, output, as_json, fail_on)
    whole = unreduced(given.engine, given.scenario, preemptions)
    search = Exhaustive(not whole, preemptions, executions)
    exploration = Exploration(given.engine, search, whole)
    if preemptions is None:
        _search_shallow(exploration, given.scenario, executions // SHALLOW_SHARE, quiet=as_json)
    _search(exploration, search, given.scenario, executions, quiet=as_json)
    if output is not None:
        _write(exploration, output)
    if as_json:
        emit(_record(exploration))
    else:
        _print(exploration, output)
    raise typer.Exit(exit_code(exploration, fail_on))


def exit_code(exploration: Exploration, fail_on: str) -> int:
    """1 for violations, 3 where no run came to an end that says anything, else 0."""
    seen = exploration.signatures.values()
    if any(fail_on == "any" or not each.known for each in seen):
        return FOUND
    ran = exploration.before + exploration.search.coverage.executions
    ended = ran - exploration.inconclusive
    return 0 if ended and not exploration.interrupted else INCONCLUSIVE


def _guarded(
    given: Case,
    preemptions: int | None,
    executions: int,
    output: Path | None,
    as_json: bool,
    fail_on: str,
) -> None:
    """Compiled code is explored in a confined process, which gets the case as a file."""
    with tempfile.NamedTemporaryFile("w", prefix="stage2fuzz-", suffix=".case") as file:
        file.write(format_case(given))
        file.flush()
        arguments = ["explore", file.name, f"--executions={executions}", f"--fail-on={fail_on}"]
        arguments += [] if preemptions is None else [f"--preemptions={preemptions}"]
        arguments += [] if output is None else [f"--output={output}"]
        arguments += ["--json"] * as_json
        run_guarded("explore", [given.engine], arguments, quiet=as_json)


def unreduced(engine: str, scenario: Scenario, preemptions: int | None) -> str:
    """Why one execution cannot stand for a class here; empty where it can."""
    if preemptions is not None:
        return "the execution that stands for a class might have one preemption too many"
    if scenario.options.pending_stores:
        return "which stores a walk sees depends on more than the order of two steps"
    if scenario.options.tlb is not Tlb.FRESH:
        return "what a TLB still holds depends on more than the order of two steps"
    if not kind_of(engine).reducible:
        return "which steps of compiled code are independent is not known"
    return ""


def _few(preemptions: int) -> str:
    """``no preemption``, ``at most 1 preemption``."""
    if not preemptions:
        return "no preemption"
    return f"at most {preemptions} preemption" + "s" * (preemptions > 1)


def _search_shallow(exploration: Exploration, scenario: Scenario, most: int, quiet: bool) -> None:
    """All schedules with few preemptions first, as far as their share of executions goes."""
    for bound in SHALLOW:
        if not most or exploration.interrupted:
            return
        search = Exhaustive(False, bound, most)
        _search(exploration, search, scenario, most, quiet)
        exploration.before += search.coverage.executions
        if not search.coverage.complete or search.deep:
            return
        exploration.shallow = bound


def _search(
    exploration: Exploration, search: Exhaustive, scenario: Scenario, most: int, quiet: bool
) -> None:
    started = time.monotonic()
    signatures = exploration.signatures

    def stop() -> None:
        """End the search between two executions; what was seen is told."""
        exploration.interrupted = True

    with on_signals(signal.SIGINT, act=stop), ProgressLine(quiet) as progress:
        while not exploration.interrupted and search.advance():
            outcome = run_scheduled(exploration.engine, scenario, search)
            alive()
            exploration.inconclusive += outcome.ended == "limit"
            for violation in outcome.violations:
                seen = signatures.setdefault(
                    violation.signature,
                    Signature(
                        violation,
                        outcome.case,
                        after=exploration.before + search.coverage.executions,
                        known=known_of(exploration.engine, violation.cause),
                    ),
                )
                seen.executions += 1
            executions = search.coverage.executions
            if executions % 100:
                continue
            rate = executions / (time.monotonic() - started)
            progress.update(
                f"{executions:,} executions, {rate:,.0f}/s, {len(signatures)} violations; at most "
                f"{(most - executions) / rate:,.0f} s to the limit of {most:,}"
            )


def _write(exploration: Exploration, folder: Path) -> None:
    for number, seen in enumerate(exploration.signatures.values(), 1):
        write(folder / f"explored-{number}.case", format_case(seen.first))


def _print(exploration: Exploration, folder: Path | None) -> None:
    if exploration.whole:
        say(f"nothing is reduced: {exploration.whole}")
    say(exploration.proved())
    if exploration.inconclusive:
        say(f"{exploration.inconclusive:,} executions ended by a limit: inconclusive")
    if not exploration.signatures:
        print("no violation")
    for number, seen in enumerate(exploration.signatures.values(), 1):
        violation = seen.violation
        print()
        say(f"{violation.signature} ({violation.category})")
        say(f"in {seen.executions:,} executions, first after {seen.after:,}; the first one:")
        say(f"  {marked(seen.known, violation.verdict)}", indent="  ")
        if folder is None:
            text = format_case(seen.first).rstrip()
            print("\n".join(f"    {line}" for line in text.split("\n")))
        else:
            print(f"  {folder / f'explored-{number}.case'}")


def _record(exploration: Exploration) -> dict[str, object]:
    coverage = exploration.search.coverage
    return {
        "engine": exploration.engine,
        "executions": coverage.executions,
        "before": exploration.before,
        "shallow": exploration.shallow,
        "redundant": coverage.redundant,
        "complete": coverage.complete,
        "cut": "interrupt" if exploration.interrupted else coverage.cut,
        "reduced": not exploration.whole,
        "inconclusive": exploration.inconclusive,
        "proved": exploration.proved(),
        "violations": [
            {
                "oracle": seen.violation.oracle,
                "rule": seen.violation.rule,
                "category": str(seen.violation.category),
                "signature": seen.violation.signature,
                "verdict": seen.violation.verdict,
                "executions": seen.executions,
                "after": seen.after,
                "cause": seen.violation.cause,
                "known": seen.known,
                "case": format_case(seen.first),
            }
            for seen in exploration.signatures.values()
        ],
    }
