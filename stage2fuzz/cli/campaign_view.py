"""A campaign in words: a line while it works, a table on demand, a summary at its end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.program import program
from stage2fuzz.cli.tables import Table
from stage2fuzz.findings.figures import CampaignFigures, to_record
from stage2fuzz.findings.states import CampaignState, LeaseState
from stage2fuzz.service.orders import CUT_SHORT, NOT_BEGUN
from stage2fuzz.session.summary import Summary

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding

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
STATES: Final = {
    CampaignState.PAUSED: "no order is given out; those in work are finished and kept",
    CampaignState.DRAINING: "no more fuzzing; what was found is still confirmed and minimised",
}
"""What the states that don't explain themselves mean."""

BY_BUDGET: Final = (CUT_SHORT, NOT_BEGUN)
"""Ends of orders that nothing went wrong with; who stopped a campaign by hand is told."""


def line(figures: CampaignFigures) -> str:
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
    elif not campaign.elapsed:
        words.append("no worker yet: its time begins with the first")
    return "  ".join(words)


def _draining(figures: CampaignFigures) -> str:
    """What is still done with the findings, and for how long at most."""
    to_do = ", ".join(f"{number} to {kind}" for kind, number in sorted(figures.to_do.items()))
    seconds = figures.campaign.spec.seconds
    left = f", {max(0.0, seconds - figures.campaign.elapsed):.0f} s at most" if seconds else ""
    return f"no more fuzzing: {to_do or 'last results'}{left}"


def done(figures: CampaignFigures) -> float:
    """How much of the budget is used up, 0 to 1; 0 where there is none or nobody knows."""
    one, spec = figures.campaign, figures.campaign.spec
    if one.state is not CampaignState.RUNNING:
        return 0.0
    budgets = ((one.elapsed, spec.seconds), (one.schedules, spec.schedules))
    return max((min(1.0, used / budget) for used, budget in budgets if budget), default=0.0)


def show(figures: CampaignFigures, as_json: bool) -> None:
    """The figures, and what is wrong where nobody works for the campaign."""
    if as_json:
        emit(to_record(figures))
        return
    rows = Table("what", "figure", fold=True, head=False)
    for key, value in to_record(figures).items():
        if isinstance(value, dict):
            value = ", ".join(f"{number} {state}" for state, number in sorted(value.items()))
        text = f"{value:,}" if isinstance(value, int | float) else str(value)
        if text and value is not False:
            rows.add(WORDS.get(key, key.replace("_", " ")), text)
    rows.show()
    if note := STATES.get(figures.campaign.state):
        say(f"{figures.campaign.state}: {note}")
    for hint in trouble(figures):
        print(hint)


def trouble(figures: CampaignFigures) -> list[str]:
    """Lines that say that nobody works for a campaign, and what to type."""
    if not figures.untended:
        return []
    name, minutes = figures.campaign.name, figures.silent / 60
    return [
        f"nobody has worked for it for {minutes:.1f} min: its service is gone",
        f"next: {program()} campaign resume {name} --local   go on with it here",
        f"      {program()} campaign stop {name}             end it; what it found stays",
    ]


def summary_of(
    figures: CampaignFigures, found: "Sequence[Finding]", silent: Sequence[str] = ()
) -> Summary:
    """What a campaign did, in the words and with the exit code of a session.

    ``silent`` are the pairs of engine and target that had their turn and ran nothing.
    """
    campaign, spec = figures.campaign, figures.campaign.spec
    shortfalls = [
        f"{number} order{'s' * (number != 1)} ended before {'their' if number != 1 else 'its'} "
        f"time: {ended}"
        for ended, number in sorted(figures.limits.items())
        if ended not in BY_BUDGET
    ]
    shortfalls += [f"{pair} ran nothing" for pair in silent]
    if given_up := figures.leases.get(LeaseState.POISONED, 0):
        shortfalls.append(f"{given_up} order{'s' * (given_up != 1)} given up, see the log")
    if campaign.state is not CampaignState.DONE:
        why = f": {campaign.note}" if campaign.note else ""
        shortfalls.append(f"{campaign.state} after {campaign.elapsed:.0f} s{why}")
    return Summary(
        ", ".join(spec.engines),
        campaign.schedules,
        None,
        figures.features,
        campaign.fuzz_seconds,
        found,
        tuple(shortfalls),
    )
