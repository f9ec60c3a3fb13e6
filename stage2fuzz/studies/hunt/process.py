"""A process that takes turns, and a turn's outcome even if the process does not live to tell it."""

from pathlib import Path
from typing import Final

from stage2fuzz.errors import ModelError
from stage2fuzz.events import CRASH, Event
from stage2fuzz.oracles.judge import judge
from stage2fuzz.process.native_child import Child, Death
from stage2fuzz.studies.hunt.turn import Done, Found, Turn

CHILD: Final = "stage2fuzz.studies.hunt.child"


class Process:
    """One child; after a crash the next turn gets a new one, since memory may be damaged."""

    def __init__(self, library: Path) -> None:
        self._child = Child(library, CHILD)
        self.turn: Turn | None = None
        """The one that is being taken."""

    def ask(self, turn: Turn) -> None:
        """Give out a turn; ``answer`` waits for it."""
        self.turn = turn
        self._child.ask(turn)

    def answer(self) -> Done:
        """What the turn did."""
        turn = self.turn
        assert turn is not None
        self.turn = None
        answer = self._answer()
        done = self._last_words(turn, answer) if isinstance(answer, Death) else answer
        if done.crashed:
            self._child.renew()
        return done

    def fileno(self) -> int:
        """What ``select`` watches for an answer."""
        return self._child.fileno()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._child.close()

    def _last_words(self, turn: Turn, death: Death) -> Done:
        """What a turn did whose process is gone: the seed that was running is run alone.

        What the turn had seen before is lost. If the seed kills the new process too, there are no
        events but the death itself, and no schedule.
        """
        self._child.ask(Turn(turn.number, turn.scenario, death.seed, 1, 1, turn.rules))
        answer = self._answer()
        if isinstance(answer, Death):
            event: Event = (CRASH, 0, 0, 0, 0, answer.signal)
            (violation,) = judge([event], turn.rules, 1, 1)
            found = {violation.signature: Found(violation, None, 1)}
            answer = Done(crashed=True, seen={violation.signature: 1}, found=found)
        answer.runs, answer.died = death.seed - turn.seed + 1, True
        return answer

    def _answer(self) -> Done | Death:
        """The child's answer; one that ended of itself instead has told our own bug on stderr."""
        answer = self._child.answer()
        if isinstance(answer, Death) and not answer.signal:
            raise ModelError("a child ended without an answer")
        if not isinstance(answer, Done | Death):
            raise ModelError(f"a child answered {answer!r}")
        return answer
