"""How many system calls packets take, and when they go out: on a socket that takes notes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from paramiko import Message
from paramiko.packet import NeedRekeyException

from pegasus.ssh.wire.packets import NodePacketizer

IGNORE, DATA = 2, 94


class Notes:
    """A socket: `incoming` is what each read returns, or raises; `written` what each write had."""

    def __init__(self, *incoming: bytes | Exception) -> None:
        self.incoming = list(incoming)
        self.reads = 0
        self.written: list[bytes] = []

    def recv(self, size: int) -> bytes:
        self.reads += 1
        found = self.incoming.pop(0) if self.incoming else b""
        if isinstance(found, Exception):
            raise found
        assert len(found) <= size
        return found

    def send(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)

    def close(self) -> None:
        pass


def message(number: int, text: bytes = b"") -> Message:
    made = Message()
    made.add_byte(bytes([number]))
    made.add_string(text)
    return made


def packets(*messages: Message) -> bytes:
    notes = Notes()
    packetizer: Any = NodePacketizer(notes)  # type: ignore[arg-type]
    for one in messages:
        packetizer.send_message(one)
    return b"".join(notes.written)


def packetizer_on(*incoming: bytes | Exception) -> tuple[Any, Notes]:
    notes = Notes(*incoming)
    return NodePacketizer(notes), notes  # type: ignore[arg-type]


def read(packetizer: Any) -> tuple[int, bytes]:
    number, found = packetizer.read_message()
    return number, found.get_string()


def test_all_packets_that_have_come_are_read_by_one_system_call() -> None:
    packetizer, notes = packetizer_on(packets(*(message(DATA, bytes([n])) for n in range(9))))
    assert [read(packetizer) for _ in range(9)] == [(DATA, bytes([n])) for n in range(9)]
    assert notes.reads == 1


@pytest.mark.parametrize("size", [1, 7, 16, 100])
def test_packets_may_come_in_pieces(size: int) -> None:
    data = packets(message(DATA, b"x" * 300), message(DATA, b"y"), message(IGNORE))
    pieces: list[bytes | Exception] = []
    for start in range(0, len(data), size):
        pieces += [TimeoutError(), data[start : start + size]]
    packetizer, _ = packetizer_on(*pieces)
    found = [read(packetizer) for _ in range(3)]
    assert found == [(DATA, b"x" * 300), (DATA, b"y"), (IGNORE, b"")]


def test_what_follows_the_banner_is_kept() -> None:
    packetizer, notes = packetizer_on(b"wel", b"come\r\nSSH-2.0-x\r\n" + packets(message(DATA)))
    assert [packetizer.readline(5) for _ in range(2)] == ["welcome", "SSH-2.0-x"]
    assert read(packetizer) == (DATA, b"")
    assert notes.reads == 2


def test_a_banner_is_not_waited_for_without_end() -> None:
    packetizer, notes = packetizer_on(TimeoutError(), b"SSH-2.0-x\n")
    assert packetizer.readline(60) == "SSH-2.0-x"
    notes.incoming = [TimeoutError()]
    with pytest.raises(TimeoutError):
        packetizer.readline(0)


def test_answers_to_what_has_come_together_go_out_together_and_in_order() -> None:
    packetizer, notes = packetizer_on(packets(*[message(DATA)] * 3), TimeoutError(), b"")
    for text in (b"a", b"b"):
        packetizer.read_message()
        packetizer.send_message(message(DATA, text))
    assert notes.written == []
    packetizer.read_message()
    packetizer.send_message(message(DATA, b"c"))  # nothing is left to be read
    assert notes.written == [packets(*(message(DATA, text) for text in (b"a", b"b", b"c")))]


def test_an_answer_goes_out_before_more_is_waited_for() -> None:
    first, second = packets(message(DATA)), packets(message(DATA, b"x" * 40))
    packetizer, notes = packetizer_on(first + second[:8], second[8:])
    packetizer.read_message()
    packetizer.send_message(message(DATA, b"answer"))
    assert notes.written == []  # a part of the next packet is there
    packetizer.read_message()
    assert notes.written == [packets(message(DATA, b"answer"))]


def test_another_thread_waits_for_nobody_and_overtakes_nothing() -> None:
    packetizer, notes = packetizer_on(packets(*[message(DATA)] * 2))
    packetizer.read_message()
    packetizer.send_message(message(DATA, b"first"))
    thread = threading.Thread(target=packetizer.send_message, args=(message(DATA, b"second"),))
    thread.start()
    thread.join(10)
    assert notes.written == [packets(message(DATA, b"first"), message(DATA, b"second"))]


def test_messages_that_belong_together_are_one_write() -> None:
    packetizer, notes = packetizer_on()
    with packetizer.together():
        packetizer.send_message(message(DATA, b"a"))
        packetizer.send_message(message(DATA, b"b"))
        assert notes.written == []
    packetizer.send_message(message(DATA, b"c"))
    assert [len(data) for data in notes.written] == [32, 16]


def test_new_keys_are_asked_for_when_nothing_comes_but_not_within_a_packet() -> None:
    data = packets(message(DATA, b"text"))
    packetizer, _ = packetizer_on(TimeoutError(), data[:3], TimeoutError(), data[3:])
    packetizer._trigger_rekey()
    with pytest.raises(NeedRekeyException):
        packetizer.read_message()
    assert read(packetizer) == (DATA, b"text")


@pytest.mark.parametrize("ending", [b"", TimeoutError(), OSError(9, "Bad file descriptor")])
def test_a_connection_that_we_have_closed_ends(ending: bytes | Exception) -> None:
    packetizer, _ = packetizer_on(ending)
    packetizer.close()
    with pytest.raises(EOFError):
        packetizer.read_message()


def test_a_connection_that_broke_says_why() -> None:
    packetizer, _ = packetizer_on(ConnectionResetError(104, "Connection reset by peer"))
    with pytest.raises(ConnectionResetError):
        packetizer.read_message()
