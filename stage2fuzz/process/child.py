"""The asking end of the protocol: a confined Python process that answers, and may be lost.

Whoever keeps the findings runs no compiled kernel code itself: a wild store in it may hit what the
keeper holds, and nobody would notice. A child that dies is replaced at the next question.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.end import DiedError, End, How
from stage2fuzz.process.frames import ALIVE, Frame, Frames, to_bytes
from stage2fuzz.process.life import stall_seconds
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import POLL_SECONDS, Watch, last_words, nothing

TRACEBACK_LINES: Final = 60


class Child:
    """A process that runs ``module``, which serves; it starts with the first question."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        limits: Limits | None = None,
        folder: Path | None = None,
        more: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        """``folder`` is its home, one of its own by default; ``more`` joins its environment."""
        self._program = (sys.executable, "-m", module, *arguments)
        self._limits, self._more, self._inherited = limits or Limits(), more, tuple(inherited)
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="stage2fuzz-child-")
        self._folder = folder or Path(self._own.name if self._own else "")
        self._confined: ConfinedProcess | None = None
        self._frames: Frames | None = None

    def ask(
        self, question: Frame, seconds: float, beat: Callable[[], None] = nothing
    ) -> Iterator[Frame]:
        """The answers to a question, as they come; ``beat`` is called while we wait for them.

        Raises DiedError where the process dies, goes mad, is silent for too long, or is ended after
        ``seconds``; InputError and ModelError as the process raised them.
        """
        self.send(question)
        watch = self._watch(seconds, beat)
        while (answer := self._receive(question, watch)) is not None:
            yield answer

    def ask_one(self, question: Frame, seconds: float, beat: Callable[[], None] = nothing) -> Frame:
        """The one answer to a question."""
        answers = self.ask(question, seconds, beat)
        first = next(answers, None)
        if first is None or next(answers, None) is not None:
            raise self._died(question, How.CRASH)
        return first

    def send(self, question: Frame) -> None:
        """Ask without waiting; ``receive`` waits."""
        stdin = self._alive().process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died meanwhile: the answer will say so
            stdin.write(to_bytes(question))
            stdin.flush()

    def receive(self, question: Frame, seconds: float) -> Frame:
        """The one answer to what was sent. Raises as ``ask`` does."""
        watch = self._watch(seconds)
        answer = self._receive(question, watch)
        if answer is None or self._receive(question, watch) is not None:
            raise self._died(question, How.CRASH)
        return answer

    def fileno(self) -> int:
        """What ``select`` watches for an answer."""
        stdout = self._alive().process.stdout
        assert stdout is not None
        return stdout.fileno()

    def renew(self) -> End:
        """End the process, whose memory may be damaged; the next question gets a new one."""
        confined, self._confined, self._frames = self._confined, None, None
        return End.of(confined.close() if confined is not None else 0)

    def close(self) -> None:
        """End the process, whatever it is doing, and forget its folder."""
        self.renew()
        if self._own is not None:
            self._own.cleanup()

    def _watch(self, seconds: float, beat: Callable[[], None] = nothing) -> Watch:
        return Watch(self._folder, self._limits, seconds, beat, stall_seconds())

    def _alive(self) -> ConfinedProcess:
        if self._confined is None:
            with (self._folder / "log").open("wb") as log:
                self._confined = ConfinedProcess(
                    self._program,
                    self._folder,
                    self._limits,
                    self._more,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    inherited=self._inherited,
                    cwd=Path.cwd(),
                )
            stdout = self._confined.process.stdout
            assert stdout is not None
            self._frames = Frames(stdout.fileno())
        return self._confined

    def _receive(self, question: Frame, watch: Watch) -> Frame | None:
        """One answer, None where there are no more."""
        assert self._frames is not None
        how: list[How] = []

        def look() -> bool:
            if found := watch.look():
                how.append(found)
            return bool(how)

        try:
            while (frame := self._frames.next(POLL_SECONDS, look)) == ALIVE:
                watch.heard()
                if look():  # a flood of them leaves no time in which nothing comes
                    raise self._died(question, *how)
        except ValueError:
            raise self._died(question, How.CRASH) from None
        except DiedError:
            raise
        except BaseException:  # the heartbeat's: nobody wants the answer any more
            self.renew()
            raise
        if frame is None:
            raise self._died(question, *how)
        watch.heard()
        return self._opened(question, frame)

    def _opened(self, question: Frame, frame: Frame) -> Frame | None:
        match frame:
            case {"done": True}:
                return None
            case {"answer": dict(answer)}:
                return answer
            case {"refused": [str(where), str(what), str(right)]}:
                raise InputError(where, what, right)
            case {"starved": str(words)}:
                self.renew()
                said = "".join(letter for letter in words[:300] if letter.isprintable())
                raise DiedError(str(question.get("do", "turn")), End(How.STARVED, 0), said)
            case {"bug": str(text)}:
                lines = text.splitlines()[-TRACEBACK_LINES:]
                raise ModelError("in a confined process:\n" + "\n".join(lines))
        raise self._died(question, How.CRASH)

    def _died(self, question: Frame, how: How | None = None) -> DiedError:
        """What to raise; ``how`` is given where we end the process, or do not believe it."""
        waited = self._confined.process if self._confined is not None else None
        if how is None and waited is not None:  # it closed its pipe: it is ending, or it hides
            with contextlib.suppress(subprocess.TimeoutExpired):
                waited.wait(1.0)
        end = self.renew()
        words = last_words(self._folder / "log")
        return DiedError(str(question.get("do", "turn")), End(how, end.code) if how else end, words)
