"""The commands that come in groups: what a group is about, and what is in it."""

from typing import Final

import typer

from stage2fuzz.cli.lazy import CommandEntry, lazy_group

_FINDINGS: Final = "stage2fuzz.cli.findings"
_CAMPAIGN: Final = "stage2fuzz.cli.campaign"
_CORPUS: Final = "stage2fuzz.cli.corpus"

FINDINGS: Final = {
    "list": CommandEntry(
        _FINDINGS,
        "list_findings",
        "List the findings, a line for each cause.",
        ("findings list", "findings list --state new --json"),
    ),
    "show": CommandEntry(
        _FINDINGS,
        "show",
        "Show one finding: verdict, history, reproducer.",
        ("findings show 1", "findings show 1 --events"),
    ),
    "triage": CommandEntry(
        _FINDINGS,
        "triage",
        "Say what a person decided about a finding.",
        (
            "findings triage 1 --note 'a real loss' --owner me",
            "findings triage 1 --fixed-in model:v5.12",
            "findings triage 2 --duplicate-of 1",
        ),
    ),
    "export": CommandEntry(
        _FINDINGS,
        "export",
        "Write every finding's reproducer as a case file.",
        ("findings export cases", "findings export cases --state new"),
    ),
}
CAMPAIGN: Final = {
    "start": CommandEntry(
        _CAMPAIGN,
        "start",
        "Start a campaign; with --local also broker, coordinator and worker, until it is done.",
        (
            "campaign start night --local --seconds 28800",
            "campaign start night --engine model:v5.10,model:v5.12 --seconds 28800",
        ),
    ),
    "status": CommandEntry(
        _CAMPAIGN,
        "status",
        "Show a campaign: workers, orders, schedules a second, features, findings.",
        ("campaign status night", "campaign status night --follow"),
    ),
    "coverage": CommandEntry(
        _CAMPAIGN,
        "coverage",
        "Show coverage over time: a line for every few seconds of the campaign.",
        ("campaign coverage night",),
    ),
    "export-corpus": CommandEntry(
        _CORPUS,
        "export_corpus",
        "Write the inputs that a campaign has kept, in libFuzzer's form: files named by SHA-1.",
        ("campaign export-corpus night inputs",),
    ),
    "import-corpus": CommandEntry(
        _CORPUS,
        "import_corpus",
        "Hand a libFuzzer corpus in: each input is measured, and kept if it shows something new.",
        ("campaign import-corpus night inputs/map_race --target map_race",),
    ),
    "list": CommandEntry(
        _CAMPAIGN,
        "list_campaigns",
        "List all campaigns.",
        ("campaign list", "campaign list --json"),
    ),
    "pause": CommandEntry(
        _CAMPAIGN,
        "pause",
        "Give out no more orders; those in work are finished and kept.",
        ("campaign pause night",),
    ),
    "resume": CommandEntry(
        _CAMPAIGN,
        "resume",
        "Go on after a pause, or with a campaign whose command is gone.",
        ("campaign resume night", "campaign resume night --local"),
    ),
    "stop": CommandEntry(
        _CAMPAIGN,
        "stop",
        "End a campaign for good; what it has found stays.",
        ("campaign stop night",),
    ),
    "delete": CommandEntry(
        _CAMPAIGN,
        "delete",
        "Forget a campaign that has ended, with its corpus; its findings stay.",
        ("campaign delete night",),
    ),
}
KERNEL: Final = {
    "build": CommandEntry(
        "stage2fuzz.cli.kernel_build",
        "build_tree",
        "Build the engine of TREE, prove it, and say what is the user's code and what is modelled.",
        ("kernel build linux-6.12",),
    ),
    "mutants": CommandEntry(
        "stage2fuzz.cli.mutants",
        "mutants",
        "Plant faults in a copy of TREE and say which oracle found each, after how many schedules.",
        ("kernel mutants linux-6.12", "kernel mutants linux-6.12 --only missing-tlbi"),
    ),
    "explore": CommandEntry(
        "stage2fuzz.cli.hunt",
        "explore",
        "Run millions of random schedules of many scenarios in C, and judge each new class.",
        (
            "kernel explore linux-6.12",
            "kernel explore linux-6.12 --schedules 10000000 --database race.db",
        ),
    ),
    "bench": CommandEntry(
        "stage2fuzz.cli.bench",
        "bench",
        "Schedules a second of TREE on one core: engine, folding, judging, fuzzing end to end.",
        ("kernel bench linux-6.12",),
    ),
}
HYP: Final = {
    "explore": CommandEntry(
        "stage2fuzz.cli.el2",
        "explore",
        "Run random schedules of host CPUs that call EL2 of pKVM, and judge each new class.",
        ("hyp explore linux-7.3", "hyp explore linux-7.3 --schedules 1000000"),
    ),
    "mutants": CommandEntry(
        "stage2fuzz.cli.el2",
        "mutants",
        "Plant faults in EL2 of a copy of TREE and say which oracle found each.",
        ("hyp mutants linux-7.3", "hyp mutants linux-7.3 --only load-dying"),
    ),
}


def group(about: str, entries: dict[str, CommandEntry]) -> typer.Typer:
    """A group of lazy commands, itself cheap."""
    made = typer.Typer(
        cls=lazy_group(entries),
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    made.callback()(lambda: None)
    return made


findings = group("Read and triage what was found.", FINDINGS)
campaign = group("Fuzz with many workers for a long time.", CAMPAIGN)
kernel = group("The user's own kernel code as an engine.", KERNEL)
hyp = group("The user's own EL2 of pKVM as an engine.", HYP)
