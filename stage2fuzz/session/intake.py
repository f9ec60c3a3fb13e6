"""Intake: what a session does with each fault that is reported to it.

Whoever reports ran the case; running it again from its text, in a process apart, is a reproduction
from scratch. A fault that does not show again is our own bug and is told as one. What crashes an
engine's code ends that process and not this one, which holds the findings.
"""

from collections import deque
from contextlib import suppress
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import parse
from stage2fuzz.errors import InputError
from stage2fuzz.findings import Store
from stage2fuzz.findings.models import Finding
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.process.apart import Apart, DiedError
from stage2fuzz.report import event_log
from stage2fuzz.run import Outcome, run
from stage2fuzz.session.reproduce import BUDGET, minimise_finding, signatures

RUN_SECONDS: Final = 60.0
"""For one case in the process apart, which may have to build its engine first."""
MINIMISE_SECONDS: Final = 30.0


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
        self._apart = Apart()

    def close(self) -> None:
        """End the process apart."""
        self._apart.renew()

    def take(self, case: Case, violation: Violation) -> int | None:
        """Run a reported case from scratch and record it; its number, None if nothing showed.

        InputError where the tree has changed since the case was made.
        """
        try:
            outcome = self._run(case)
        except DiedError:
            return self.keep(case, violation)
        if case.build not in ("", outcome.case.build):
            what = f"the tree changed meanwhile: build {case.build}, now {outcome.case.build}"
            raise InputError(case.engine, what, "start again")
        same = [each for each in outcome.violations if each.signature == violation.signature]
        if not same:
            self.failures.append(f"does not reproduce: {violation.signature}")
            return None
        known = len(self.findings)
        number = self._record(outcome.case, same[0], event_log(outcome.events))
        self.store.confirm(number, hits=1, attempts=1, build=outcome.case.build)
        if len(self.findings) > known and not self.store.get(number).minimised:
            self.to_minimise.append(number)
        return number

    def keep(self, case: Case, violation: Violation) -> int:
        """Record what took its process down: no events, no schedule, nothing to run again."""
        return self._record(case, violation, "")

    def minimise_one(self) -> int | None:
        """Minimise the oldest finding that waits for it; its number, or None if none waits."""
        if not self.to_minimise:
            return None
        number = self.to_minimise.popleft()
        with suppress(DiedError):  # then the case stays as it was found
            self._minimise(self.store.get(number))
        return number

    def _minimise(self, finding: Finding) -> None:
        """Raises DiedError."""
        case, signature = parse(finding.case_text, f"finding {finding.id}"), finding.signature
        patience = RUN_SECONDS + MINIMISE_SECONDS
        asked = (case, signature, BUDGET, MINIMISE_SECONDS)
        smaller = self._apart.ask(patience, minimise_finding, *asked).case
        if finding.oracle == "CRASH":
            self._apart.renew()  # after so many crashes nothing that it says is sure
            if signature not in signatures(self._run(smaller)):
                return
        self.store.attach_minimised(finding.id, smaller)

    def _run(self, case: Case) -> Outcome:
        """Run a case in the process apart, which is not used again after a crash."""
        outcome = self._apart.ask(RUN_SECONDS, run, case)
        if outcome.ended == "crash":
            self._apart.renew()
        return outcome

    def _record(self, case: Case, violation: Violation, events: str) -> int:
        number = self.store.record(case, violation, events).number
        self.findings.setdefault(number, violation.verdict)
        return number
