"""stage2fuzz notify: tell people of new findings by a webhook or a mail."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stage2fuzz.cli.options import DEFAULT_DATABASE, MAX_SECONDS, Database, check_range
from stage2fuzz.cli.output import say
from stage2fuzz.cli.program import program
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.streams import complain
from stage2fuzz.errors import InputError
from stage2fuzz.oracles.violation import Category

if TYPE_CHECKING:
    from stage2fuzz.web.notifier import Notifier
    from stage2fuzz.web.punctual import PunctualCourier

MOST_WAIT: Final = 3600.0
"""Seconds between two tries while a server does not take anything."""


def notify(
    webhook: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_WEBHOOK", help="POST each message here, as JSON.")
    ] = "",
    secret: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_WEBHOOK_SECRET", help="Sign it; see its variable.")
    ] = "",
    mail: Annotated[
        list[str] | None,
        typer.Option(envvar="STAGE2FUZZ_MAIL", help="Mail to this address; again."),
    ] = None,
    smtp: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_SMTP", help="smtp://, submission:// or smtps://HOST.")
    ] = "smtp://localhost",
    sender: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_MAIL_SENDER", help="From whom mails are.")
    ] = "stage2fuzz@localhost",
    page: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_PAGE", help="Where `serve` is reached, for links.")
    ] = "",
    category: Annotated[
        list[str] | None,
        typer.Option(
            envvar="STAGE2FUZZ_NOTIFY_CATEGORY",
            help="Only correctness, progress or economy; again.",
        ),
    ] = None,
    known: Annotated[
        bool, typer.Option("--known", help="Tell of faults on the shipped list, too.")
    ] = False,
    most: Annotated[
        int, typer.Option(envvar="STAGE2FUZZ_NOTIFY_MOST", help="Messages an hour.")
    ] = 6,
    settle: Annotated[
        int,
        typer.Option(
            envvar="STAGE2FUZZ_NOTIFY_SETTLE", help="Seconds for which a finding waits for others."
        ),
    ] = 60,
    every: Annotated[int, typer.Option(help="Seconds between two looks.")] = 30,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, for cron.")] = False,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Tell people of new findings: by a webhook, by mail, seldom and together."""
    from stage2fuzz.web.notifier import Brakes, Notifier

    check_range("--most", most, 1, 1000)
    check_range("--settle", settle, 0, MAX_SECONDS)
    check_range("--every", every, 1, MAX_SECONDS)
    for each in category or ():
        if each not in list(Category):
            raise InputError("--category", f"no category {each[:40]!r}", ", ".join(Category))
    couriers = _couriers(webhook, secret, smtp, sender, tuple(mail or ()))
    brakes = Brakes(most, float(settle), tuple(category or ()), known)
    with open_store(database) as store:
        told = [(each, Notifier(store, each, brakes, page, program())) for each in couriers]
        if once:
            _tell_once(told)
            return
        troubles: SimpleQueue[BaseException] = SimpleQueue()
        for courier, notifier in told:
            parts = courier, notifier, every, troubles
            Thread(target=_keep_telling, args=parts, daemon=True).start()
        raise troubles.get()


def _tell_once(told: "Sequence[tuple[PunctualCourier, Notifier]]") -> None:
    """Tell all of them, side by side; InputError of the first that could not be, after that."""
    failed: InputError | None = None
    with ThreadPoolExecutor(len(told)) as pool:
        for name, done in [(each.name, pool.submit(notifier.tell)) for each, notifier in told]:
            try:
                _report(name, done.result())
            except InputError as error:
                failed = failed or error
    if failed is not None:
        raise failed


def _keep_telling(
    courier: "PunctualCourier",
    notifier: "Notifier",
    every: int,
    troubles: SimpleQueue[BaseException],
) -> None:
    """Tell one courier for ever; in a thread of its own, so that nobody waits for another's."""
    wait = 0.0
    try:
        while True:
            try:
                pause, wait = max(float(every), _report(courier.name, notifier.tell())), 0.0
            except InputError as error:
                pause = wait = min(MOST_WAIT, max(float(every), 2 * wait))
                complain(f"stage2fuzz: {error}; next try in {wait:.0f} s")
            time.sleep(pause)
    except BaseException as trouble:
        troubles.put(trouble)


def _couriers(
    webhook: str, secret: str, smtp: str, sender: str, mail: tuple[str, ...]
) -> "list[PunctualCourier]":
    from stage2fuzz.web.couriers import MailCourier, Webhook
    from stage2fuzz.web.punctual import PunctualCourier

    couriers: list[PunctualCourier] = []
    if webhook:
        couriers.append(PunctualCourier(Webhook(webhook, secret)))
    mails = dict.fromkeys(mail)
    couriers += [PunctualCourier(MailCourier(smtp, sender, to)) for to in mails]
    if not couriers:
        raise InputError("notify", "nobody is to be told", "--webhook URL or --mail ADDRESS")
    return couriers


def _report(name: str, done: tuple[int, float]) -> float:
    """Say what was done; for how long nothing more can be sent."""
    told, wait = done
    if told:
        say(f"told {name} of {told} finding{'s' * (told != 1)}")
    elif wait:
        say(f"{name} had its messages of this hour: the next in {wait:.0f} s")
    return wait
