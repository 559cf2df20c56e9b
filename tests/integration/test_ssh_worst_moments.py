"""A connection that fails at the worst moment: a job is neither lost nor run twice by that."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attempts import Listener, in_background, node
from project import PATIENCE, wait_until
from sshd import Sshd

from pegasus.errors import NeverStartedError
from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh.base import Cancellation
from pegasus.ssh.connect import connector
from pegasus.ssh.running import ahead, stream
from pegasus.ssh.running.session import Session
from pegasus.ssh.wire.keepalive import WatchedSocket

MakeSshd = Callable[..., Sshd]


def nothing(stream: Stream, data: bytes) -> None:
    pass


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """Return a function that connects to a server, and has had a few commands run there."""
    made: list[Any] = []

    def make(server: Sshd, dead_after: float = 30.0) -> Any:
        connection = connector(ssh_config=server.ssh_config, kill_grace=1, dead_after=dead_after)(
            node()
        )
        made.append(connection)
        for _ in range(3):
            assert connection.attempt("true", nothing, Cancellation()) == Ending.exited(0)
        return connection

    yield make
    for connection in made:
        connection.close()


def signal_sessions(server: Sshd, number: signal.Signals) -> None:
    for pid in server.sessions():
        with suppress(ProcessLookupError):  # It has ended meanwhile.
            os.kill(pid, number)


def test_a_host_that_has_not_confirmed_an_end_is_not_taken_for_alive(
    make_sshd: MakeSshd, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CONFIRMATION", 0.3)
    server = make_sshd()
    connection = connect(server, dead_after=3.0)
    listener = Listener()

    def stop() -> None:
        listener.wait_for(b"line")
        signal_sessions(server, signal.SIGSTOP)

    stopping = in_background(stop)
    ending = connection.attempt("echo line; sleep 600", listener, Cancellation(), 0.5)
    stopping.join(PATIENCE)
    assert ending.outcome is Outcome.TIMED_OUT
    # Its session ahead leads nowhere; the listening sshd still takes connections.
    assert connection.attempt("true", nothing, Cancellation()) == Ending.exited(0)


def test_a_command_that_was_not_sent_is_run_over_another_connection(
    make_sshd: MakeSshd,
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(ahead, "FRESH", 60.0)
    server = make_sshd()
    connection = connect(server)
    begin, is_cut = Session.begin, threading.Event()

    def cut_before(session: Session, *arguments: Any) -> None:
        if not is_cut.is_set():
            is_cut.set()
            server.sever()
            wait_until(lambda: not session.transport.active, "the end of the connection")
        begin(session, *arguments)

    monkeypatch.setattr(Session, "begin", cut_before)
    command = f"echo x >>{tmp_path}/ran"
    assert connection.attempt(command, nothing, Cancellation()) == Ending.exited(0)
    assert is_cut.is_set()
    assert (tmp_path / "ran").read_text() == "x\n"


@pytest.mark.parametrize("missing", [1, 10, 60])
def test_a_command_whose_last_bytes_were_not_sent_is_run_once(
    make_sshd: MakeSshd,
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    missing: int,
) -> None:
    monkeypatch.setattr(ahead, "FRESH", 60.0)
    connection = connect(make_sshd())
    us, send, sent = threading.get_ident(), WatchedSocket.send, list[int]()
    has_begun = threading.Event()

    def break_off(line: WatchedSocket, data: bytes) -> int:
        if threading.get_ident() != us or len(sent) > 1:
            return send(line, data)
        sent.append(len(data))
        if len(sent) == 1:
            return send(line, data[:-missing])
        has_begun.wait(0.5)  # A host that has got all of it has begun by then.
        raise BrokenPipeError

    monkeypatch.setattr(WatchedSocket, "send", break_off)
    command = f"echo x >>{tmp_path}/ran"
    assert connection.attempt(command, nothing, Cancellation()) == Ending.exited(0)
    assert sent[1] == missing
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_connection_whose_server_does_not_answer_is_used_no_more(
    make_sshd: MakeSshd, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FRESH", -1.0)
    server = make_sshd()
    connection = connect(server)
    (silent,) = connection.trunks
    silent.transport.channel_timeout = 0.5
    signal_sessions(server, signal.SIGSTOP)
    cancellation, wait = Cancellation(), Session.wait

    def wait_unwanted(session: Session) -> None:
        cancellation.cancel()  # It has been asked for by now.
        wait(session)

    monkeypatch.setattr(Session, "wait", wait_unwanted)
    with suppress(NeverStartedError):  # Nobody wants it any more, and it did not begin.
        assert connection.attempt("true", nothing, cancellation).outcome is Outcome.CANCELLED
    signal_sessions(server, signal.SIGCONT)
    # What it may still give would be nobody's, and would count there.
    assert silent not in connection.trunks
    assert connection.attempt("true", nothing, Cancellation()) == Ending.exited(0)
