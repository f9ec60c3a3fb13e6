"""The client of the gdbstub against a stand-in that speaks the protocol as QEMU does."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from stage2fuzz.confirm.gdbstub import PC, Stub, StubError


class StandIn:
    """Answers packets by ``reply``; keeps what it was asked."""

    def __init__(self, connection: socket.socket, reply: Callable[[str], list[str]]) -> None:
        self.asked: list[str] = []
        self._connection, self._reply = connection, reply
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        buffer = b""
        while data := self._connection.recv(4096):
            buffer += data.replace(b"+", b"")
            if b"\x03" in buffer:
                buffer = buffer.replace(b"\x03", b"")
                self._send("T02thread:01;")
            while b"#" in buffer and len(buffer) >= buffer.index(b"#") + 3:
                end = buffer.index(b"#")
                packet = buffer[buffer.index(b"$") + 1 : end].decode()
                buffer = buffer[end + 3 :]
                self.asked.append(packet)
                for answer in self._reply(packet):
                    self._send(answer)

    def _send(self, body: str) -> None:
        self._connection.sendall(f"+${body}#{sum(body.encode()) & 0xFF:02x}".encode())


@pytest.fixture
def pair() -> Iterator[tuple[Stub, Callable[[Callable[[str], list[str]]], StandIn]]]:
    ours, theirs = socket.socketpair()
    stub, servers = Stub(ours), list[StandIn]()

    def serve(reply: Callable[[str], list[str]]) -> StandIn:
        servers.append(StandIn(theirs, reply))
        return servers[0]

    yield stub, serve
    stub.close()
    for server in servers:
        server.thread.join(5)
    theirs.close()


Pair = tuple[Stub, Callable[[Callable[[str], list[str]]], StandIn]]


def test_all_processors_are_listed_in_their_order(pair: Pair) -> None:
    stub, serve = pair
    answers = {"qfThreadInfo": ["m01,02"], "qsThreadInfo": ["m03"]}

    def reply(packet: str) -> list[str]:
        if packet == "qsThreadInfo" and server.asked.count(packet) == 2:
            return ["l"]
        return answers.get(packet, ["OK"])

    server = serve(reply)
    assert stub.processors() == ["01", "02", "03"]


def test_only_the_named_processors_are_resumed_and_the_one_that_stops_is_named(pair: Pair) -> None:
    stub, serve = pair
    server = serve(lambda packet: ["T05thread:03;"] if packet.startswith("vCont") else ["OK"])
    stub.resume(["01", "03"])
    assert stub.stopped(5) == "03"
    assert server.asked == ["vCont;c:01;c:03"]


def test_a_register_is_read_from_its_place_in_little_endian(pair: Pair) -> None:
    stub, serve = pair
    registers = "00" * 8 * PC + "78563412000080ff"
    serve(lambda packet: [registers] if packet == "g" else ["OK"])
    assert stub.register("02", PC) == 0xFF80000012345678


def test_a_refused_breakpoint_is_an_error_and_not_forgotten(pair: Pair) -> None:
    stub, serve = pair
    serve(lambda _packet: ["E22"])
    with pytest.raises(StubError, match="no breakpoint at 0x1000"):
        stub.breakpoint(0x1000, True)


def test_a_silent_stub_ends_the_wait(pair: Pair) -> None:
    stub, serve = pair
    serve(lambda _packet: [])
    stub.resume(["01"])
    with pytest.raises(StubError, match="no answer in time"):
        stub.stopped(0.1)


def test_a_machine_that_ended_is_an_error(pair: Pair) -> None:
    stub, serve = pair
    serve(lambda _packet: ["W00"])
    stub.resume(["01"])
    with pytest.raises(StubError, match="ended"):
        stub.stopped(5)


def test_a_stack_follows_the_frames_and_drops_signatures(pair: Pair) -> None:
    stub, serve = pair
    registers = [0] * 33
    registers[29], registers[30], registers[32] = (
        0x5000,
        0xFFFF_8000_0000_2000,
        0xFFFF_8000_0000_1000,
    )
    frames = {0x5000: (0x6000, 0xABCD_8000_0000_3000), 0x6000: (0, 0xFFFF_8000_0000_4000)}

    def reply(packet: str) -> list[str]:
        if packet == "g":
            return ["".join(each.to_bytes(8, "little").hex() for each in registers)]
        if packet.startswith("m"):
            pair = frames[int(packet[1:].split(",", maxsplit=1)[0], 16)]
            return ["".join(each.to_bytes(8, "little").hex() for each in pair)]
        return ["OK"]

    serve(reply)
    assert [each & 0xFFFF_FFFF for each in stub.stack("01")] == [0x1000, 0x2000, 0x3000, 0x4000]
    assert all(each >> 48 == 0xFFFF for each in stub.stack("01"))
