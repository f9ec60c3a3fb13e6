"""Telling people of new findings: seldom, together, and never not at all.

A finding is noted as told when its message was taken, so a message may come twice and is never
lost. Two brakes keep a campaign from flooding anybody: what comes together is told together, and
a channel gets so many messages an hour at most; what waits meanwhile goes into the next one.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.notices import note_told, told_lately, untold
from stage2fuzz.findings.store import Store
from stage2fuzz.web.records import WebRecord, finding_record

LISTED: Final = 20
"""Findings that a message names; the others it counts."""
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Message:
    """What one message says."""

    subject: str
    text: str
    findings: Sequence[WebRecord]
    more: int
    """Findings beyond those."""

    def to_record(self) -> dict[str, Any]:
        """For a webhook."""
        return {
            "event": "findings",
            "subject": self.subject,
            "text": self.text,
            "findings": list(self.findings),
            "more": self.more,
        }


class Courier(Protocol):
    """A way to somebody."""

    @property
    def channel(self) -> str:
        """Names it in the database, without its secrets."""

    @property
    def name(self) -> str:
        """Names it for people, without its secrets."""

    def send(self, message: Message) -> None:
        """Deliver it. InputError where it was not taken."""


@dataclass(frozen=True, slots=True)
class Brakes:
    """How much a channel gets of what."""

    most: int = 6
    """Messages an hour."""
    settle: float = 60.0
    """Seconds for which a finding waits for others, and to be confirmed and minimised."""
    categories: tuple[str, ...] = ()
    """All of them where none is named."""
    known: bool = False
    """Whether faults of the shipped list are told of."""


class Notifier:
    """Tells one channel what it does not know yet."""

    def __init__(self, store: Store, courier: Courier, brakes: Brakes, page: str, program: str):
        """``page`` is where people see findings, or empty; ``program`` how they type our name."""
        self._store, self._courier, self._brakes = store, courier, brakes
        self._page, self._program = page.rstrip("/"), program

    def tell(self) -> tuple[int, float]:
        """Send what waits as one message: (findings told, seconds until the brake lets go).

        InputError where the message was not taken, or the database does not answer: then all of it
        waits for the next time.
        """
        engine, brakes, channel = self._store.engine, self._brakes, self._courier.channel
        waiting = untold(engine, channel, brakes.settle, brakes.categories, brakes.known)
        if not waiting:
            return 0, 0.0
        sent, since = told_lately(engine, channel, HOUR)
        if sent >= brakes.most:
            return 0, max(1.0, HOUR - since)
        self._courier.send(self._message(waiting))
        note_told(engine, channel, [each.id for each in waiting], secrets.token_hex(8))
        return len(waiting), 0.0

    def _message(self, found: Sequence[Finding]) -> Message:
        shown, more = found[:LISTED], len(found[LISTED:])
        first = found[0]
        subject = f"stage2fuzz: {first.oracle} {first.rule} on {first.engine}"
        if len(found) > 1:
            oracles = sorted({each.oracle for each in found})
            subject = f"stage2fuzz: {len(found)} new findings ({' '.join(oracles)[:60]})"
        parts = [self._paragraph(each) for each in shown]
        if more:
            parts.append(f"{more} more: {self._program} findings list\n")
        records = [finding_record(each) for each in shown]
        return Message(subject, "\n".join(parts), records, more)

    def _paragraph(self, each: Finding) -> str:
        lines = [
            f"#{each.id} {each.oracle} {each.rule} ({each.category}), {each.state}",
            f"  {each.verdict}",
            f"  {each.engine}" + (f", build {each.build}" if each.build else ""),
            f"  {self._program} report {each.id}",
        ]
        if self._page:
            lines.append(f"  {self._page}/findings/{each.id}")
        return "\n".join(lines) + "\n"
