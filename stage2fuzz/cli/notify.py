"""stage2fuzz notify: tell people of new findings by a webhook or a mail."""

import time
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
    from stage2fuzz.web.couriers import MailCourier, Webhook

MOST_WAIT: Final = 3600.0
"""Seconds between two tries while a server does not take anything."""


def notify(
    webhook: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_WEBHOOK", help="POST each message here, as JSON.")
    ] = "",
    secret: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_WEBHOOK_SECRET", help="Sign it; see its variable.")
    ] = "",
    mail: Annotated[list[str] | None, typer.Option(help="Mail to this address; again.")] = None,
    smtp: Annotated[
        str, typer.Option(envvar="STAGE2FUZZ_SMTP", help="smtp://, submission:// or smtps://HOST.")
    ] = "smtp://localhost",
    sender: Annotated[str, typer.Option(help="From whom mails are.")] = "stage2fuzz@localhost",
    page: Annotated[str, typer.Option(help="Where `serve` is reached, for links.")] = "",
    category: Annotated[
        list[str] | None, typer.Option(help="Only correctness, progress or economy; again.")
    ] = None,
    known: Annotated[
        bool, typer.Option("--known", help="Tell of faults on the shipped list, too.")
    ] = False,
    most: Annotated[int, typer.Option(help="Messages an hour.")] = 6,
    settle: Annotated[int, typer.Option(help="Seconds for which a finding waits for others.")] = 60,
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
        waits = dict.fromkeys((each.channel for each, _ in told), (0.0, 0.0))
        while True:
            failed: InputError | None = None
            for courier, notifier in told:
                due, wait = waits[courier.channel]
                if time.monotonic() < due:
                    continue
                try:
                    braked = _tell(courier.name, notifier.tell())
                    waits[courier.channel] = (time.monotonic() + braked, 0.0)
                except InputError as error:
                    if once:  # the others are told first
                        failed = failed or error
                        continue
                    wait = min(MOST_WAIT, max(float(every), 2 * wait))
                    complain(f"stage2fuzz: {error}; next try in {wait:.0f} s")
                    waits[courier.channel] = (time.monotonic() + wait, wait)
            if failed is not None:
                raise failed
            if once:
                return
            time.sleep(every)


def _couriers(
    webhook: str, secret: str, smtp: str, sender: str, mail: tuple[str, ...]
) -> "list[Webhook | MailCourier]":
    from stage2fuzz.web.couriers import MailCourier, Webhook

    couriers: list[Webhook | MailCourier] = []
    if webhook:
        couriers.append(Webhook(webhook, secret))
    couriers += [MailCourier(smtp, sender, to) for to in dict.fromkeys(mail)]
    if not couriers:
        raise InputError("notify", "nobody is to be told", "--webhook URL or --mail ADDRESS")
    return couriers


def _tell(name: str, done: tuple[int, float]) -> float:
    """Say what was done; for how long nothing more can be sent."""
    told, wait = done
    if told:
        say(f"told {name} of {told} finding{'s' * (told != 1)}")
    elif wait:
        say(f"{name} had its messages of this hour: the next in {wait:.0f} s")
    return wait
