"""New keys while commands run, much output, and how sessions end, against a real sshd."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paramiko import Message
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_EOF
from project import wait_until
from sshd import Sshd

from pegasus.events import Stream
from pegasus.model import Ending, Host, Node, Outcome
from pegasus.ssh.base import Cancellation, OnOutput
from pegasus.ssh.connect import connector
from pegasus.ssh.running import stream
from pegasus.ssh.wire.packets import NodePacketizer

LIMIT = "RekeyLimit 64K"


class Count:
    """Counts the bytes of both outputs."""

    def __init__(self) -> None:
        self.bytes = {Stream.STDOUT: 0, Stream.STDERR: 0}

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.bytes[stream] += len(data)


def nap_of(sock: socket.socket) -> float:
    """Return how long a read of the kernel's waits, in seconds."""
    seconds, rest = struct.unpack("ll", sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
    return float(seconds + rest / 1e6)


def connect(server: Sshd, **options: Any) -> Any:
    return connector(ssh_config=server.ssh_config, **options)(Node(0, Host("node-1", "node-1")))


def run(connection: Any, command: str, on_output: OnOutput | None = None) -> Ending:
    return connection.attempt(command, on_output or Count(), Cancellation())


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets an item whenever keys are taken into use, the first ones included."""
    seen: list[int] = []
    original = NodePacketizer.set_outbound_cipher

    def note(self: NodePacketizer, *args: Any, **kwargs: Any) -> None:
        seen.append(1)
        original(self, *args, **kwargs)

    monkeypatch.setattr(NodePacketizer, "set_outbound_cipher", note)
    return seen


@pytest.mark.parametrize(
    ("ours", "theirs", "runs"), [(True, False, 10), (False, True, 10), (True, True, 50)]
)
def test_new_keys_do_not_disturb_what_runs(
    make_sshd: Callable[..., Sshd], exchanges: list[int], ours: bool, theirs: bool, runs: int
) -> None:
    server = make_sshd(LIMIT if theirs else "")
    if ours:
        with Path(server.ssh_config).open("a") as config:
            config.write(f"    {LIMIT}\n")
    connection = connect(server)
    connection.open()
    problems: list[object] = []

    def go(number: int) -> None:
        size = 30_000 + 1000 * number
        command = f"# {'x' * size}\nhead -c {size} /dev/zero; head -c 20000 /dev/zero >&2; exit 7"
        for _ in range(runs):
            count = Count()
            ending = run(connection, command, count)
            got = (ending, *count.bytes.values())
            if got != (Ending.exited(7), size, 20_000):
                problems.append(got)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(exchanges) > runs  # the limits were there, and often met
    connection.close()


def test_new_keys_come_after_their_time_too(
    make_sshd: Callable[..., Sshd], exchanges: list[int]
) -> None:
    server = make_sshd()
    with Path(server.ssh_config).open("a") as config:
        config.write("    RekeyLimit default 1\n")
    connection = connect(server)
    connection.open()
    assert run(connection, "for i in $(seq 25); do echo; sleep 0.1; done").succeeded
    assert 3 <= len(exchanges) <= 5  # the first keys, and one a second
    connection.close()


def test_a_server_that_asks_for_a_sign_of_life_gets_it(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd("ClientAliveInterval 1\nClientAliveCountMax 1")
    connection = connect(server)
    connection.open()
    assert run(connection, "sleep 4; exit 9") == Ending.exited(9)
    connection.close()


def test_by_default_a_peer_may_be_silent_for_30_s(make_sshd: Callable[..., Sshd]) -> None:
    connection = connect(make_sshd())
    connection.open()
    sock = connection.trunks[0].transport.sock
    assert nap_of(sock) == 15  # then it is asked, and has as long to answer
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    connection.close()


@pytest.mark.parametrize(("setting", "nap"), [(None, 40), (20.0, 10)])
def test_the_setting_wins_over_openssh_s_configuration(
    make_sshd: Callable[..., Sshd], setting: float | None, nap: float
) -> None:
    server = make_sshd()
    with Path(server.ssh_config).open("a") as config:
        config.write("    ServerAliveInterval 40\n    ServerAliveCountMax 2\n")
    connection = connect(server, dead_after=setting)
    connection.open()
    assert nap_of(connection.trunks[0].transport.sock) == nap
    connection.close()


def test_memory_is_flat_however_long_a_line_is(sshd: Sshd) -> None:
    connection = connect(sshd)
    run(connection, "head -c 20000000 /dev/zero")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = Count()
    command = "head -c 200000000 /dev/zero; head -c 50000000 /dev/zero >&2"
    assert run(connection, command, count).succeeded
    assert list(count.bytes.values()) == [200_000_000, 50_000_000]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000  # KiB
    connection.close()


class Relay:
    """Takes connections to a server; `slow` makes what comes from it trickle, with pauses."""

    def __init__(self, server: Sshd) -> None:
        self.slow = threading.Event()
        self._address = (server.address, server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(self._address)
        threading.Thread(target=self._pass_on, args=(near, far, False), daemon=True).start()
        self._pass_on(far, near, True)
        near.close()
        far.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket, may_be_slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(8192):
                if may_be_slow and self.slow.is_set():
                    time.sleep(0.4)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_a_line_that_falters_at_the_end_loses_no_output(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "QUIET", 0.1)
    relay = Relay(sshd)
    config = Path(sshd.ssh_config).read_text().replace(f"Port {sshd.port}", f"Port {relay.port}")
    (tmp_path / "config").write_text(config.replace("/known_hosts", "/relayed_hosts"))
    make = connector(ssh_config=str(tmp_path / "config"))
    connection: Any = make(Node(0, Host("node-1", "node-1")))
    connection.open()
    relay.slow.set()
    count = Count()
    # Its status is there before what fills the pipe has been taken out of it.
    assert run(connection, "head -c 60000 /dev/zero", count).succeeded
    assert count.bytes[Stream.STDOUT] == 60_000
    connection.close()
    relay.close()


def test_a_background_child_costs_no_more_than_the_silence(sshd: Sshd) -> None:
    connection = connect(sshd)
    connection.open()
    before = time.monotonic()
    count = Count()
    assert run(connection, "sleep 5 & printf %70000s .", count).succeeded
    assert time.monotonic() - before < stream.QUIET + 3
    assert count.bytes[Stream.STDOUT] == 70_000
    connection.close()


def test_255_a_signal_and_a_lost_connection_are_told_apart(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    connection = connect(server)
    assert run(connection, "exit 255") == Ending.exited(255)
    killed = run(connection, "kill -USR1 $$")
    assert (killed.outcome, killed.exit_signal) == (Outcome.SIGNALLED, "USR1")
    cut = run(connection, "echo; sleep 60", lambda stream, data: server.sever())
    assert (cut.outcome, cut.exit_status, cut.exit_signal) == (Outcome.LOST, None, None)
    connection.close()


def test_what_is_written_to_a_session_as_it_ends_does_not_end_the_connection(sshd: Sshd) -> None:
    connection = connect(sshd)
    connection.open()
    channel = connection.trunks[0].create_session()
    channel.exec_command("true")
    wait_until(lambda: channel.closed, "the end of the session")
    for number in (MSG_CHANNEL_DATA, MSG_CHANNEL_EOF):
        late = Message()
        late.add_byte(bytes([number]))
        late.add_int(channel.remote_chanid)
        late.add_string("" if number == MSG_CHANNEL_EOF else "text")
        connection.trunks[0].transport._send_user_message(late)
    transport = connection.trunks[0].transport
    assert run(connection, "exit 7") == Ending.exited(7)
    assert connection.trunks[0].transport is transport, "the server hung up"
    connection.close()
