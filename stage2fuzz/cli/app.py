"""The command tree."""

import typer

from stage2fuzz.cli import campaign, cases, compare, explore, findings, fuzz, kernel, lists, series

app = typer.Typer(
    name="stage2fuzz",
    help="Fuzz concurrent fault schedules of the KVM/arm64 stage-2 page-table engine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("fuzz")(fuzz.fuzz)
app.command("series")(series.series)
app.command("run")(cases.run_case)
app.command("replay")(cases.replay)
app.command("minimise")(cases.minimise_case)
app.command("explore")(explore.explore)
app.command("compare")(compare.compare_engines)
app.add_typer(findings.app, name="findings")
app.add_typer(campaign.app, name="campaign")
app.add_typer(kernel.app, name="kernel")
app.command("engines")(lists.engines)
app.command("oracles")(lists.oracles)
app.command("targets")(lists.targets)
