"""Intake: what a session does with each fault that is reported to it.

Whoever reports ran the case; running it again from its text, in a confined process, is a
reproduction from scratch. A fault that does not show again is our own bug and is told as one. What
crashes an engine's code ends that process and not this one, which holds the findings.
"""

import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import parse
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import Outbox
from stage2fuzz.known import known_of
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.end import DiedError, End
from stage2fuzz.process.limits import Limits
from stage2fuzz.session.case_asker import CaseAsker
from stage2fuzz.session.killers import killers

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding
    from stage2fuzz.findings.store import Store

RUN_SECONDS: Final = 60.0
"""For one case in the confined process, which may have to build its engine first."""
MINIMISE_SECONDS: Final = 30.0
LEAST_GRACE: Final = 30.0
GRACE: Final = 0.1
"""Of a session's seconds: how much longer it minimises what it has found by its end."""


class Intake:
    """The findings of one session, recorded in ``store``, confirmed, and minimised one by one."""

    def __init__(self, store: "Store", limits: Limits | None = None) -> None:
        """``limits`` bound the process that confirms and minimises."""
        self.store = store
        self.findings: dict[int, str] = {}
        """Finding number -> verdict, in the order in which they came."""
        self.to_minimise: deque[int] = deque()
        """News before what is a known fault of its kernel."""
        self._news = 0
        self._until = math.inf
        self.failures: list[str] = []
        """Processes that ended badly, findings that do not reproduce: our own bugs."""
        self.left_as_found = 0
        """Findings that nobody minimised, since the time was over."""
        self.stopping = False
        """Asked to end: no more is begun, what is there is kept."""
        self._asker = CaseAsker(limits=limits)

    def close(self) -> None:
        """End the confined process."""
        self._asker.close()

    def take(self, case: Case, violation: Violation) -> int | None:
        """Run a reported case from scratch and record it; its number, None if nothing showed.

        InputError where the tree has changed since the case was made.
        """
        try:
            judged = self._asker.judge(case, RUN_SECONDS)
        except DiedError:
            return self.keep(case, violation)
        if case.build not in ("", judged.case.build):
            what = f"the tree changed meanwhile: build {case.build}, now {judged.case.build}"
            raise InputError(case.engine, what, "start again")
        same = [each for each in judged.violations if each.signature == violation.signature]
        if not same:
            self.failures.append(f"does not reproduce: {violation.signature}")
            return None
        known = len(self.findings)
        number = self._record(judged.case, same[0], judged.log)
        self.store.confirm(number, hits=1, attempts=1, build=judged.case.build)
        if len(self.findings) > known and not self.store.get(number).minimised:
            self._line_up(number, bool(known_of(judged.case.engine, same[0].cause)))
        return number

    def end_by(self, seconds: float, left: float = 0) -> None:
        """The session of ``seconds`` is over in ``left``: what is not minimised soon after that is
        left as found.

        Whoever gave it a time has other plans after it; a replay minimises a case at leisure.
        """
        self._until = time.monotonic() + left + max(LEAST_GRACE, GRACE * seconds)

    def keep(self, case: Case, violation: Violation) -> int:
        """Record what took its process down: no events, no schedule, nothing to run again."""
        return self._record(case, violation, "")

    def killers(
        self, outbox: Outbox, end: End, engine: str, target: str
    ) -> Sequence[tuple[str, bytes]]:
        """The inputs that ended the process that wrote ``outbox``."""
        return killers(outbox, outbox.folder, end, self._asker, engine, target)

    def minimise_one(self) -> int | None:
        """Minimise the oldest finding that waits for it; its number, or None if none waits."""
        if not self.to_minimise:
            return None
        left = min(MINIMISE_SECONDS, self._until - time.monotonic())
        if left <= 0:
            self.left_as_found += len(self.to_minimise)
            self.to_minimise.clear()
            return None
        number = self.to_minimise.popleft()
        self._news = max(0, self._news - 1)
        with suppress(DiedError):  # then the case stays as it was found
            self._minimise(self.store.get(number), left)
        return number

    def _line_up(self, number: int, known: bool) -> None:
        self.to_minimise.insert(len(self.to_minimise) if known else self._news, number)
        self._news += not known

    def _minimise(self, finding: "Finding", seconds: float) -> None:
        """Keep a smaller case if a clean process sees the same fault in it. Raises DiedError."""
        case, signature = parse(finding.case_text, f"finding {finding.id}"), finding.signature
        smaller = self._asker.minimise(case, signature, seconds, RUN_SECONDS).case
        if finding.oracle == "CRASH":
            self._asker.renew()  # after so many crashes nothing that it says is sure
            if signature not in self._asker.judge(smaller, RUN_SECONDS).signatures:
                return
        self.store.attach_minimised(finding.id, smaller)

    def _record(self, case: Case, violation: Violation, events: str) -> int:
        number = self.store.record(case, violation, events).number
        self.findings.setdefault(number, violation.verdict)
        return number
