"""A process that takes turns, and a turn's outcome even if the process does not live to tell it."""

import mmap
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.events import CRASH, Event
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.native.build import library as compiled_judge
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError, End
from stage2fuzz.process.life import stall_seconds
from stage2fuzz.studies.hunt.turn import FirstShowing, Turn, TurnResult, read_answer, to_question

SERVER: Final = "stage2fuzz.studies.hunt.turn_server"
TURN_SECONDS: Final = 300.0
"""A turn may take; the library itself ends an endless loop in less than one."""
ALONE_SECONDS: Final = 20.0
"""For one schedule of which a process may have died."""


class TurnProcess:
    """One child; after a crash the next turn gets a new one, since memory may be damaged."""

    def __init__(self, library: Path, server: str = SERVER) -> None:
        """``server`` is the module of the child, which knows how to run the ``library``."""
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            self._place = os.dup(file.fileno())
        self._running = mmap.mmap(self._place, mmap.PAGESIZE)
        arguments = (str(library), str(self._place), str(compiled_judge() or ""))
        self._child = Child(server, arguments, inherited=(self._place,))
        self.turn: Turn | None = None
        """The one that is being taken."""
        self._silence = stall_seconds()
        self._seen, self._moved = b"", 0.0
        self._told: set[str] = set()
        """Signatures whose first run the child has told; it tells each once."""

    def ask(self, turn: Turn) -> None:
        """Give out a turn; ``answer`` waits for it."""
        self.turn = turn
        self._seen, self._moved = b"", time.monotonic()
        self._child.send(to_question(turn))

    def stalls(self) -> bool:
        """Whether the turn is at the same schedule for so long that it hangs there."""
        if self.turn is None:
            return False
        now, at = time.monotonic(), self._running[:8]
        if at != self._seen:
            self._seen, self._moved = at, now
        return now > self._moved + self._silence

    def answer(self) -> TurnResult:
        """What the turn did; of one that stalls, at once."""
        turn = self.turn
        assert turn is not None
        hangs = self.stalls()
        self.turn = None
        done = self._answer(turn, 0.0 if hangs else TURN_SECONDS)
        if isinstance(done, End):
            done = self._last_words(turn)
        if done.crashed:
            self._renew()
        return done

    def fileno(self) -> int:
        """What ``select`` watches for an answer."""
        return self._child.fileno()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._child.close()
        self._running.close()
        os.close(self._place)

    def _last_words(self, turn: Turn) -> TurnResult:
        """What a turn did whose process is gone: the seed that was running is run alone.

        What the turn had seen before is lost. If the seed kills the new process too, there are no
        events but the death itself, and no schedule.
        """
        seed = int.from_bytes(self._running[:8], sys.byteorder)
        alone = Turn(turn.number, turn.scenario, seed, 1, 1, turn.rules)
        self._child.send(to_question(alone))
        done = self._answer(alone, min(ALONE_SECONDS, self._silence))
        if isinstance(done, End):
            violation = _death(done, turn)
            found = {violation.signature: FirstShowing(violation, None, 1)}
            done = TurnResult(crashed=True, seen={violation.signature: 1}, found=found)
        done.runs, done.died = max(1, seed - turn.seed + 1), True
        return done

    def _answer(self, turn: Turn, seconds: float) -> TurnResult | End:
        """The child's answer, or how it ended instead."""
        try:
            done = read_answer(self._child.receive(to_question(turn), seconds))
            if not done.seen.keys() <= self._told | done.found.keys():
                raise ValueError("signatures that were never told")
        except DiedError as died:
            self._told.clear()
            return died.end
        except (ValueError, KeyError, TypeError, InputError):
            return self._renew()  # an answer that makes no sense is none
        self._told |= done.found.keys()
        return done

    def _renew(self) -> End:
        """Another child, which has told nothing yet."""
        self._told.clear()
        return self._child.renew()


def _death(end: End, turn: Turn) -> Violation:
    """What a schedule did that no process lives to tell of."""
    if end.code < 0:
        event: Event = (CRASH, 0, 0, 0, 0, -end.code)
        (violation,) = judge([event], turn.rules, 1, 1)
        return violation
    verdict = f"The tree's code {end}, in place of a result."
    return Violation("CRASH", "no crash", Category.CORRECTNESS, verdict, (), "CRASH/no result")
