"""What forces a schedule: hold a thread at an anchor while others run.

The gdbstub of a virtual machine is one way. Another could come second without a change elsewhere: a
``sched_ext`` scheduler with probes at the same anchors, on a machine of silicon.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from stage2fuzz.confirm.anchors import RETURNS, Anchor
from stage2fuzz.confirm.gdbstub import LINK, PC, Stub, StubError

BRANCH_WITH_LINK: Final = 0x25
"""The top six bits of BL."""
HOLD: Final = 20.0
"""Seconds a thread may take to an anchor; a processor that is held may be waited for in vain."""


LEARN: Final = 10.0
"""Seconds in which a new vCPU takes its first fault."""
SETTLE: Final = 10.0
"""Seconds in which a grace period begins, or one that need not wait for anybody ends."""
LOOKS: Final = 2
"""When readers are looked for the second time, who comes now is a reader of the next period."""


class NotReachedError(Exception):
    """A thread did not arrive at an anchor; its text says which and what it did instead."""


class NotSettledError(Exception):
    """A thread that should come to wait was not seen to: whom its wait is for is not known."""


class Driver(Protocol):
    """One machine whose case threads 0 to n - 1 can be held, each on a processor of its own."""

    def begin(self, start: Callable[[], None]) -> None:
        """Call ``start``, which lets all threads go, and hold each before its first item."""

    def advance(self, thread: int, anchors: Sequence[Anchor]) -> Anchor:
        """Let ``thread`` run, and nobody else of the case, until it arrives at one of these."""

    def settle(self, thread: int, anchors: Sequence[Anchor]) -> Anchor | None:
        """Let ``thread`` run into a wait, for a moment; to one of these if it need not wait.

        NotSettledError where neither was seen to happen.
        """

    def stack(self, thread: int) -> list[int]:
        """Addresses of the functions that a held thread is in, innermost first."""

    def release(self) -> None:
        """Hold nobody any more."""


class StubDriver:
    """Through a gdbstub: breakpoints stop the machine, ``vCont`` leaves the held ones behind."""

    def __init__(
        self,
        stub: Stub,
        addresses: Mapping[Anchor, Sequence[int]],
        threads: int,
        patience: float = HOLD,
    ) -> None:
        """Thread ``i`` of the case runs on processor ``i + 1``; processor 0 is never held.

        An anchor may be at several addresses: a statement that the compiler doubled. A thread has
        ``patience`` seconds to an anchor.
        """
        self._stub, self._threads, self._patience = stub, threads, patience
        self._addresses = {anchor: tuple(where) for anchor, where in addresses.items()}
        self._armed: set[int] = set()
        stub.interrupt()
        self._processors = stub.processors()

    def learn_returns(self, start: Callable[[], None]) -> None:
        """Where the functions of ``RETURNS`` return to, at the first faults after ``start``.

        They are the same as long as the machine runs, so only what is not known yet is looked for.
        """
        entries = {
            self._addresses[entry][0]: back
            for back, entry in RETURNS.items()
            if back not in self._addresses
        }
        self._arm(set(entries))
        self._stub.resume(self._processors)
        start()
        while entries:
            try:
                where = self._stub.stopped(LEARN)
            except StubError:  # a stop that QEMU did not tell of: the next machine may show it
                self._stub.interrupt()
                break
            at, link = self._stub.register(where, PC), self._stub.register(where, LINK)
            if at in entries and self._calls(where, link - 4, at):
                self._addresses[entries.pop(at)] = (link,)
            self._pass(where)
            if entries:
                self._stub.resume(self._processors)
        if self._armed:
            self._arm(set())
            self._stub.resume(self._processors)

    def _calls(self, processor: str, address: int, function: int) -> bool:
        """Whether the instruction there may have called it: a BL names whom it calls.

        Under load QEMU has told of a stop whose registers were another's.
        """
        word = int.from_bytes(self._stub.memory(processor, address, 4), "little")
        if word >> 26 != BRANCH_WITH_LINK:
            return True
        distance = (word & 0x3FFFFFF ^ 0x2000000) - 0x2000000
        return address + 4 * distance == function

    def let_run(self) -> None:
        """Resume all processors, which the driver stopped when it was made."""
        self._stub.resume(self._processors)

    def begin(self, start: Callable[[], None]) -> None:
        """See ``Driver``."""
        self._stub.interrupt()
        self._arm(set(self._addresses[Anchor.ITEM]))
        waiting = {self._of(thread) for thread in range(self._threads)}
        running = list(self._processors)
        self._stub.resume(running)
        start()
        end = time.monotonic() + HOLD
        while waiting:
            try:
                where = self._stub.stopped(end - time.monotonic())
            except StubError as error:
                raise NotReachedError(f"not all threads began: {error}") from None
            at = self._stub.register(where, PC)
            if where in waiting and at in self._addresses[Anchor.ITEM]:
                waiting.remove(where)
                running.remove(where)
            elif where in running:  # another program's call of it, or a stop of before
                self._pass(where)
            if waiting:
                self._stub.resume(running)

    def advance(self, thread: int, anchors: Sequence[Anchor]) -> Anchor:
        """See ``Driver``."""
        reached = self._run(thread, anchors, self._patience)
        if reached is None:
            names = " or ".join(str(anchor) for anchor in anchors)
            raise NotReachedError(f"{names} not reached in {self._patience:.0f} s")
        return reached

    def settle(self, thread: int, anchors: Sequence[Anchor]) -> Anchor | None:
        """See ``Driver``."""
        known = [anchor for anchor in anchors if anchor in self._addresses]
        return self._run(thread, known, SETTLE, LOOKS)

    def _run(
        self, thread: int, anchors: Sequence[Anchor], patience: float, looks: int = 0
    ) -> Anchor | None:
        """Which anchor the thread stands at; None if it is at none of them after a while.

        Nor after ``looks`` for the readers of memslots, where that is not 0.
        """
        unknown = [anchor for anchor in anchors if anchor not in self._addresses]
        if unknown:
            raise NotReachedError(f"where {unknown[0]} is could not be learnt")
        places = {at: anchor for anchor in anchors for at in self._addresses[anchor]}
        grace = set(self._addresses.get(Anchor.GRACE, ())) if looks else set()
        self._arm(set(places) | grace)
        mine = self._of(thread)
        held = {self._of(each) for each in range(self._threads)} - {mine}
        running = [each for each in self._processors if each not in held]
        end = time.monotonic() + patience
        while True:
            self._pass(mine)
            self._stub.resume(running)
            try:
                where = self._stub.stopped(max(0.05, end - time.monotonic()))
            except StubError:
                self._stub.interrupt()
                if grace:
                    what = f"thread {thread} was not seen to wait in {patience:.0f} s"
                    raise NotSettledError(what) from None
                return None
            at = self._stub.register(where, PC)
            if where == mine and at in places:
                return places[at]
            looks -= at in grace
            if at in grace and not looks:
                return None
            if where != mine:
                self._pass(where)

    def stack(self, thread: int) -> list[int]:
        """See ``Driver``."""
        return self._stub.stack(self._of(thread))

    def release(self) -> None:
        """See ``Driver``."""
        self._arm(set())
        self._stub.resume(self._processors)

    def _of(self, thread: int) -> str:
        return self._processors[thread + 1]

    def _pass(self, processor: str) -> None:
        """Past the breakpoint that a processor may stand at."""
        if self._stub.register(processor, PC) in self._armed:
            self._stub.step(processor)

    def _arm(self, wanted: set[int]) -> None:
        for address in sorted(self._armed - wanted):
            self._stub.breakpoint(address, False)
        for address in sorted(wanted - self._armed):
            self._stub.breakpoint(address, True)
        self._armed = set(wanted)
