"""stage2fuzz fuzz: one command, no server, all cores, everything kept."""

import time
from dataclasses import replace
from typing import Annotated

import typer

from stage2fuzz.case.limits import check_engine
from stage2fuzz.cli.live import drive
from stage2fuzz.cli.options import (
    DEFAULT_DATABASE,
    MAX_SECONDS,
    Database,
    FailOn,
    Jobs,
    Json,
    check_range,
    cores,
)
from stage2fuzz.cli.output import say
from stage2fuzz.cli.program import shown
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.summary import conclude, show
from stage2fuzz.engine import engine_names, engine_of, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz_targets import TARGETS
from stage2fuzz.session.session import Session


def fuzz(
    engine: Annotated[str, typer.Option(help=engine_names())] = "model:v5.10",
    target: Annotated[
        list[str] | None, typer.Option(help="Fuzz this target only; may be given again.")
    ] = None,
    seconds: Annotated[int, typer.Option(help="How long to fuzz.")] = 60,
    jobs: Jobs = 0,
    seed: Annotated[int, typer.Option(help="Seed of the campaign's random numbers.")] = 1,
    own_loop: Annotated[
        bool, typer.Option("--own-loop", help="Fuzz with our own loop instead of Atheris.")
    ] = False,
    no_seeds: Annotated[
        bool, typer.Option("--no-seeds", help="Start from an empty corpus, not from ours.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    fail_on: FailOn = "any",
    as_json: Json = False,
) -> None:
    """Fuzz for some time, keep every finding, minimise it, and say what to do next."""
    check_range("--seconds", seconds, 1, MAX_SECONDS)
    processes = cores(jobs)
    names = _checked(engine, tuple(target or ()))
    asked = {"--own-loop": own_loop, "--no-seeds": no_seeds}
    options = tuple(option for option, wanted in asked.items() if wanted)
    with open_store(database, create=True) as store:
        with Session(store, engine, names, seconds, processes, seed, options) as session:
            if not as_json:
                say(
                    f"fuzzing {engine} for {seconds} s, {processes} at once, findings in "
                    + shown(database)
                )
            started = time.monotonic()
            drive(session, lambda: _lines(session, started), quiet=as_json, seconds=seconds)
        summary = replace(session.summary(), fail_on=fail_on)
    if failures := session.intake.failures:
        show(summary, database, as_json)
        raise RuntimeError("\n".join(failures))
    conclude(summary, database, as_json)


def _checked(engine: str, names: tuple[str, ...]) -> tuple[str, ...]:
    check_engine(engine, "--engine")  # or the first finding could not be written down
    engine_of(engine)
    kind = kind_of(engine)
    usual = kind.targets or TARGETS
    known = (*usual, *kind.asked_targets)
    for name in names:
        if name not in known:
            raise InputError("--target", f"no target {name!r}", "one of " + ", ".join(known))
    return names or usual


def _lines(session: Session, started: float) -> list[str]:
    totals, spent = session.totals, max(0.001, time.monotonic() - started)
    running = ", ".join(job.target for job in session.jobs if job.process is not None)
    waiting = len(session.intake.to_minimise)
    work = f"running {running}" if running else "all targets ended"
    return [
        f"{spent:5.0f} s  {totals.schedules:>9,} schedules  {totals.schedules / spent:>7,.0f}/s  "
        f"{totals.features:>6,} features  {len(session.intake.findings):>3} findings",
        f"        {work}" + (f"; {waiting} to minimise" if waiting else ""),
    ]
