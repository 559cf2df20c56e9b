"""What the transport sends when, with a packetizer that only takes notes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paramiko import Channel, Message, Transport
from paramiko.packet import Packetizer

from pegasus.ssh.running.process import Soundings
from pegasus.ssh.wire.packets import NodePacketizer
from pegasus.ssh.wire.transport import NodeTransport, Wakeup

KEXINIT, USERAUTH, GLOBAL, SUCCESS, FAILURE = 20, 50, 80, 81, 82
ADJUST, DATA, EOF, CLOSE, REQUEST = 93, 94, 96, 97, 98

#: The server's number of the channel that is open.
CHANNEL = 7


class Notes:
    """A packetizer that writes nothing."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.gathered: list[list[int]] = []
        self.error: Exception | None = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        before = len(self.sent)
        yield
        self.gathered.append(self.sent[before:])

    def send_message(self, message: Message) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(message.asbytes()[0])


class Bench:
    """A transport that is logged in as far as it knows."""

    def __init__(self, sock: socket.socket) -> None:
        self.notes = Notes()
        self.transport: Any = NodeTransport(sock)
        self.transport.packetizer = self.notes
        self.transport.active = True
        self.transport.clear_to_send.set()
        self.transport.keep_alive()
        self.channel = Channel(0)
        self.channel.active = True
        self.channel.remote_chanid = CHANNEL
        self.transport._channels.put(0, self.channel)

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.transport._send_user_message(message(number))


def message(number: int) -> Message:
    made = Message()
    made.add_byte(bytes([number]))
    made.add_int(CHANNEL)
    return made


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(Transport, "_parse_newkeys", lambda self, m: self.clear_to_send.set())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Bench(ours)


def test_messages_wait_for_new_keys_and_keep_their_order(bench: Bench) -> None:
    bench.send(GLOBAL)
    bench.transport.clear_to_send.clear()
    bench.send(DATA, ADJUST, CLOSE)
    assert bench.notes.sent == [GLOBAL]
    bench.transport.clear_to_send.set()  # the exchange is over, but not all has been sent
    bench.send(DATA)
    assert bench.notes.sent == [GLOBAL]
    bench.transport._parse_newkeys(Message())
    bench.send(SUCCESS)
    assert bench.notes.sent == [GLOBAL, DATA, ADJUST, CLOSE, DATA, SUCCESS]


def test_what_brings_the_new_keys_about_does_not_wait(bench: Bench) -> None:
    bench.transport.clear_to_send.clear()
    bench.transport._send_message(message(KEXINIT))
    bench.transport._send_message(message(USERAUTH))
    assert bench.notes.sent == [KEXINIT, USERAUTH]


def test_a_request_of_the_server_is_answered_after_the_exchange(bench: Bench) -> None:
    request = Message()
    request.add_string("keepalive@openssh.com")
    request.add_boolean(True)
    request.rewind()
    bench.transport.clear_to_send.clear()
    bench.transport._parse_global_request(request)
    assert bench.notes.sent == []
    bench.transport._parse_newkeys(Message())
    assert bench.notes.sent == [FAILURE]


def test_answers_come_in_the_order_of_the_questions(bench: Bench) -> None:
    heard: list[int] = []
    for number in range(3):
        bench.transport.ping(lambda number=number: heard.append(number))
    assert bench.notes.sent == [GLOBAL] * 3
    bench.transport._parse_request_failure(Message())
    assert heard == [0]
    bench.transport._parse_request_success(Message())
    bench.transport._parse_request_failure(Message())
    bench.transport._parse_request_failure(Message())  # to nothing we know of
    assert heard == [0, 1, 2]


def test_output_is_not_lost_when_its_receipt_can_not_be_sent(bench: Bench) -> None:
    bench.notes.error = EOFError()
    bench.send(ADJUST)
    with pytest.raises(EOFError):
        bench.send(DATA)


def test_nothing_is_sent_once_the_connection_is_over(bench: Bench) -> None:
    bench.transport.active = False
    bench.send(DATA)
    assert bench.notes.sent == []


def test_a_channel_that_is_over_gets_no_more_data(bench: Bench) -> None:
    bench.send(DATA, EOF)
    bench.transport._unlink_channel(0)  # as when the server has closed it
    bench.send(DATA, EOF, CLOSE, GLOBAL)
    assert bench.notes.sent == [DATA, EOF, CLOSE, GLOBAL]


def test_a_channel_that_we_close_gets_nothing_but_that(bench: Bench) -> None:
    opening = Channel(1)  # its number is not known yet: Paramiko says 0
    opening.remote_chanid = CHANNEL
    bench.transport._channels.put(1, opening)
    bench.channel._set_transport(bench.transport)
    bench.send(REQUEST)
    bench.channel.close()
    bench.send(DATA, EOF, REQUEST)
    assert bench.notes.sent == [REQUEST, CLOSE]


def test_what_belongs_together_is_sent_together_or_waits_together(bench: Bench) -> None:
    bench.transport.send_together([message(REQUEST), message(DATA)])
    assert bench.notes.gathered == [[REQUEST, DATA]]
    bench.transport.clear_to_send.clear()
    bench.transport.send_together([message(REQUEST), message(DATA)])
    assert bench.notes.sent == [REQUEST, DATA]
    bench.transport._parse_newkeys(Message())
    assert bench.notes.sent == [REQUEST, DATA] * 2
    bench.transport.active = False
    with pytest.raises(EOFError):
        bench.transport.send_together([message(DATA)])
    assert bench.notes.sent == [REQUEST, DATA] * 2


def test_asking_for_a_sign_of_life_waits_for_nobody(bench: Bench) -> None:
    ask = bench.transport._line.on_silence
    ask()
    assert bench.notes.sent == [GLOBAL]
    with bench.transport.clear_to_send_lock:  # as somebody who writes, and has to wait
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    bench.transport.clear_to_send.clear()
    ask()
    bench.transport.clear_to_send.set()
    bench.transport.sock.setblocking(False)
    while bench.transport._line.is_writable():
        bench.transport.sock.send(b"x" * 4096)
    ask()
    assert bench.notes.sent == [GLOBAL]


def test_a_wakeup_wakes_once_however_often_it_is_set() -> None:
    wakeup = Wakeup()
    assert not wakeup.is_set()
    for _ in range(3):
        wakeup.set()
    wakeup.clear()  # as Paramiko's buffers do
    assert wakeup.is_set()
    wakeup.wait(None)
    assert not wakeup.is_set()
    wakeup.wait(0)
    wakeup.set()
    wakeup.rearm()
    assert not wakeup.is_set()
    thread = threading.Thread(target=wakeup.wait, args=(60,))
    thread.start()
    wakeup.set()
    thread.join(10)
    assert not thread.is_alive()


def test_two_answers_without_output_between_them_show_that_all_has_arrived() -> None:
    questions: list[Callable[[], None]] = []
    wakeup = Wakeup()
    soundings = Soundings(questions.append, wakeup)
    assert not soundings.is_enough()
    assert not soundings.is_enough()  # the first question is open still
    assert len(questions) == 1
    questions.pop()()
    assert wakeup.is_set()
    assert not soundings.is_enough()
    soundings.begin_anew()  # output has come, perhaps after the second question
    questions.pop()()
    for _ in range(2):
        assert not soundings.is_enough()
        questions.pop()()
    assert soundings.is_enough()
    assert questions == []


def test_keys_are_replaced_after_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("pegasus.ssh.wire.packets.time.monotonic", lambda: now)
    monkeypatch.setattr(Packetizer, "set_outbound_cipher", lambda *args: None)
    packetizer: Any = NodePacketizer(None)  # type: ignore[arg-type]
    packetizer.limit_keys(2**20, 60)
    assert (packetizer.REKEY_BYTES, packetizer.need_rekey()) == (2**20, False)
    now += 60
    assert packetizer.need_rekey()
    packetizer.set_outbound_cipher()
    now += 59
    assert not packetizer.need_rekey()
    now += 1
    assert packetizer.need_rekey()


def test_without_a_limit_paramiko_s_own_holds() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport: Any = NodeTransport(ours)
        transport.limit_keys(0, 0)
        assert transport.packetizer.REKEY_BYTES == Packetizer.REKEY_BYTES
        assert not transport.packetizer.need_rekey()
        assert transport.clear_to_send.is_set() is False
