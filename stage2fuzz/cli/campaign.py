"""``stage2fuzz campaign``: start, watch, pause, resume and stop campaigns."""

import os
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from stage2fuzz.cli.exits import INCONCLUSIVE
from stage2fuzz.cli.options import DEFAULT_DATABASE, Database, Json
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.program import shown
from stage2fuzz.cli.progress import Progress
from stage2fuzz.cli.streams import complain
from stage2fuzz.cli.summary import found_record, show_found
from stage2fuzz.cli.tables import Table
from stage2fuzz.engine import engine_of, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.figures import Figures, figures_of, history, to_record
from stage2fuzz.findings.states import ENDED, CampaignState
from stage2fuzz.findings.store import Store
from stage2fuzz.fuzz_targets import TARGETS
from stage2fuzz.service.local import running
from stage2fuzz.service.orders import CampaignSpec, Strategy

REFRESH_SECONDS: Final = 0.5
ORDER_SECONDS: Final = 60
POINT: Final = ("seconds", "schedules", "features", "inputs", "findings")
REGRESS: Final = "model:v5.10,model:v5.12"

MEANING: Final = {
    "state": "running, paused, draining (no more fuzzing, what was found is confirmed and "
    "minimised), done, stopped",
    "fuzz_seconds": "added up over all processes",
    "features": "orders of conflicting steps that some run showed",
    "inputs": "kept in the corpus, each for a feature of its own",
    "killers": "inputs that killed or hung the process that ran them",
    "failures": "orders that failed for good, one after the other",
    "orders": "pieces of work, by where they stand",
    "orders_again": "orders that were given out once more because their worker fell silent",
    "orders_to_do": "open orders, by kind",
    "orders_cut_short": "fuzz orders that ended before their time, by the reason",
    "untended": "whether no coordinator works on it",
    "slots": "orders that the workers run at once",
}
"""What a campaign's words mean to a person who sees them for the first time."""

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
        begun = time.time()
        number = campaigns.create(store.engine, spec)
        if local:
            _run_here(store, number, workers or os.cpu_count() or 1, quiet=as_json)
        figures = figures_of(store.engine, number)
        found = [each for each in store.list() if each.last_seen >= begun] if local else []
    if as_json:
        emit(to_record(figures) | ({"found": list(map(found_record, found))} if local else {}))
    else:
        _table(figures).show()
        show_found(found, database)
    if not local:
        return
    if figures.campaign.findings:
        raise typer.Exit(1)
    if not figures.campaign.schedules:
        complain("stage2fuzz: inconclusive: no schedule ran; give it more --seconds")
        raise typer.Exit(INCONCLUSIVE)


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
    rows = Table(*POINT, numbers=POINT)
    for seconds, *counts in points:
        rows.add(f"{seconds:.0f}", *(f"{count:,}" for count in counts))
    rows.show()


def list_campaigns(database: Database = DEFAULT_DATABASE, as_json: Json = False) -> None:
    """List all campaigns."""
    with Store.open(database, create=False) as store:
        every = [figures_of(store.engine, each.id) for each in campaigns.every(store.engine)]
    if as_json:
        emit([to_record(each) for each in every])
        return
    if not every:
        say(f"no campaigns in {shown(database)}")
        return
    titles = ("number", "campaign", "state", "seconds", "schedules", "features", "findings")
    rows = Table(*titles, numbers=titles[3:])
    for each in every:
        one = each.campaign
        rows.add(
            one.id,
            one.spec.name,
            one.state,
            f"{one.elapsed:.0f}",
            f"{one.schedules:,}",
            f"{each.features:,}",
            one.findings,
        )
    rows.show()


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
    with Progress(quiet) as progress:
        while True:
            figures = figures_of(store.engine, number)
            progress.update(_line(figures), _done(figures))
            if figures.campaign.state in ENDED:
                return
            check()
            time.sleep(REFRESH_SECONDS)


def _line(figures: Figures) -> str:
    """The figures in a line."""
    one = figures.campaign
    waiting = ", ".join(f"{count} to {kind}" for kind, count in sorted(figures.to_do.items()))
    return (
        f"{one.elapsed:5.0f} s  {one.state}  {one.schedules:>9,} schedules  "
        f"{one.schedules / max(one.elapsed, 1e-3):>7,.0f}/s  {figures.features:>6,} features  "
        f"{one.findings:>3} findings" + (f"  ({waiting})" if waiting else "")
    )


def _done(figures: Figures) -> float:
    """How much of the budget is used up; 0 where there is none or nobody knows."""
    one = figures.campaign
    if one.state is not CampaignState.RUNNING:
        return 0.0
    budgets = ((one.elapsed, one.spec.seconds), (one.schedules, one.spec.schedules))
    return max((min(1.0, used / budget) for used, budget in budgets if budget), default=0.0)


def _print(figures: Figures, as_json: bool) -> None:
    if as_json:
        emit(to_record(figures))
    else:
        _table(figures).show()


def _table(figures: Figures) -> Table:
    """The figures, each with what its word means where that is not plain."""
    rows = Table("what", "figure", "meaning", fold=True, head=False)
    for key, value in to_record(figures).items():
        if isinstance(value, dict):
            value = ", ".join(f"{number} {state}" for state, number in sorted(value.items()))
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        rows.add(key.replace("_", " "), text or "-", MEANING.get(key, ""))
    return rows
