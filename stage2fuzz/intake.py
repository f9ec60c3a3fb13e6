"""Intake: what a session does with each fault that is reported to it.

Whoever reports ran the case; running it again here from its text is a reproduction from scratch.
A fault that does not show again is our own bug and is told as one.
"""

from collections import deque

from stage2fuzz.case import Case
from stage2fuzz.casetext import parse
from stage2fuzz.findings import Store
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report import event_log
from stage2fuzz.reproduce import minimise_finding
from stage2fuzz.run import run


class Intake:
    """The findings of one session, recorded in ``store``, confirmed, and minimised one by one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.findings: dict[int, str] = {}
        """Finding number -> verdict, in the order in which they came."""
        self.to_minimise: deque[int] = deque()
        self.failures: list[str] = []
        """Processes that ended badly, findings that do not reproduce: our own bugs."""
        self.stopping = False
        """Asked to end: no more is begun, what is there is kept."""

    def take(self, case: Case, signature: str) -> int | None:
        """Run a reported case from scratch and record it; its number, None if nothing showed."""
        outcome = run(case)
        same = [v for v in outcome.violations if v.signature == signature]
        if not same:
            self.failures.append(f"does not reproduce: {signature}")
            return None
        number = self._record(case, same[0], event_log(outcome.events), hits=1)
        if number not in self.to_minimise and not self.store.get(number).minimised:
            self.to_minimise.append(number)
        return number

    def keep(self, case: Case, violation: Violation) -> int:
        """Record what took its process down: no events, no schedule, nothing to run again."""
        return self._record(case, violation, "", hits=0)

    def minimise_one(self) -> int | None:
        """Minimise the oldest finding that waits for it; its number, or None if none waits."""
        if not self.to_minimise:
            return None
        number = self.to_minimise.popleft()
        finding = self.store.get(number)
        case = parse(finding.case_text, f"finding {number}")
        self.store.attach_minimised(number, minimise_finding(case, finding.signature).case)
        return number

    def _record(self, case: Case, violation: Violation, events: str, hits: int) -> int:
        number = self.store.record(case, violation, events).number
        self.store.confirm(number, hits, attempts=1)
        self.findings.setdefault(number, violation.verdict)
        return number
