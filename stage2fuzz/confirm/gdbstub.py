"""A client of QEMU's gdbstub: stop, look, hold single processors while others run.

The few packets of GDB's remote serial protocol that this takes; no gdb is needed. The stub is
all-stop, but ``vCont`` resumes just the processors it names, and that is how one is held.
"""

import re
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

ANSWER: Final = 20.0
"""Seconds the stub may take to answer while the machine is stopped."""
PC: Final = 32
LINK: Final = 30
FRAME: Final = 29


class StubError(Exception):
    """The stub said no, said nothing in time, or is gone."""


class Stub:
    """The connection; processors are named by the stub's thread ids."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self._selected = ""

    def command(self, packet: str, patience: float = ANSWER) -> str:
        """Send a packet and return its answer."""
        self._send(packet)
        return self._receive(patience)

    def processors(self) -> list[str]:
        """The thread ids of all processors, in the order of their numbers."""
        self.command("qSupported:vContSupported+;swbreak+")
        found: list[str] = []
        answer = self.command("qfThreadInfo")
        while answer.startswith("m"):
            found += answer[1:].split(",")
            answer = self.command("qsThreadInfo")
        return found

    def breakpoint(self, address: int, armed: bool) -> None:
        """Set or take away a breakpoint; it stops whichever processor gets there."""
        packet = f"{'Z' if armed else 'z'}1,{address:x},4"
        if self.command(packet) != "OK":
            raise StubError(f"no breakpoint at {address:#x}")

    def resume(self, processors: Iterable[str]) -> None:
        """Let these run and no others."""
        self._send("vCont;" + ";".join(f"c:{each}" for each in processors))

    def step(self, processor: str) -> None:
        """Let one processor execute one instruction, past a breakpoint it may stand at."""
        self._send(f"vCont;s:{processor}")
        self.stopped(ANSWER)

    def stopped(self, patience: float) -> str:
        """The processor whose breakpoint stopped the machine; raises StubError after a while."""
        answer = self._receive(patience)
        if answer[:1] not in ("T", "S"):
            raise StubError(f"the machine ended ({answer[:40]})")
        found = re.search(r"thread:([^;]+);", answer)
        return found[1] if found else ""

    def interrupt(self) -> None:
        """Stop the machine wherever it is."""
        self._socket.sendall(b"\x03")
        self.stopped(ANSWER)

    def register(self, processor: str, number: int) -> int:
        """A general register of a stopped processor: 0 to 30, 31 the stack pointer, 32 the PC."""
        self._select(processor)
        text = self.command("g")[16 * number : 16 * number + 16]
        return int.from_bytes(bytes.fromhex(text), "little")

    def memory(self, processor: str, address: int, size: int) -> bytes:
        """Bytes at a virtual address as the processor sees it; empty where nothing is mapped."""
        self._select(processor)
        answer = self.command(f"m{address:x},{size:x}")
        return b"" if answer.startswith("E") else bytes.fromhex(answer)

    def stack(self, processor: str, deepest: int = 12) -> list[int]:
        """Return addresses by the frame pointers, innermost first; the link register leads."""
        found = [self.register(processor, PC), self.register(processor, LINK)]
        frame = self.register(processor, FRAME)
        while len(found) < deepest and frame:
            record = self.memory(processor, frame, 16)
            if len(record) < 16:
                break
            frame = int.from_bytes(record[:8], "little")
            back = int.from_bytes(record[8:], "little") | 0xFFFF << 48  # without its signature
            if back not in found:
                found.append(back)
        return found

    def end(self) -> None:
        """Ask QEMU to exit, whatever the machine does; nothing is answered."""
        with suppress(OSError):
            self._socket.sendall(b"\x03$k#6b")  # a running machine takes one character, and stops

    def close(self) -> None:
        """Leave the stub; the machine stays as it is."""
        self._socket.close()

    def _select(self, processor: str) -> None:
        if self.command(f"Hg{processor}") != "OK":
            raise StubError(f"no processor {processor}")

    def _send(self, packet: str) -> None:
        data = packet.encode("ascii")
        try:
            self._socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))
        except OSError as error:
            raise StubError(f"the stub is gone: {error}") from None

    def _receive(self, patience: float) -> str:
        end = time.monotonic() + patience
        while True:
            found = re.search(rb"\$([^#]*)#(..)", self._buffer, re.DOTALL)
            if found:
                self._buffer = self._buffer[found.end() :]
                body = found[1]
                good = sum(body) & 0xFF == int(found[2], 16)
                self._socket.sendall(b"+" if good else b"-")
                if good:
                    return body.decode("latin-1")
                continue
            left = end - time.monotonic()
            if left <= 0:
                raise StubError("no answer in time")
            self._socket.settimeout(left)
            try:
                got = self._socket.recv(65536)
            except TimeoutError:
                raise StubError("no answer in time") from None
            except OSError as error:
                raise StubError(f"the stub is gone: {error}") from None
            if not got:
                raise StubError("the machine ended")
            self._buffer += got
