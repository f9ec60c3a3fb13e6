"""The command tree: a name, where it is defined, one line of help and examples for each command."""

from typing import Annotated, Final

import typer

from stage2fuzz import __version__
from stage2fuzz.cli.lazy import CommandEntry, lazy_group

_CLI: Final = "stage2fuzz.cli"
COMMANDS: Final = {
    "fuzz": CommandEntry(
        f"{_CLI}.fuzz",
        "fuzz",
        "Fuzz for some time, keep every finding, minimise it, and say what to do next.",
        ("fuzz", "fuzz --engine kernel:linux-6.12 --seconds 600 --database race.db"),
    ),
    "series": CommandEntry(
        f"{_CLI}.series",
        "series",
        "Run every revision on every fault of the series and print what the oracles said.",
        ("series", "series --schedules 50 --json"),
    ),
    "run": CommandEntry(
        f"{_CLI}.cases",
        "run_case",
        "Run a case file and judge what happens.",
        ("run my.case", "run my.case --engine model:v5.12 --full"),
    ),
    "replay": CommandEntry(
        f"{_CLI}.cases",
        "replay",
        "Replay a finding's reproducer, or a case file: the interleaving in columns.",
        ("replay 1", "replay 1 --mail", "replay my.case --svg my.svg"),
    ),
    "minimise": CommandEntry(
        f"{_CLI}.cases",
        "minimise_case",
        "Find the simplest case with the same fault; a finding keeps it in the database.",
        ("minimise 1", "minimise my.case --output small.case"),
    ),
    "explore": CommandEntry(
        f"{_CLI}.explore",
        "explore",
        "Run every interleaving of a case's scenario, and say what that proves.",
        ("explore my.case", "explore my.case --engine model:v5.12 --preemptions 2"),
    ),
    "prove": CommandEntry(
        f"{_CLI}.prove",
        "prove",
        "Search every interleaving of a case's scenario, and say what that proves.",
        (
            "prove my.case --engine kernel:linux-6.12",
            "prove 1 --preemptions 2 --stale --json",
            "prove --table --engine kernel:linux-6.12 --seconds 10",
        ),
    ),
    "compare": CommandEntry(
        f"{_CLI}.compare",
        "compare_engines",
        "Compare two trees, or any two engines, BEFORE and AFTER, by what can happen in each.",
        (
            "compare --engine model:v5.10 --engine model:v5.10+p2",
            "compare --engine kernel:before --engine kernel:after --seconds 120",
            "compare --engine kernel:linux-6.12 --real vmlinuz-6.12 --seconds 600",
        ),
    ),
    "check": CommandEntry(
        f"{_CLI}.check",
        "check",
        "Say what a patch or a series adds: new faults (exit 1), faults that went away.",
        (
            "check linux",
            "check linux v6.12..my-branch --output out",
            "check linux v6.12 --mbox series.mbx",
            "check linux-before linux-after",
        ),
    ),
    "bisect": CommandEntry(
        f"{_CLI}.bisect",
        "bisect",
        "Find the commit that brought a fault, or that ended it; a finding keeps both.",
        ("bisect 3 linux v5.10..v6.1", "bisect my.case linux.git v6.12..HEAD --json"),
    ),
    "confirm": CommandEntry(
        f"{_CLI}.confirm",
        "confirm_case",
        "Boot a real kernel under QEMU, force the case's schedule, and see whether the harm comes.",
        (
            "confirm 3 --kernel boot/vmlinuz",
            "confirm my.case --kernel vmlinuz --times 10",
            "confirm my.case --reproducer race.c",
        ),
    ),
    "report": CommandEntry(
        f"{_CLI}.report",
        "report",
        "Write findings, or those known already, as mail, Markdown, HTML, SVG, JSON, SARIF, JUnit.",
        (
            "report 1",
            "report my.case --format html -o race.html",
            "report --campaign night",
            "report --known --format md",
        ),
    ),
    "export": CommandEntry(
        f"{_CLI}.export",
        "export",
        "Write a case as JSON, or its run as a trace that another tool judges: casemate-check.",
        (
            "export 1 --json",
            "export 1 --casemate -o race.trace",
            "export my.case --casemate --projected",
        ),
    ),
    "serve": CommandEntry(
        f"{_CLI}.serve",
        "serve",
        "Show campaigns and findings as a page, and as JSON for programs.",
        ("serve", "serve --port 8080 --database race.db"),
    ),
    "notify": CommandEntry(
        f"{_CLI}.notify",
        "notify",
        "Tell people of new findings: by a webhook, by mail, seldom and together.",
        (
            "notify --webhook https://chat.example.org/hook --page https://fuzz.example.org",
            "notify --mail kvm@example.org --smtp smtp://mail.example.org --once",
        ),
    ),
    "mcp": CommandEntry(
        f"{_CLI}.mcp",
        "mcp",
        "Answer review bots: replay a case, check commits, read findings. Nothing is written.",
        ("mcp --allow linux", "mcp --allow /srv/trees --database race.db"),
    ),
    "findings": CommandEntry(f"{_CLI}.groups", "findings", "Read and triage what was found."),
    "campaign": CommandEntry(
        f"{_CLI}.groups", "campaign", "Fuzz with many workers for a long time."
    ),
    "kernel": CommandEntry(f"{_CLI}.groups", "kernel", "The user's own kernel code as an engine."),
    "hyp": CommandEntry(f"{_CLI}.groups", "hyp", "The user's own EL2 of pKVM as an engine."),
    "target": CommandEntry(
        f"{_CLI}.target",
        "target",
        "Run one fuzz target alone, with libFuzzer's flags and corpus folders after it.",
        (
            "target map_race -max_total_time=30 my-corpus",
            "target notifier --engine model:v5.12 -runs=10000",
        ),
        passes_on=True,
    ),
    "engines": CommandEntry(
        f"{_CLI}.lists",
        "engines",
        "List the model's revisions and its planted bugs.",
        ("engines", "engines --json"),
    ),
    "oracles": CommandEntry(
        f"{_CLI}.lists",
        "oracles",
        "List the oracles: what each promises.",
        ("oracles", "oracles --json"),
    ),
    "explain": CommandEntry(
        f"{_CLI}.explain",
        "explain_rule",
        "Explain a rule: its promise, its reasons, a run that breaks it and one that keeps it.",
        ("explain C6", "explain D1 --json"),
    ),
    "targets": CommandEntry(
        f"{_CLI}.lists", "targets", "List the fuzz targets.", ("targets", "targets --json")
    ),
}

app = typer.Typer(
    name="stage2fuzz",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 nothing found, 1 violations found, 2 bad input, 3 inconclusive (too "
    "little ran), 70 our own bug.",
)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"stage2fuzz {__version__}")
        raise typer.Exit


@app.callback()
def stage2fuzz(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Fuzz concurrent fault schedules of the KVM/arm64 stage-2 page-table engine."""
