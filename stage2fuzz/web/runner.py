"""The process that runs cases for the page: one at a time, confined, kept until it dies or a tree
is edited.

The server runs no case itself: whoever asks for a page must not be able to take it down, and an
engine belongs to one thread, which a page has not.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.run import Outcome
from stage2fuzz.session.apart import RUN_SECONDS, read_outcome
from stage2fuzz.session.case_asker import CaseAsker
from stage2fuzz.source import SourceLine
from stage2fuzz.web.excerpt import edition_of

COVER_SECONDS: Final = 300.0
"""For the lines of some hundred cases, the build of their tree included."""


class Runner:
    """Runs cases for many threads."""

    def __init__(self) -> None:
        self._asker, self._lock = CaseAsker(), Lock()
        self._coverer, self._covering = CaseAsker(), Lock()
        self._editions: dict[str, str] = {}
        """What each engine's tree held when the process opened it."""

    def run(self, case: Case) -> Outcome:
        """What a case does on its engine as it is now. Raises DiedError where the process does not
        live to tell.
        """
        with self._lock:
            edition = edition_of(case.engine)
            if self._editions.setdefault(case.engine, edition) != edition:
                self._asker.renew()
                self._editions = {case.engine: edition}
            outcome = self._asker.ask("run", case, RUN_SECONDS, read_outcome)
            if outcome.ended == "crash":
                self._asker.renew()  # its memory may be damaged
            return outcome

    def lines_run(
        self, engine: str, cases: Sequence[str]
    ) -> tuple[int, list[tuple[SourceLine, bool]]]:
        """Which lines of the engine's tree these cases run. Raises DiedError as ``run`` does.

        In a process of its own: it may take minutes, for which no other page has to wait, and what
        the cases did to its memory ends with it.
        """
        with self._covering:
            try:
                return self._coverer.lines_run(engine, cases, COVER_SECONDS)
            finally:
                self._coverer.renew()

    def close(self) -> None:
        """End the processes."""
        self._asker.close()
        self._coverer.close()
