"""End: how a confined process ended, in four words that results store and people read."""

import signal
from dataclasses import dataclass
from enum import StrEnum


class How(StrEnum):
    """The kinds of ends."""

    OK = "ok"
    """It exited with code 0, whether or not it did what it was asked to."""
    CRASH = "crash"
    """It exited with another code, or died of a signal."""
    TIMEOUT = "timeout"
    """It was ended because its time was up."""
    EARLY = "early"
    """It exited with code 0, but before the time for which it was to work."""
    STARVED = "starved"
    """It lacked memory, files or another thing of the system, and said so."""
    OUTPUT = "output"
    """It was ended because it wrote too much."""


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended, and its exit code; of a signal, its number made negative."""

    how: How
    code: int

    @staticmethod
    def of(code: int) -> "End":
        """The end of a process that nobody ended."""
        return End(How.CRASH if code else How.OK, code)

    def __str__(self) -> str:
        """In words, to follow "the process"."""
        if self.how is How.TIMEOUT:
            return "did not end in its time"
        if self.how is How.STARVED:
            return "could not go on"
        if self.how is How.OUTPUT:
            return "wrote more than it may"
        if self.code == -signal.SIGXCPU:
            return "used up its CPU time"
        if self.code < 0:
            names = {int(each): each.name for each in signal.Signals}
            return f"died of {names.get(-self.code, f'signal {-self.code}')}"
        return f"ended by itself with exit code {self.code}"


class DiedError(RuntimeError):
    """A process did not live to answer, or answered what nobody understands."""

    def __init__(self, what: str, end: End, last_words: str = "") -> None:
        """``what`` it was to do; ``last_words`` is the last line it printed, for a person."""
        said = f": {last_words}" if last_words else ""
        super().__init__(f"{what}: the process {end}{said}")
        self.end = end
