"""A process that takes turns on one version: compiled code in C, a model under our strategies."""

from typing import Final, Protocol

from stage2fuzz.check.version import Version
from stage2fuzz.errors import InputError
from stage2fuzz.hyp.build import HypLibrary
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.studies.hunt.turn import Turn, TurnResult, read_answer, to_question
from stage2fuzz.studies.hunt.turn_process import TURN_SECONDS, TurnProcess

SERVER: Final = "stage2fuzz.check.model_server"
EL2_SERVER: Final = "stage2fuzz.studies.hunt.el2_turn_server"


class Explorer(Protocol):
    """Takes one turn at a time; whoever made it closes it."""

    turn: Turn | None

    def ask(self, turn: Turn) -> None:
        """Give out a turn; ``answer`` waits for it."""

    def answer(self) -> TurnResult:
        """What the turn did."""

    def fileno(self) -> int:
        """What ``select`` watches for an answer."""

    def close(self) -> None:
        """End it, whatever it is doing."""


class ModelProcess:
    """An explorer of a revision of the model."""

    def __init__(self, engine: str) -> None:
        self._child = Child(SERVER, (engine,))
        self.turn: Turn | None = None

    def ask(self, turn: Turn) -> None:
        """Give out a turn."""
        self.turn = turn
        self._child.send(to_question(turn))

    def answer(self) -> TurnResult:
        """What the turn did; a process that died did one run of which nothing is known."""
        turn = self.turn
        assert turn is not None
        self.turn = None
        try:
            return read_answer(self._child.receive(to_question(turn), TURN_SECONDS))
        except DiedError:
            return TurnResult(runs=1, died=True)
        except (ValueError, KeyError, TypeError, InputError):
            self._child.renew()
            return TurnResult(runs=1, died=True)

    def fileno(self) -> int:
        """What ``select`` watches."""
        return self._child.fileno()

    def close(self) -> None:
        """End the child."""
        self._child.close()


def explorer_of(version: Version) -> Explorer:
    """A new process for a version that is built."""
    if isinstance(version.library, HypLibrary):
        return TurnProcess(version.library.path, EL2_SERVER)
    if version.library is not None:
        return TurnProcess(version.library.path)
    return ModelProcess(version.engine)
