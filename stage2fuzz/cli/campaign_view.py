"""A campaign in words: a line while it works, a table on demand, a summary at its end."""

from typing import Final

from rich.table import Table

from stage2fuzz.cli.output import emit
from stage2fuzz.cli.program import program
from stage2fuzz.cli.terminal import console, plain, table
from stage2fuzz.findings.figures import Figures, to_record
from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.states import CampaignState

WORDS: Final = {
    "fuzz_seconds": "seconds spent fuzzing, over all workers",
    "features": "interleaving features seen",
    "inputs": "corpus inputs kept",
    "killers": "inputs that end their process",
    "failures": "orders failed in a row",
    "orders_again": "orders begun once more",
    "orders_to_do": "orders to do, by kind",
    "orders_cut_short": "orders ended before their time",
    "slots": "orders that workers run at once",
}
"""What the keys of the JSON record that don't explain themselves mean."""
RANK: Final = {"correctness": 0, "progress": 1, "economy": 2}


def line(figures: Figures) -> str:
    """One line of progress, with the time that is left where there is a time budget."""
    campaign, spec = figures.campaign, figures.campaign.spec
    of_all = f" of {spec.seconds} s" if spec.seconds else " s"
    words = [
        f"{campaign.elapsed:5.0f}{of_all}",
        f"{campaign.schedules:>9,} schedules",
        f"{campaign.schedules / max(campaign.elapsed, 1e-3):>7,.0f}/s",
        f"{figures.features:>6,} features",
        f"{campaign.findings:>3} findings",
    ]
    if campaign.state is CampaignState.DRAINING:
        words.append(_draining(figures))
    elif campaign.state is not CampaignState.RUNNING:
        words.append(str(campaign.state))
    return "  ".join(words)


def _draining(figures: Figures) -> str:
    """What is still done with the findings, and for how long at most."""
    to_do = ", ".join(f"{number} to {kind}" for kind, number in sorted(figures.to_do.items()))
    seconds = figures.campaign.spec.seconds
    left = f", {max(0.0, seconds - figures.campaign.elapsed):.0f} s at most" if seconds else ""
    return f"no more fuzzing: {to_do or 'last results'}{left}"


def figures_table(figures: Figures) -> Table:
    """The figures as two columns."""
    rows = table("", "", fold="", head=False)
    for key, value in to_record(figures).items():
        if isinstance(value, dict):
            value = ", ".join(f"{number} {state}" for state, number in sorted(value.items()))
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        if text and value is not False:
            rows.add_row(WORDS.get(key, key.replace("_", " ")), plain(text))
    return rows


def show(figures: Figures, as_json: bool) -> None:
    """The figures, and what is wrong where nobody works for the campaign."""
    if as_json:
        emit(to_record(figures))
        return
    console().print(figures_table(figures))
    for hint in trouble(figures):
        console().print(hint, markup=False)


def trouble(figures: Figures) -> list[str]:
    """Lines that say that nobody works for a campaign, and what to type."""
    if not figures.untended:
        return []
    name, minutes = figures.campaign.name, figures.silent / 60
    return [
        f"nobody has worked for it for {minutes:.1f} min: its service is gone",
        f"next: {program()} campaign resume {name} --local   go on with it here",
        f"      {program()} campaign stop {name}             end it; what it found stays",
    ]


def summary(figures: Figures, found: list[Finding], database: str, as_json: bool) -> None:
    """What a campaign that ran here has found, and what to type next."""
    if as_json:
        emit(to_record(figures) | {"found": [_record(each) for each in found]})
        return
    out, campaign = console(), figures.campaign
    out.print(
        f"campaign {campaign.name} is {campaign.state} after {campaign.elapsed:.0f} s: "
        f"{campaign.schedules:,} schedules, {figures.features:,} features, {len(found)} findings"
    )
    if campaign.note:
        out.print(plain(campaign.note))
    for ended, number in sorted(figures.limits.items()):
        out.print(plain(f"{number} orders ended before their time: {ended}"))
    if not found:
        return
    rows = table("", "", "", "", fold="", head=False)
    for each in sorted(found, key=lambda each: (RANK.get(each.category, 3), each.id)):
        rows.add_row(f"#{each.id}", each.state, each.oracle, plain(each.verdict))
    out.print(rows)
    first = min(found, key=lambda each: (RANK.get(each.category, 3), each.id)).id
    out.print(f"next: {program()} replay {first}{database}", markup=False)
    out.print(f"      {program()} findings show {first}{database}", markup=False)


def _record(each: Finding) -> dict[str, object]:
    names = ("id", "engine", "oracle", "category", "signature", "verdict", "state", "minimised")
    return {name: getattr(each, name) for name in names}
