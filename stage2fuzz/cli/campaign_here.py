"""A campaign whose whole service runs here, for as long as the command does."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from stage2fuzz.cli.campaign_view import done, line
from stage2fuzz.cli.interrupt import on_signals
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.findings import campaigns, leases
from stage2fuzz.findings.figures import CampaignFigures, figures_of
from stage2fuzz.findings.states import ENDED, CampaignState
from stage2fuzz.findings.store import Store
from stage2fuzz.service.local import running

REFRESH_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 2.0
"""Between two looks at the state alone, where nobody watches the figures."""
LAST_SECONDS: Final = 0.2
"""Between two looks once the campaign's time is nearly up."""
HAND_IN_SECONDS: Final = 5.0
"""For the workers, which look every second whether their orders are still wanted."""


class Interruption(Exception):  # noqa: N818 - it is no error
    """A person, or who runs the command, wants it to end."""


class Interrupt:
    """A request to end, which waits where it would leave a service half started or half ended."""

    def __init__(self) -> None:
        self._asked = self._heard = False

    def __call__(self) -> None:
        """Somebody asks. Raises Interruption where that is heard."""
        self._asked = True
        if self._heard:
            raise Interruption

    @contextmanager
    def heard(self) -> Iterator[None]:
        """A block that a request ends, also one from before."""
        self._heard = True
        try:
            if self._asked:
                raise Interruption
            yield
        finally:
            self._heard = False


def run_here(store: Store, number: int, service: str, workers: int, quiet: bool) -> CampaignFigures:
    """Run the service ``service`` until the campaign ends; its last figures.

    Ctrl-C and SIGTERM stop the campaign, and what it has found stays. It also ends where its
    orders fail one after the other: the campaign is stopped then and says why.
    """
    interrupt = Interrupt()
    with (
        on_signals(signal.SIGINT, signal.SIGTERM, act=interrupt, once=True),
        running(campaigns.address(store.engine), workers, service) as parts,
    ):
        try:
            with interrupt.heard():
                figures = watch(store, number, parts.check, quiet)
        except Interruption:
            figures = figures_of(store.engine, number)
        if figures.campaign.state not in ENDED:
            note = figures.campaign.note or "interrupted"
            campaigns.stop(store.engine, number, note)
        _hand_in(store, number)
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
