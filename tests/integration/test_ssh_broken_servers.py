"""Servers that hang up, say nothing or talk nonsense, at every stage from the keys to a session."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attempts import in_background, node, run
from broken_server import BrokenServer, Trick, babble, hang_up, stall
from paramiko import Channel, Message, Transport
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_FAILURE, cMSG_CHANNEL_REQUEST
from project import wait_until
from sshd import generate_key

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.model import Outcome
from pegasus.ssh.base import Cancellation, Connection
from pegasus.ssh.connect import connector
from pegasus.ssh.login import gate, handshake
from pegasus.ssh.running import session, stream
from pegasus.ssh.running.watchdog import announcement

KEX_INIT, NEW_KEYS, KEX_REPLY, SERVICE, AUTH_FAILED, LET_IN = 20, 21, 31, 6, 51, 52
SESSION, ANSWER = 91, 99

#: What a terminal would obey.
EVIL = "\x1b[31mEVIL\x07"

Start = Callable[..., Connection]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_PAUSE", 0.001)
    monkeypatch.setattr(gate, "TRIES", 2)
    monkeypatch.setattr(handshake, "_LOGIN_TIMEOUT", 2.0)
    monkeypatch.setattr(handshake, "_CHANNEL_TIMEOUT", 2.0)
    monkeypatch.setattr(session, "TAKING", 2.0)
    monkeypatch.setattr(stream, "BEGINNING", 2.0)
    monkeypatch.setattr(stream, "CONFIRMATION", 0.5)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    generate_key(path)
    return path


@pytest.fixture
def start(tmp_path: Path, key: Path) -> Iterator[Callable[[BrokenServer], Connection]]:
    """Return a function that makes a connection to a server; both are closed in the end."""
    made: list[Connection | BrokenServer] = []

    def make(server: BrokenServer) -> Connection:
        connection = connector(ssh_config=server.configure(tmp_path, key), kill_grace=1)(node())
        made.extend([connection, server])
        return connection

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("number", "trick", "step", "tries", "hint"),
    [
        (KEX_INIT, hang_up, "connect", 2, "hung up"),
        (KEX_INIT, stall, "connect", 1, "no answer from an SSH server within 2 s"),
        (KEX_INIT, babble, "session", 1, "does not speak SSH properly"),
        (KEX_REPLY, hang_up, "connect", 2, "hung up"),
        (KEX_REPLY, babble, "session", 1, "does not speak SSH properly"),
        (NEW_KEYS, hang_up, "connect", 2, "hung up"),
        (SERVICE, hang_up, "connect", 2, "hung up"),
        (SERVICE, stall, "auth", 1, "says nothing of who may log in"),
        (AUTH_FAILED, hang_up, "connect", 2, "hung up"),
        (AUTH_FAILED, stall, "auth", 1, "says nothing of who may log in"),
        (AUTH_FAILED, babble, "session", 1, "does not speak SSH properly"),
        (LET_IN, hang_up, "auth", 1, "the server hung up"),
        (LET_IN, stall, "auth", 1, "did not answer any more"),
    ],
)
def test_a_server_that_breaks_while_connecting_is_an_error_that_names_the_step(
    start: Start, number: int, trick: Trick, step: str, tries: int, hint: str
) -> None:
    server = BrokenServer(number, trick)
    connection = start(server)
    before = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        connection.open()
    assert time.monotonic() - before < 20
    assert (caught.value.step, server.connections) == (step, tries), str(caught.value)
    assert hint in caught.value.problem


def test_a_host_key_whose_owner_does_not_prove_it_is_refused(start: Start) -> None:
    def change_a_bit(transport: object, message: bytes) -> bytes:
        return message[:-1] + bytes([message[-1] ^ 1])  # the end of the signature

    with pytest.raises(UnreachableError, match="prove") as caught:
        start(BrokenServer(KEX_REPLY, change_a_bit)).open()
    assert caught.value.step == "host key"


def refuse(transport: object, message: bytes) -> bytes:
    """Say that the command is not run."""
    return bytes([MSG_CHANNEL_FAILURE]) + message[1:]


def close_the_session(transport: object, message: bytes) -> bytes:
    """Say nothing of the command, and that there will be nothing more."""
    return bytes([MSG_CHANNEL_CLOSE]) + message[1:]


def no_window(transport: object, message: bytes) -> bytes:
    """Open a session that takes no data."""
    return message[:9] + bytes(4) + message[13:]


@pytest.mark.parametrize(
    ("number", "trick", "hint"),
    [
        (SESSION, hang_up, "lost"),
        (SESSION, stall, "does not open a session"),
        (SESSION, no_window, "did not take the command"),
        (ANSWER, refuse, "refuses to run a command"),
        (ANSWER, close_the_session, "closed the session before it ran"),
    ],
)
def test_a_server_that_breaks_before_the_command_begins_did_not_start_it(
    start: Start, number: int, trick: Trick, hint: str
) -> None:
    server = BrokenServer(number, trick)
    with pytest.raises(NeverStartedError, match=hint) as caught:
        run(start(server), "true")
    assert (caught.value.step, server.connections) == ("session", 2)


@pytest.mark.parametrize(
    ("trick", "hint"), [(hang_up, "was lost"), (stall, "has not said whether it runs the command")]
)
def test_a_command_that_a_server_may_have_begun_is_not_begun_again(
    start: Start, trick: Trick, hint: str
) -> None:
    server = BrokenServer(ANSWER, trick)
    ending = run(start(server), "true")[0]
    assert (ending.outcome, hint in ending.detail) == (Outcome.LOST, True), ending.detail
    assert server.connections == 1


def test_a_command_whose_session_gets_no_answer_can_be_cancelled(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEGINNING", 60.0)
    is_asked = threading.Event()
    server = BrokenServer(ANSWER, lambda transport, message: is_asked.set())
    cancellation = Cancellation()
    in_background(lambda: (is_asked.wait(20), cancellation.cancel()))
    before = time.monotonic()
    ending = start(server).attempt("true", lambda stream, data: None, cancellation)
    assert ending.outcome is Outcome.CANCELLED
    assert time.monotonic() - before < 30


def test_what_a_server_says_does_not_command_the_terminal(start: Start) -> None:
    server = BrokenServer(lets_in=False)
    server.methods = f"{EVIL},password"
    with pytest.raises(UnreachableError, match="EVIL") as caught:
        start(server).open()
    assert caught.value.problem.isprintable()


def test_the_name_of_a_signal_does_not_command_the_terminal(start: Start) -> None:
    def die(channel: Channel) -> None:
        message = Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exit-signal")
        for part in (False, EVIL, False, "", ""):
            message.add_boolean(part) if isinstance(part, bool) else message.add_string(part)
        channel.send(announcement(1))
        channel.transport._send_user_message(message)
        channel.close()

    server = BrokenServer()
    server.on_exec = lambda channel: threading.Timer(0.1, die, [channel]).start()
    ending = run(start(server), "true")[0]
    assert ending.outcome is Outcome.SIGNALLED
    assert str(ending).isprintable()


def test_failed_connections_leave_nothing_open(start: Start) -> None:
    def fail(number: int, trick: Trick) -> None:
        server = BrokenServer(number, trick)
        connection = start(server)
        with pytest.raises(UnreachableError):
            connection.open()
        server.close()

    def left() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    fail(KEX_INIT, babble)
    wait_until(no_transports, "the end of the transports")
    before = left()
    for trick in (hang_up, babble):
        fail(KEX_REPLY, trick)
    wait_until(no_transports, "the end of the transports")
    wait_until(lambda: left() <= before, "closed descriptors, and the end of all threads")


def no_transports() -> bool:
    return not any(isinstance(thread, Transport) for thread in threading.enumerate())
