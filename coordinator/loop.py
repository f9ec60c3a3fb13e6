"""The loop: the coordinator's only input and output.

A tick opens one campaign's books, merges what workers handed in, plans what is needed next and
closes the books: one transaction. Only then are messages sent, and a message that gets lost is
sent again by a later tick. So the coordinator may be killed anywhere, and two of them get in each
other's way without doing harm.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stage2fuzz.case.text import parse
from stage2fuzz.coordinator.merge import Candidate, merge, superfluous
from stage2fuzz.coordinator.plan import (
    CampaignView,
    FindingProgress,
    Stream,
    overdue,
    plan,
    spent,
)
from stage2fuzz.errors import InputError
from stage2fuzz.findings import announcements, books, campaigns
from stage2fuzz.findings.books import Books, Report
from stage2fuzz.findings.corpus import Corpus, CorpusInput, StreamKey
from stage2fuzz.findings.leases import LEASE_SECONDS
from stage2fuzz.findings.outage import OutageError, RefusalError, one_line
from stage2fuzz.findings.real import RealCounts
from stage2fuzz.findings.states import OPEN, CampaignState, InputState, LeaseState, State
from stage2fuzz.findings.store import Store
from stage2fuzz.service.orders import (
    ConfirmOrder,
    ConfirmResult,
    Failure,
    FuzzOrder,
    FuzzResult,
    MinimiseOrder,
    MinimiseResult,
    PruneOrder,
    PruneResult,
    RealOrder,
    RealResult,
    RegressOrder,
    RegressResult,
)

LOG: Final = logging.getLogger("stage2fuzz.coordinator")
TICK_SECONDS: Final = 0.5
LONGEST_PAUSE: Final = 2.0
"""Seconds between two ticks while nothing is to be announced: a tick costs as much as fifty
schedules, and each slot has a second order waiting."""
PAUSE_SHARE: Final = 0.2
"""Of the time since something was announced: who has waited for long can wait a little longer."""
ANNOUNCE_LIMIT: Final = 1000
MAX_FAILURES: Final = 10
"""Orders that may fail for good one after the other before the campaign is paused."""
PRUNE_EVERY: Final = 200
"""Fuzz orders between two prunings of the corpus."""

Send = Callable[[str, int, int], None]
"""Sends a wake-up: (kind, campaign, lease). Raises OSError where the broker is away."""


@dataclass(slots=True)
class _Tally:
    """What one tick adds to a campaign."""

    schedules: int
    fuzz_seconds: float
    failures: int
    note: str = ""


def tick(store: Store, number: int, lease: float = LEASE_SECONDS) -> bool:
    """One step of one campaign; False where it is not active any more."""
    with books.opened(store.engine, number) as book:
        if book is None:
            return False
        book.sweep(lease)
        slots = book.slots()
        elapsed = book.clock(slots > 0)
        tally = _Tally(book.campaign.schedules, book.campaign.fuzz_seconds, book.campaign.failures)
        suspects = _merge_reports(store, book, tally)
        _merge_corpus(book.corpus)
        planned = _plan(book, _view(book, slots, elapsed, tally, suspects), tally)
        if planned // PRUNE_EVERY > book.campaign.planned // PRUNE_EVERY:
            _prune_corpus(book.corpus)
    return True


def announce(store: Store, number: int, send: Send, again: float = LEASE_SECONDS) -> int:
    """Send a message for each lease that waits without one; how many were sent.

    A message that is older than ``again`` seconds may have been lost: the next one is due.
    """
    waiting = announcements.unannounced(store.engine, number, again, ANNOUNCE_LIMIT)
    sent: list[int] = []
    try:
        for lease, kind in waiting:
            send(kind, number, lease)
            sent.append(lease)
    except OSError as error:
        LOG.warning("the broker is away: %s", error)
    announcements.announced(store.engine, sent)
    return len(sent)


def run(
    store: Store,
    send: Send,
    stopped: Callable[[], bool],
    show: Callable[[], None],
    lease: float = LEASE_SECONDS,
    service: str = "",
) -> None:
    """Tick every active campaign of ``service`` until ``stopped``; wait for a lost database."""
    busy = time.monotonic()
    while not stopped():
        begun = time.monotonic()
        try:
            for number in campaigns.active(store.engine, service):
                if _step(store, number, send, lease):
                    busy = begun
            show()
        except OutageError as error:
            LOG.warning("the database is away: %s", one_line(error))
        pause = min(max(TICK_SECONDS, PAUSE_SHARE * (begun - busy)), LONGEST_PAUSE)
        time.sleep(max(0.05, pause - (time.monotonic() - begun)))


def _step(store: Store, number: int, send: Send, lease: float) -> bool:
    """Tick and announce one campaign; whether there was something to announce.

    What goes wrong with it stops no other campaign.

    Raises Trouble where the database is away. Anything else would come back at the next tick, so
    the campaign is paused and says why.
    """
    try:
        tick(store, number, lease)
        return announce(store, number, send, lease) > 0
    except OutageError:
        raise
    except Exception as error:
        LOG.exception("campaign %d is paused: its record can't be worked on", number)
        campaigns.set_aside(store.engine, number, f"the coordinator failed: {one_line(error)}")
        return False


def _merge_reports(store: Store, book: Books, tally: _Tally) -> dict[StreamKey, tuple[str, ...]]:
    """Count each result once; returns the seeds of orders that killed their workers."""
    suspects: dict[StreamKey, tuple[str, ...]] = {}
    reports = book.reports()
    for report in reports:
        failure = _merge_or_fail(store, book, report, tally)
        if failure is None:
            tally.failures = 0
            continue
        tally.failures += 1
        tally.note = f"order {report.lease} failed: {failure.what}"
        LOG.error("%s", tally.note)
        if isinstance(report.order, FuzzOrder) and report.order.seeds:
            stream = (report.order.engine, report.order.target)
            suspects[stream] = report.order.seeds
    book.merged(reports)
    return suspects


def _merge_or_fail(store: Store, book: Books, report: Report, tally: _Tally) -> Failure | None:
    """Merge one result; a failure where there is none or it can't be put where it belongs.

    A result that is refused leaves nothing behind: it is merged in a savepoint of its own.
    """
    result = report.result
    if isinstance(result, Failure):
        return result
    if isinstance(result, FuzzResult) and not result.schedules and not result.killers:
        return Failure.because(f"it ran no schedule (it ended with: {result.ended})")
    try:
        with book.connection.begin_nested():
            _merge_report(store, book, report, tally)
    except OutageError:
        raise
    except (InputError, RefusalError) as error:
        return Failure.because(f"its result is refused: {one_line(error)}")
    return None


def _merge_report(store: Store, book: Books, report: Report, tally: _Tally) -> None:
    """Put one result where it belongs."""
    within = book.connection
    match report.order, report.result:
        case FuzzOrder() as order, FuzzResult() as result:
            book.corpus.mark((order.engine, order.target), result.killers, InputState.KILLER)
            tally.schedules += result.schedules
            tally.fuzz_seconds += result.seconds
        case PruneOrder() as order, PruneResult() as result:
            book.corpus.mark((order.engine, order.target), result.killers, InputState.KILLER)
        case ConfirmOrder() as order, ConfirmResult() as result:
            if not result.same_events:
                LOG.error("finding %d: its events differ from run to run", order.finding)
            store.confirm(order.finding, result.hits, result.attempts, within, result.build)
            book.keep_log(order.finding, result.log, result.build)
        case MinimiseOrder() as order, MinimiseResult() as result:
            smaller = parse(result.case, f"finding {order.finding}")
            store.attach_minimised(order.finding, smaller, within)
        case RegressOrder() as order, RegressResult() as result:
            engines, shown = order.engines, result.present
            store.regressed(order.finding, engines, shown, result.absent, within)
        case RealOrder() as order, RealResult() as result:
            if result.answer:
                counts = (result.confirmed, result.refuted, result.missed)
                answer = RealCounts(result.kernel, result.answer, *counts)
                store.tried_on_real(order.finding, answer, within)
            else:
                LOG.info("finding %d and a real kernel: %s", order.finding, result.why)
        case _:
            raise InputError("result", "answers another kind of order")


def _merge_corpus(corpus: Corpus) -> None:
    """Keep the new inputs that add a feature."""
    for stream, entries in corpus.inputs(InputState.NEW).items():
        known = corpus.known(stream)
        merged = merge(known, _candidates(entries))
        corpus.mark(stream, merged.kept, InputState.KEPT)
        corpus.mark(stream, merged.dropped, InputState.DROPPED)
        if merged.known != known:
            corpus.cover(stream, merged.known)


def _prune_corpus(corpus: Corpus) -> None:
    """Leave out the inputs whose features others show as well."""
    for stream, entries in corpus.inputs(InputState.KEPT).items():
        corpus.mark(stream, superfluous(_candidates(entries)), InputState.DROPPED)


def _candidates(entries: Sequence[CorpusInput]) -> list[Candidate]:
    return [Candidate(each.digest, each.size, each.features) for each in entries]


def _view(
    book: Books,
    slots: int,
    elapsed: float,
    tally: _Tally,
    suspects: dict[StreamKey, tuple[str, ...]],
) -> CampaignView:
    """What is on record about the campaign, for the planner."""
    kept = book.corpus.kept()
    waiting = tuple(
        FindingProgress(
            each.id,
            each.signature,
            each.reproducer,
            each.build,
            confirmed=each.state != State.NEW,
            minimised=bool(each.minimised),
            regressed=bool(each.regressions),
            tried=bool(each.real),
        )
        for each in book.findings()
    )
    return CampaignView(
        spec=book.campaign.spec,
        planned=book.campaign.planned,
        elapsed=elapsed,
        schedules=tally.schedules,
        findings=len(waiting),
        open_orders=book.open_orders(),
        slots=slots,
        real=bool(book.campaign.spec.real) and book.has_real_kernel(),
        draining=book.campaign.state == CampaignState.DRAINING,
        labels=book.labels(),
        streams=tuple(
            Stream(*stream, kept.get(stream, ()), suspects.get(stream, ()))
            for stream in sorted(kept.keys() | suspects.keys())
        ),
        waiting=waiting,
    )


def _plan(book: Books, view: CampaignView, tally: _Tally) -> int:
    """Add the orders that are needed, and move the campaign on; fuzz orders planned so far."""
    campaign = book.campaign
    orders = plan(view)
    book.add(orders)
    book.take_sample(view.elapsed, tally.schedules, view.findings)
    state, note = _next_state(view, len(orders), tally)
    if state is CampaignState.DONE:
        cut_short = book.cancel(OPEN)
        note = note or (time_is_up(view, cut_short) if overdue(view) else "")
    elif state is CampaignState.DRAINING:
        book.cancel((LeaseState.READY,), "fuzz")
    if state != campaign.state:
        LOG.info("campaign %s: %s %s", campaign.name, state, note)
    planned = campaign.planned + sum(isinstance(each, FuzzOrder) for each in orders.values())
    book.write(
        planned=planned,
        schedules=tally.schedules,
        fuzz_seconds=tally.fuzz_seconds,
        findings=view.findings,
        failures=tally.failures,
        state=state,
        note=note or campaign.note,
    )
    return planned


def time_is_up(view: CampaignView, cut_short: int) -> str:
    """What a campaign whose whole time is up leaves undone, in words; empty where nothing is."""
    undone = {
        "orders cut short": cut_short,
        "findings not confirmed": sum(not each.confirmed for each in view.waiting),
        "findings not minimised": sum(not each.minimised for each in view.waiting),
    }
    words = ", ".join(f"{number} {what}" for what, number in undone.items() if number)
    return f"time is up: {words}" if words else ""


def _next_state(view: CampaignView, added: int, tally: _Tally) -> tuple[CampaignState, str]:
    """Where the campaign goes from here, and why."""
    if overdue(view) or (view.draining and not view.open_orders and not added):
        return CampaignState.DONE, ""
    if tally.failures >= MAX_FAILURES:
        return CampaignState.PAUSED, tally.note
    if view.draining or spent(view):
        return CampaignState.DRAINING, ""
    return CampaignState.RUNNING, ""
