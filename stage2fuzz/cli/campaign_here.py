"""A campaign whose whole service runs here, for as long as the command does."""

import math
import time
from collections.abc import Callable
from typing import Final

from stage2fuzz.cli.campaign_view import done, line
from stage2fuzz.cli.interrupt import Interruption
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.service_here import ServiceHere
from stage2fuzz.findings import campaigns, leases
from stage2fuzz.findings.figures import CampaignFigures, figures_of
from stage2fuzz.findings.states import ENDED, CampaignState
from stage2fuzz.findings.store import Store

REFRESH_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 2.0
"""Between two looks at the state alone, where nobody watches the figures."""
LAST_SECONDS: Final = 0.2
"""Between two looks once the campaign's time is nearly up."""
HAND_IN_SECONDS: Final = 5.0
"""For the workers, which look every second whether their orders are still wanted."""


def run_here(store: Store, number: int, here: ServiceHere, quiet: bool) -> CampaignFigures:
    """Wait until the campaign ends, and end its service; the last figures.

    Ctrl-C and SIGTERM stop the campaign, and what it has found stays. It also ends where its
    orders fail one after the other: the campaign is stopped then and says why.
    """
    try:
        with here.interrupt.heard():
            figures = watch(store, number, here.parts.check, quiet)
    except Interruption:
        figures = figures_of(store.engine, number)
    if figures.campaign.state not in ENDED:
        note = figures.campaign.note or "interrupted"
        campaigns.stop(store.engine, number, note)
    _hand_in(store, number)
    here.parts.stop()
    return figures_of(store.engine, number)


def watch(store: Store, number: int, check: Callable[[], None], quiet: bool) -> CampaignFigures:
    """Show the figures until the campaign has ended or paused itself; the last ones."""
    with ProgressLine(quiet) as progress:
        while True:
            figures = figures_of(store.engine, number)
            state, note = figures.campaign.state, figures.campaign.note
            if state in ENDED or (state is CampaignState.PAUSED and note):
                return figures
            progress.update(line(figures), done(figures))
            check()
            ends = time.monotonic() + time_left(figures)
            time.sleep(pause(REFRESH_SECONDS, ends))
            while quiet and campaigns.state_of(store.engine, number) is state:
                check()
                time.sleep(pause(QUIET_SECONDS, ends))


def time_left(figures: CampaignFigures) -> float:
    """Seconds until a campaign's whole time is up; infinite where it has no such budget."""
    seconds = figures.campaign.spec.seconds
    return seconds - figures.campaign.elapsed if seconds else math.inf


def pause(seconds: float, ends: float) -> float:
    """How long to wait with the next look, so that the end is not seen late."""
    return max(LAST_SECONDS, min(seconds, ends - time.monotonic()))


def _hand_in(store: Store, number: int) -> None:
    """Wait a moment for workers to say what they did of orders that the end cut short."""
    end = time.monotonic() + HAND_IN_SECONDS
    while leases.to_hand_in(store.engine, number) and time.monotonic() < end:
        time.sleep(0.1)
