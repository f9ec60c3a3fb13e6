"""``stage2fuzz kernel explore``: millions of schedules of a tree, and what the oracles say."""

import math
import tempfile
import time
from dataclasses import asdict
from typing import Annotated, Final

import typer

from stage2fuzz.cli.causes import marked
from stage2fuzz.cli.exits import FOUND, INCONCLUSIVE
from stage2fuzz.cli.live import drive
from stage2fuzz.cli.options import (
    DATABASE_VARIABLE,
    MAX_SECONDS,
    FailOn,
    Jobs,
    Json,
    check_range,
    cores,
)
from stage2fuzz.cli.output import emit
from stage2fuzz.cli.program import hint
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.streams import complain
from stage2fuzz.cli.tables import Table
from stage2fuzz.cli.trees import Cache, PageSize, Tree, granule_of, prepared
from stage2fuzz.engine import kernel_name
from stage2fuzz.process.limits import Limits
from stage2fuzz.session.intake import Intake
from stage2fuzz.studies.hunt.hunt import Hunt

SECONDS: Final = 60
NICENESS: Final = 10
"""Of the process that confirms and minimises: those that run schedules come first."""
MAX_SCHEDULES: Final = 10**15
MAX_SEED: Final = 10**9


def explore(
    tree: Tree,
    cache: Cache = None,
    pages: PageSize = "4k",
    seconds: Annotated[
        int | None, typer.Option(help=f"How long; {SECONDS} where --schedules is not given either.")
    ] = None,
    schedules: Annotated[int | None, typer.Option(help="How many schedules at most.")] = None,
    jobs: Jobs = 0,
    seed: Annotated[int, typer.Option(help="Of the random scenarios and the schedules.")] = 1,
    database: Annotated[
        str | None,
        typer.Option(envvar=DATABASE_VARIABLE, help="Where findings are kept, if anywhere."),
    ] = None,
    fail_on: FailOn = "any",
    as_json: Json = False,
) -> None:
    """Run millions of random schedules of many scenarios in C, and judge each new class.

    The scenarios are the series', those of the planted faults, the seeds' of a checkout, and
    random ones of every profile.
    """
    _check(seconds, schedules, seed)
    processes = cores(jobs)
    granule = granule_of(pages)
    library, _engine = prepared(tree, cache, granule)
    limit = math.inf if schedules and seconds is None else seconds or SECONDS
    runs = schedules or MAX_SCHEDULES
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(database or f"sqlite:///{folder}/findings.db", create=True) as store,
    ):
        intake = Intake(store, Limits(niceness=NICENESS))
        name = kernel_name(tree, granule)
        with Hunt(intake, name, library, processes, seed, limit, runs) as hunt:
            started = time.monotonic()
            drive(hunt, lambda: _lines(hunt, started), quiet=as_json, seconds=limit)
        _report(hunt, library.key, database or "", as_json)
    if hunt.intake.failures:
        raise RuntimeError("\n".join(hunt.intake.failures))
    missing = _missing(hunt)
    for line in missing:
        complain(f"stage2fuzz: inconclusive: {line}")
    counted = [each for each in hunt.signatures.values() if fail_on == "any" or not each.known]
    raise typer.Exit(FOUND if counted else INCONCLUSIVE if missing else 0)


def _missing(hunt: Hunt) -> list[str]:
    """Why finding nothing would mean nothing, a line each."""
    missing = [] if hunt.totals.judged else ["no schedule was judged"]
    if hunt.totals.deaths:
        missing.append(f"{hunt.totals.deaths} processes died, with what their last turns had seen")
    if hunt.intake.stopping:
        missing.append("it was ended before its time")
    return missing


def _check(seconds: int | None, schedules: int | None, seed: int) -> None:
    for name, value, low, high in (
        ("--seconds", seconds, 1, MAX_SECONDS),
        ("--schedules", schedules, 1, MAX_SCHEDULES),
        ("--seed", seed, 0, MAX_SEED),
    ):
        if value is not None:
            check_range(name, value, low, high)


def _lines(hunt: Hunt, started: float) -> list[str]:
    totals, spent = hunt.totals, max(0.001, time.monotonic() - started)
    waiting = len(hunt.intake.to_minimise)
    return [
        f"{spent:5.0f} s  {totals.runs:>11,} schedules  {totals.runs / spent:>8,.0f}/s  "
        f"{totals.classes:>9,} classes  {totals.judged:>9,} judged  "
        f"{len(hunt.signatures):>3} signatures",
        f"        {totals.scenarios:,} scenarios" + (f"; {waiting} to minimise" * bool(waiting)),
    ]


def _report(hunt: Hunt, key: str, database: str, as_json: bool) -> None:
    """The figures, then each signature with a case that shows it."""
    totals, store = hunt.totals, hunt.intake.store
    figures = asdict(totals)
    limits = figures.pop("limits")
    figures["folded"] = totals.runs - totals.classes
    figures["unjudged"] = totals.classes - totals.judged
    shown = sorted(hunt.signatures.items(), key=lambda item: -item[1].times)
    cases = {
        signature: "" if each.number is None else store.get(each.number).reproducer
        for signature, each in shown
    }
    if as_json:
        found = [
            {**asdict(each), "signature": signature, "case": cases[signature]}
            for signature, each in shown
        ]
        told = {"engine": hunt.engine, "key": key, **figures, "limits": limits}
        emit({**told, "signatures": found})
        return
    for name, figure in figures.items():
        print(f"{name:14}{figure:>14,}")
    for name, times in limits.items():
        print(f"{times:,} runs ended by the limit of {name}: inconclusive")
    if not shown:
        return
    name = "finding" if database else "case"
    drawn = Table("classes", "after", name, "oracle", "verdict", fold=True)
    for number, (_, each) in enumerate(shown, 1):
        name = f"#{each.number}" if database else f"{number}"
        verdict = marked(each.known, each.verdict)
        drawn.add(f"{each.times:,}", f"{each.schedules:,}", name, each.oracle, verdict)
    drawn.show()
    if database:
        print(f"next: {hint(f'replay {shown[0][1].number}', database)}")
        return
    for number, (signature, _) in enumerate(shown, 1):
        text = f"\n# case {number}: {signature}\n{cases[signature].rstrip()}"
        print(text)
