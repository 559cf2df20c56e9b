"""What an attempt costs on the way to its host: round trips, system calls, threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attempts import Listener, in_background, node, run
from broken_server import BrokenServer
from paramiko import Channel, Message
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_OPEN, MSG_CHANNEL_REQUEST
from project import PATIENCE, wait_until
from sshd import Sshd, generate_key

from pegasus.model import NO_SURROUNDINGS, Ending, Surroundings
from pegasus.ssh.base import Cancellation, nobody
from pegasus.ssh.connect import connector
from pegasus.ssh.running import ahead
from pegasus.ssh.running.watchdog import announcement
from pegasus.ssh.wire.keepalive import WatchedSocket
from pegasus.ssh.wire.transport import NodeTransport

OPEN, COMMAND, DATA = MSG_CHANNEL_OPEN, MSG_CHANNEL_REQUEST, MSG_CHANNEL_DATA

MakeSshd = Callable[..., Sshd]


class Wire:
    """Writes down what attempts send that are made by the thread of the test.

    Attributes:
        flights: the numbers of the messages that were sent together, for each time.
        writes: how many system calls that took.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flights: list[list[int]] = []
        self.writes = 0
        self._thread = threading.get_ident()
        together, send = NodeTransport.send_together, WatchedSocket.send

        def send_together(transport: NodeTransport, messages: Sequence[Message]) -> None:
            if threading.get_ident() == self._thread:
                self.flights.append([message.asbytes()[0] for message in messages])
            together(transport, messages)

        def write(line: WatchedSocket, data: bytes) -> int:
            self.writes += threading.get_ident() == self._thread
            return send(line, data)

        monkeypatch.setattr(NodeTransport, "send_together", send_together)
        monkeypatch.setattr(WatchedSocket, "send", write)

    def attempt(
        self,
        connection: Any,
        command: str = "true",
        surroundings: Surroundings = NO_SURROUNDINGS,
    ) -> list[list[int]]:
        """Run a command, which must succeed; return the flights that this took."""
        self.flights, self.writes = [], 0
        end = Cancellation()
        listener = Listener()
        ending = connection.attempt(command, listener, end, None, nobody, surroundings)
        assert ending == Ending.exited(0), listener.stderr
        return self.flights


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr(ahead, "FRESH", 60.0)  # however slow this machine is
    return Wire(monkeypatch)


@pytest.fixture
def connect() -> Iterator[Callable[[str], Any]]:
    """Return a function that connects to the server of a configuration."""
    made: list[Any] = []

    def make(ssh_config: str) -> Any:
        made.append(connector(ssh_config=ssh_config, kill_grace=1)(node()))
        made[-1].open()
        return made[-1]

    yield make
    for connection in made:
        connection.close()


Connect = Callable[[str], Any]


def logins(server: Sshd) -> int:
    return server.log.read_text().count("Accepted publickey")


def test_the_first_command_takes_one_round_trip_before_it_is_sent(
    sshd: Sshd, connect: Connect, wire: Wire
) -> None:
    assert wire.attempt(connect(sshd.ssh_config)) == [[OPEN], [COMMAND, DATA]]
    assert wire.writes <= 3  # the third one closes the session


def test_one_command_after_another_is_sent_without_waiting_for_anything(
    sshd: Sshd, connect: Connect, wire: Wire
) -> None:
    connection = connect(sshd.ssh_config)
    assert wire.attempt(connection) == [[OPEN], [COMMAND, DATA]]
    assert wire.attempt(connection) == [[OPEN], [OPEN, COMMAND, DATA]]
    for _ in range(10):
        assert wire.attempt(connection) == [[OPEN, COMMAND, DATA]]
        assert wire.writes <= 2


def test_so_it_is_with_variables_and_a_directory(sshd: Sshd, connect: Connect, wire: Wire) -> None:
    connection = connect(sshd.ssh_config)
    found = Surroundings((("A", "it's"),), "/usr")
    for _ in range(3):
        flights = wire.attempt(connection, '[ "$A:$PWD" = "it\'s:/usr" ]', surroundings=found)
    assert flights == [[OPEN, COMMAND, DATA]]


@pytest.mark.parametrize("size", [20_000, 40_000, 120_000])
def test_a_command_that_is_longer_than_a_message_arrives_whole(
    sshd: Sshd, connect: Connect, wire: Wire, size: int
) -> None:
    connection = connect(sshd.ssh_config)
    command = f"text='{'x' * size}'; [ ${{#text}} = {size} ]"
    for _ in range(3):
        flights = wire.attempt(connection, command)
    is_short = size < 32_000
    assert flights == [[OPEN, COMMAND, DATA] if is_short else [OPEN, COMMAND]]


def test_attempts_make_no_threads(
    sshd: Sshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(sshd.ssh_config)
    started: list[threading.Thread] = []
    original = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        started.append(thread)
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    for _ in range(5):
        assert run(connection, "echo")[0].succeeded
    assert started == []


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_session_ahead_needs_no_further_connection(
    make_sshd: MakeSshd, connect: Connect, wire: Wire, limit: int
) -> None:
    server = make_sshd(f"MaxSessions {limit}")
    connection = connect(server.ssh_config)
    asked = 0
    for _ in range(50):
        asked += OPEN in wire.attempt(connection)[-1]
    assert logins(server) == 1
    if limit == 1:
        assert asked == 1, "what is refused is not asked for again and again"


def test_a_session_ahead_takes_the_place_of_no_attempt(
    make_sshd: MakeSshd, connect: Connect, tmp_path: Path
) -> None:
    server = make_sshd("MaxSessions 4")
    connection = connect(server.ssh_config)
    for _ in range(3):
        assert run(connection, "true")[0].succeeded
    endings: list[Ending] = []
    wait = f"echo begun >>{tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    threads = [in_background(lambda: endings.append(run(connection, wait)[0])) for _ in range(4)]
    try:
        begun = tmp_path / "begun"
        wait_until(lambda: begun.exists() and begun.read_text().count("begun") == 4, "all four")
        assert logins(server) == 1
    finally:
        (tmp_path / "go").touch()
        for thread in threads:
            thread.join(PATIENCE)
    assert endings == [Ending.exited(0)] * 4


def test_who_is_refused_a_session_since_one_is_ahead_gets_that(
    make_sshd: MakeSshd, connect: Connect, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_sshd("MaxSessions 2")
    connection = connect(server.ssh_config)
    for _ in range(2):
        wire.attempt(connection)
    listener, end = Listener(), Cancellation()
    thread = in_background(lambda: connection.attempt("echo on; sleep 60", listener, end))
    take, misses = ahead.Ahead.take, [True]  # it comes a moment later than it is looked for
    try:
        listener.wait_for(b"on")
        monkeypatch.setattr(
            ahead.Ahead, "take", lambda self: None if misses and misses.pop() else take(self)
        )
        assert wire.attempt(connection)[0] == [OPEN]
        assert logins(server) == 1
    finally:
        end.cancel()
        thread.join(PATIENCE)


def test_a_session_ahead_that_is_old_or_closed_is_replaced_without_a_word(
    make_sshd: MakeSshd, connect: Connect, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_sshd("MaxSessions 2")
    connection = connect(server.ssh_config)
    for _ in range(2):
        wire.attempt(connection)
    monkeypatch.setattr(ahead, "FRESH", -1.0)
    for _ in range(20):
        flights = wire.attempt(connection)
        assert flights[0] == [OPEN]
    assert logins(server) == 1


def test_a_connection_that_broke_with_a_session_ahead_is_made_anew(
    make_sshd: MakeSshd, connect: Connect, wire: Wire, tmp_path: Path
) -> None:
    server = make_sshd()
    connection = connect(server.ssh_config)
    for _ in range(3):
        wire.attempt(connection)
    server.sever()
    (broken,) = connection.trunks or [None]
    wait_until(lambda: broken is None or not broken.is_connected, "the end of the connection")
    wire.attempt(connection, f"echo x >>{tmp_path}/ran")
    assert (tmp_path / "ran").read_text() == "x\n"
    assert logins(server) == 2


def test_of_other_servers_nothing_is_asked_ahead(tmp_path: Path, connect: Connect) -> None:
    def end(channel: Channel) -> None:
        channel.send(announcement(1))
        channel.send_exit_status(0)
        channel.close()

    server = BrokenServer()
    server.on_exec = lambda channel: threading.Timer(0.01, end, [channel]).start()
    generate_key(tmp_path / "key")
    connection = connect(server.configure(tmp_path, tmp_path / "key"))
    try:
        for count in range(1, 4):
            assert run(connection, "true")[0].succeeded
            assert server.sessions == count
    finally:
        connection.close()
        server.close()
