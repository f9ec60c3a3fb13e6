"""stage2fuzz fuzz: one command, no server, all cores, everything kept."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from stage2fuzz.cli.common import DEFAULT_DATABASE, Database, Json, console, emit
from stage2fuzz.errors import InputError
from stage2fuzz.findings.store import Store
from stage2fuzz.harness import Harness
from stage2fuzz.run import engine_of
from stage2fuzz.session import TARGETS, Session

MAX_SECONDS = 30 * 24 * 3600
MAX_JOBS = 1024


def fuzz(
    engine: Annotated[str, typer.Option(help="model:REVISION or kernel:TREE.")] = "model:v5.10",
    target: Annotated[
        list[str] | None, typer.Option(help="Fuzz this target only; may be given again.")
    ] = None,
    seconds: Annotated[int, typer.Option(help="How long to fuzz.")] = 60,
    jobs: Annotated[int, typer.Option(help="Processes at once; 0: one a core.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the campaign's random numbers.")] = 1,
    own_loop: Annotated[
        bool, typer.Option("--own-loop", help="Fuzz with our own loop instead of Atheris.")
    ] = False,
    no_seeds: Annotated[
        bool, typer.Option("--no-seeds", help="Start from an empty corpus, not from ours.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Fuzz for some time, keep every finding, minimise it, and say what to do next."""
    names = _checked(engine, tuple(target or TARGETS), seconds, jobs)
    store = Store.open(database)
    cores = jobs or os.cpu_count() or 1
    out = console()
    asked = {"--own-loop": own_loop, "--no-seeds": no_seeds}
    options = tuple(option for option, wanted in asked.items() if wanted)
    with Session(store, engine, names, seconds, cores, seed, options) as session:
        if not as_json:
            out.print(f"fuzzing {engine} for {seconds} s, {cores} at once, findings in {database}")
        with _interruptible(session):
            _drive(session, quiet=as_json)
    _report(session, store, as_json)
    store.close()
    if session.totals.failures:
        raise RuntimeError("\n".join(session.totals.failures))
    raise typer.Exit(1 if session.findings else 0)


def _checked(engine: str, names: tuple[str, ...], seconds: int, jobs: int) -> tuple[str, ...]:
    if not 1 <= seconds <= MAX_SECONDS:
        raise InputError("--seconds", f"{seconds} is out of range", f"1 to {MAX_SECONDS}")
    if not 0 <= jobs <= MAX_JOBS:
        raise InputError("--jobs", f"{jobs} is out of range", f"0 (one a core) to {MAX_JOBS}")
    engine_of(engine)
    for name in names:
        if name not in TARGETS:
            raise InputError("--target", f"no target {name!r}", "one of " + ", ".join(TARGETS))
        Harness(engine, name)
    return names


@contextmanager
def _interruptible(session: Session) -> Iterator[None]:
    """Ctrl-C ends the fuzzing and keeps what was found; a second one gives up minimising too."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if session.stopping:
            session.to_minimise.clear()
        session.stopping = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drive(session: Session, quiet: bool) -> None:
    out = console()
    started = time.monotonic()
    live = Live(console=out, auto_refresh=False, transient=True)
    shown = not quiet and out.is_terminal
    next_line = started + 10
    with live if shown else _nothing():
        while session.step() or session.to_minimise:
            if session.minimise_one() is None:
                time.sleep(0.1)
            if shown:
                live.update(_progress(session, started), refresh=True)
            elif not quiet and time.monotonic() > next_line:
                next_line += 10
                out.print(_line(session, started))


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _line(session: Session, started: float) -> str:
    totals, spent = session.totals, max(0.001, time.monotonic() - started)
    return (
        f"{spent:5.0f} s  {totals.schedules:>9,} schedules  {totals.schedules / spent:>7,.0f}/s  "
        f"{totals.features:>6,} features  {len(session.findings):>3} findings"
    )


def _progress(session: Session, started: float) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_row(_line(session, started))
    running = ", ".join(job.target for job in session.jobs if job.process is not None)
    waiting = len(session.to_minimise)
    work = f"running {running}" if running else "all targets ended"
    table.add_row(f"        {work}" + (f"; {waiting} to minimise" if waiting else ""))
    for number, verdict in list(session.findings.items())[-8:]:
        table.add_row(f"  [bold]#{number}[/] {verdict}")
    return table


def _report(session: Session, store: Store, as_json: bool) -> None:
    found = [store.get(number) for number in session.findings]
    totals = session.totals
    if as_json:
        emit(
            {
                "engine": session.engine,
                "schedules": totals.schedules,
                "features": totals.features,
                "failures": totals.failures,
                "findings": [
                    {
                        "id": each.id,
                        "oracle": each.oracle,
                        "category": each.category,
                        "signature": each.signature,
                        "verdict": each.verdict,
                        "minimised": each.minimised,
                    }
                    for each in found
                ],
            }
        )
        return
    out = console()
    out.print(
        f"{totals.schedules:,} schedules, {totals.features:,} features, {len(found)} findings"
    )
    if not found:
        return
    order = {"correctness": 0, "progress": 1, "economy": 2}
    found.sort(key=lambda each: (order[each.category], each.id))
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for each in found:
        table.add_row(f"#{each.id}", each.category, each.oracle, each.verdict)
    out.print(table)
    first = found[0].id
    out.print(f"next: stage2fuzz replay {first:<15} the interleaving, step by step")
    out.print(f"      stage2fuzz findings show {first:<8} its history and its reproducer")
