"""``stage2fuzz campaign``: start, watch, pause, resume, stop and delete campaigns."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from stage2fuzz.cli.options import DEFAULT_DATABASE, Database, FailOn, Json
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.program import program, shown
from stage2fuzz.cli.service_here import ServiceHere, service_here
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.summary import conclude
from stage2fuzz.cli.tables import Table
from stage2fuzz.engine import engine_of, kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings.states import Part
from stage2fuzz.fuzz_targets import TARGETS
from stage2fuzz.service.local import own_name
from stage2fuzz.service.orders import CampaignSpec, Strategy

if TYPE_CHECKING:
    from stage2fuzz.findings.store import Store

ORDER_SECONDS: Final = 60
POINT: Final = ("seconds", "schedules", "features", "inputs", "findings")
REGRESS: Final = "model:v5.10,model:v5.12"

CampaignName = Annotated[str, typer.Argument(help="Name of the campaign, or its number as #1.")]
Workers = Annotated[int, typer.Option(min=0, max=1024, help="With --local: orders at once.")]


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
    real: Annotated[
        int, typer.Option(help="Force each minimised schedule so often on a worker's real kernel.")
    ] = 0,
    local: Annotated[bool, typer.Option("--local", help="Run everything here, till done.")] = False,
    workers: Workers = 0,
    database: Database = DEFAULT_DATABASE,
    fail_on: FailOn = "any",
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
        real=real,
    )
    spec.check()
    for each in spec.engines:
        if local or kind_of(each).everywhere:
            engine_of(each)
    if local:
        _start_here(spec, workers, database, as_json, fail_on)

    from stage2fuzz.cli.campaign_view import show
    from stage2fuzz.findings import campaigns
    from stage2fuzz.findings.figures import figures_of

    with open_store(database, create=True) as store:
        number = campaigns.create(store.engine, spec)
        show(figures_of(store.engine, number), as_json)
        _tell_who_works(store, spec.name)


def status(
    name: CampaignName,
    follow: Annotated[bool, typer.Option("--follow", help="Watch until it ends.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Show a campaign: workers, orders, schedules a second, features, findings."""
    from stage2fuzz.cli.campaign_here import watch
    from stage2fuzz.cli.campaign_view import show
    from stage2fuzz.findings import campaigns
    from stage2fuzz.findings.figures import figures_of

    with open_store(database) as store:
        number = campaigns.named(store.engine, name).id
        if follow:
            watch(store, number, lambda: None, quiet=as_json)
        show(figures_of(store.engine, number), as_json)


def coverage(
    name: CampaignName, database: Database = DEFAULT_DATABASE, as_json: Json = False
) -> None:
    """Show coverage over time: a line for every few seconds of the campaign."""
    from stage2fuzz.findings import campaigns
    from stage2fuzz.findings.figures import history

    with open_store(database) as store:
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
    from stage2fuzz.findings import campaigns
    from stage2fuzz.findings.figures import figures_of, to_record

    with open_store(database) as store:
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
        state = f"{one.state}, untended" if each.untended else str(one.state)
        figures = (one.schedules, each.features, one.findings)
        counts = (f"{number:,}" for number in figures)
        rows.add(f"#{one.id}", one.name, state, f"{one.elapsed:.0f}", *counts)
    rows.show()


def pause(name: CampaignName, database: Database = DEFAULT_DATABASE) -> None:
    """Give out no more orders; those in work are finished and kept."""
    from stage2fuzz.findings import campaigns

    _change(lambda store, number: campaigns.pause(store.engine, number), name, database)


def resume(
    name: CampaignName,
    real: Annotated[
        int, typer.Option(help="Force each minimised schedule so often on a worker's real kernel.")
    ] = 0,
    local: Annotated[bool, typer.Option("--local", help="Go on here, till done.")] = False,
    workers: Workers = 0,
    database: Database = DEFAULT_DATABASE,
    fail_on: FailOn = "any",
    as_json: Json = False,
) -> None:
    """Go on after a pause, or with a campaign whose command is gone."""
    from stage2fuzz.cli.campaign_view import show
    from stage2fuzz.findings import campaigns
    from stage2fuzz.findings.figures import figures_of
    from stage2fuzz.findings.workers import living

    with open_store(database) as store:
        paused = campaigns.named(store.engine, name)
        number, service = paused.id, own_name() if local else ""
        if not local and living(store.engine, Part.COORDINATOR, paused.service):
            service = paused.service
        campaigns.adopt(store.engine, number, service)
        if local:
            with service_here(database, _slots(workers), service) as here:
                _finish_here(store, number, here, database, as_json, fail_on)
        show(figures_of(store.engine, number), as_json)
        _tell_who_works(store, name, service)


def stop(name: CampaignName, database: Database = DEFAULT_DATABASE) -> None:
    """End a campaign for good; what it has found stays."""
    from stage2fuzz.findings import campaigns

    _change(lambda store, number: campaigns.stop(store.engine, number), name, database)


def delete(name: CampaignName, database: Database = DEFAULT_DATABASE) -> None:
    """Forget a campaign that has ended, with its corpus; its findings stay."""
    from stage2fuzz.findings import campaigns

    with open_store(database) as store:
        found = campaigns.named(store.engine, name)
        campaigns.delete(store.engine, found.id)
    say(f"campaign {found.name} is deleted; its findings stay")


def _start_here(
    spec: CampaignSpec, workers: int, database: str, as_json: bool, fail_on: str
) -> NoReturn:
    """Start a campaign with a service of its own, and finish it; ends the command."""
    service = own_name()
    with (
        service_here(database, _slots(workers), service) as here,
        open_store(database, create=True) as store,
    ):
        from stage2fuzz.findings import campaigns

        number = campaigns.create(store.engine, spec, service)
        _finish_here(store, number, here, database, as_json, fail_on)


def _slots(workers: int) -> int:
    """How many orders run at once here; by default one for each CPU."""
    return workers or os.cpu_count() or 1


def _finish_here(
    store: "Store",
    number: int,
    here: ServiceHere,
    database: str,
    as_json: bool,
    fail_on: str,
) -> NoReturn:
    """Run the campaign here to its end and say what came of it, as ``fuzz`` does; ends the
    command.
    """
    from stage2fuzz.cli.campaign_here import run_here
    from stage2fuzz.cli.campaign_view import summary_of
    from stage2fuzz.findings.figures import to_record
    from stage2fuzz.findings.sightings import findings_of
    from stage2fuzz.findings.silent import silent_pairs

    figures = run_here(store, number, here, quiet=as_json)
    found, silent = findings_of(store.engine, number), silent_pairs(store.engine, number)
    summary = replace(summary_of(figures, found, silent), fail_on=fail_on)
    conclude(summary, database, as_json, {"campaign": to_record(figures)})


def _tell_who_works(store: "Store", name: str, service: str = "") -> None:
    """Say so where a campaign was given to a service of which nothing runs."""
    from stage2fuzz.findings.workers import living

    needed = (Part.WORKER, Part.COORDINATOR)
    parts = {part: living(store.engine, part, service) for part in needed}
    missing = " and ".join(f"no {part}" for part, number in parts.items() if not number)
    if missing:
        print(
            f"nothing happens yet: {missing} works on this database. Start them (see "
            f"docs/service.md), or let this command do it: {program()} campaign pause {name}; "
            f"{program()} campaign resume {name} --local",
            file=sys.stderr,
        )


def _order_seconds(seconds: int) -> int:
    """Long orders waste less on starting up; short ones show sooner what was found."""
    return max(5, min(ORDER_SECONDS, seconds // 6)) if seconds else ORDER_SECONDS


def _strategy(name: str) -> Strategy:
    try:
        return Strategy(name)
    except ValueError:
        raise InputError("--strategy", f"no strategy {name!r}", " or ".join(Strategy)) from None


def _change(change: "Callable[[Store, int], None]", name: str, database: str) -> None:
    from stage2fuzz.cli.campaign_view import show
    from stage2fuzz.findings import campaigns
    from stage2fuzz.findings.figures import figures_of

    with open_store(database) as store:
        number = campaigns.named(store.engine, name).id
        change(store, number)
        show(figures_of(store.engine, number), as_json=False)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
