"""``stage2fuzz campaign``: start, watch, pause, resume and stop campaigns."""

import os
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from stage2fuzz.cli.options import DEFAULT_DATABASE, Database, Json
from stage2fuzz.cli.output import emit
from stage2fuzz.cli.terminal import console
from stage2fuzz.engine import engine_of, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.figures import Figures, figures_of, history, to_record
from stage2fuzz.findings.states import ENDED
from stage2fuzz.findings.store import Store
from stage2fuzz.fuzz_targets import TARGETS
from stage2fuzz.service.local import running
from stage2fuzz.service.orders import CampaignSpec, Strategy

REFRESH_SECONDS: Final = 0.5
ORDER_SECONDS: Final = 60
POINT: Final = ("seconds", "schedules", "features", "inputs", "findings")
REGRESS: Final = "model:v5.10,model:v5.12"

Name = Annotated[str, typer.Argument(help="Name or number of the campaign.")]


def start(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    engine: Annotated[str, typer.Option(help="Engines, with commas.")] = "model:v5.10",
    target: Annotated[str, typer.Option(help="Fuzz targets, with commas.")] = ",".join(TARGETS),
    strategy: Annotated[str, typer.Option(help="mutate (share a corpus) or fresh.")] = "mutate",
    seconds: Annotated[int, typer.Option(help="Time budget; 0: none.")] = 0,
    schedules: Annotated[int, typer.Option(help="Budget of schedules; 0: none.")] = 0,
    findings: Annotated[int, typer.Option(help="End at so many findings; 0: never.")] = 0,
    parallel: Annotated[int, typer.Option(help="Orders at once; 0: every worker.")] = 0,
    order_seconds: Annotated[
        int, typer.Option(help="Length of one fuzz order; 0: 60, less where the budget is small.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Where the orders' seeds begin.")] = 1,
    regress: Annotated[str, typer.Option(help="Engines, oldest first: fixed in?")] = REGRESS,
    local: Annotated[bool, typer.Option("--local", help="Run everything here, till done.")] = False,
    workers: Annotated[int, typer.Option(help="With --local: orders at once.")] = 0,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Start a campaign; with --local also broker, coordinator and worker, until it is done."""
    spec = CampaignSpec(
        name=name,
        engines=_list(engine),
        targets=_list(target),
        strategy=_strategy(strategy),
        seconds=seconds,
        schedules=schedules,
        findings=findings,
        parallel=parallel,
        order_seconds=order_seconds or _order_seconds(seconds),
        seed=seed,
        regress=_list(regress),
    )
    spec.check()
    for each in spec.engines:
        if kind_of(each).everywhere:
            engine_of(each)
    with Store.open(database) as store:
        number = campaigns.create(store.engine, spec)
        if local:
            _run_here(store, number, workers or os.cpu_count() or 1, quiet=as_json)
        _print(figures_of(store.engine, number), as_json)


def status(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", help="Watch until it ends.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Show a campaign: workers, orders, schedules a second, features, findings."""
    with Store.open(database, create=False) as store:
        number = campaigns.named(store.engine, name).id
        if follow:
            _watch(store, number, lambda: None, quiet=as_json)
        _print(figures_of(store.engine, number), as_json)


def coverage(name: Name, database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """Show coverage over time: a line for every few seconds of the campaign."""
    with Store.open(database, create=False) as store:
        points = history(store.engine, campaigns.named(store.engine, name).id)
    if as_json:
        emit([dict(zip(POINT, point, strict=True)) for point in points])
        return
    table = Table(*POINT)
    for seconds, *counts in points:
        table.add_row(f"{seconds:.0f}", *(f"{count:,}" for count in counts))
    console().print(table)


def list_campaigns(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List all campaigns."""
    with Store.open(database, create=False) as store:
        every = [figures_of(store.engine, each.id) for each in campaigns.every(store.engine)]
    if as_json:
        emit([to_record(each) for each in every])
        return
    table = Table("number", "campaign", "state", "seconds", "schedules", "features", "findings")
    for each in every:
        one = each.campaign
        table.add_row(
            str(one.id),
            one.spec.name,
            one.state,
            f"{one.elapsed:.0f}",
            f"{one.schedules:,}",
            f"{each.features:,}",
            str(one.findings),
        )
    console().print(table)


def pause(name: Name, database: Database = DEFAULT_DATABASE) -> None:
    """Give out no more orders; those in work are finished and kept."""
    _change(lambda store, number: campaigns.pause(store.engine, number), name, database)


def resume(name: Name, database: Database = DEFAULT_DATABASE) -> None:
    """Go on after a pause."""
    _change(lambda store, number: campaigns.resume(store.engine, number), name, database)


def stop(name: Name, database: Database = DEFAULT_DATABASE) -> None:
    """End a campaign for good; what it has found stays."""
    _change(lambda store, number: campaigns.stop(store.engine, number), name, database)


def _run_here(store: Store, number: int, workers: int, quiet: bool) -> None:
    """Run a service of our own until the campaign has ended."""
    with running(campaigns.address(store.engine), workers) as service:
        try:
            _watch(store, number, service.check, quiet)
        except KeyboardInterrupt:
            campaigns.stop(store.engine, number)


def _order_seconds(seconds: int) -> int:
    """Long orders waste less on starting up; short ones show sooner what was found."""
    return max(5, min(ORDER_SECONDS, seconds // 6)) if seconds else ORDER_SECONDS


def _strategy(name: str) -> Strategy:
    try:
        return Strategy(name)
    except ValueError:
        raise InputError("--strategy", f"no strategy {name!r}", " or ".join(Strategy)) from None


def _change(change: Callable[[Store, int], None], name: str, database: str) -> None:
    with Store.open(database, create=False) as store:
        number = campaigns.named(store.engine, name).id
        change(store, number)
        _print(figures_of(store.engine, number), False)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _watch(store: Store, number: int, check: Callable[[], None], quiet: bool) -> None:
    """Show the figures until the campaign has ended."""
    screen = Console(stderr=True)
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        while True:
            figures = figures_of(store.engine, number)
            if not quiet and screen.is_terminal:
                live.update(_table(figures), refresh=True)
            if figures.campaign.state in ENDED:
                return
            check()
            time.sleep(REFRESH_SECONDS)


def _print(figures: Figures, as_json: bool) -> None:
    if as_json:
        emit(to_record(figures))
    else:
        console().print(_table(figures))


def _table(figures: Figures) -> Table:
    """The figures as two columns."""
    table = Table(show_header=False, title=f"campaign {figures.campaign.spec.name}")
    for key, value in to_record(figures).items():
        if isinstance(value, dict):
            value = ", ".join(f"{number} {state}" for state, number in sorted(value.items()))
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        table.add_row(key.replace("_", " "), text)
    return table
