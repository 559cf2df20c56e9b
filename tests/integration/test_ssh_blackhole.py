"""Hosts that vanish without a word: their packets are dropped, or their sshd is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from blackhole import FarHost, UnavailableError, far_host
from sshd import Sshd

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Stream
from pegasus.model import Ending, Host, Node, Outcome
from pegasus.ssh.base import Cancellation
from pegasus.ssh.connect import connector
from pegasus.ssh.running import ahead

#: The setting in these tests, in seconds, and what a busy machine may add to it.
DEAD_AFTER = 2.0
MARGIN = 6.0
#: How long a host may take to answer, in seconds: enough for one that lives, on a busy machine.
PATIENCE = 4

CHATTER = "while :; do echo line; sleep 0.02; done"
SILENCE = "echo line; exec sleep 600"


class Cut:
    """Listens to a command, and cuts it off after its first line."""

    def __init__(self, cut: Callable[[], object]) -> None:
        self._cut = cut
        self.at = 0.0

    def __call__(self, stream: Stream, data: bytes) -> None:
        if not self.at:
            self._cut()
            self.at = time.monotonic()


def connect(server: Sshd, name: str = "node-1") -> Any:
    make = connector(ssh_config=server.ssh_config, kill_grace=1, dead_after=DEAD_AFTER)
    return make(Node(0, Host(name, name)))


def nothing(stream: Stream, data: bytes) -> None:
    pass


def after_a_while() -> Cancellation:
    """Return a request that ends a command which should have been lost long before."""
    cancellation = Cancellation()
    timer = threading.Timer(30, cancellation.cancel)
    timer.daemon = True
    timer.start()
    return cancellation


def stop_sessions(server: Sshd) -> None:
    for pid in server.sessions():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, signal.SIGSTOP)


def in_time(since: float) -> bool:
    return time.monotonic() - since < DEAD_AFTER + MARGIN


@pytest.fixture
def far() -> Iterator[FarHost]:
    try:
        with far_host() as host:
            yield host
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def far_sshd(far: FarHost, tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "far").mkdir()
    server = Sshd(tmp_path / "far", address=far.address, prefix=far.prefix)
    server.start()
    with Path(server.ssh_config).open("a") as config:
        config.write(f"    ConnectTimeout {PATIENCE}\n")
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("command", [CHATTER, SILENCE], ids=["talking", "silent"])
def test_a_command_whose_host_vanishes_is_lost(far: FarHost, far_sshd: Sshd, command: str) -> None:
    connection = connect(far_sshd)
    connection.open()
    listener = Cut(far.swallow)
    ending = connection.attempt(command, listener, after_a_while())
    assert in_time(listener.at)
    assert ending.outcome is Outcome.LOST
    assert ending.detail.endswith(": no sign of life for 2 s")
    before = time.monotonic()
    connection.close()
    assert time.monotonic() - before < 1


def test_a_host_that_vanishes_behind_a_jump_host_is_noticed(
    far: FarHost, far_sshd: Sshd, sshd: Sshd
) -> None:
    text = Path(far_sshd.ssh_config).read_text()
    jump = Path(sshd.ssh_config).read_text().partition("Host *")[0].replace("node-1", "jump")
    jump += "".join(
        f"    {name} {sshd.directory}/{file}\n"
        for name, file in (("IdentityFile", "client_key"), ("UserKnownHostsFile", "known_hosts"))
    )
    alias = (
        f"Host behind\n    HostName {far.address}\n    Port {far_sshd.port}\n    ProxyJump jump\n"
    )
    Path(far_sshd.ssh_config).write_text(jump + alias + text)
    connection = connect(far_sshd, "behind")
    connection.open()
    listener = Cut(far.swallow)
    ending = connection.attempt(SILENCE, listener, after_a_while())
    assert in_time(listener.at)
    assert (ending.outcome, "no sign of life" in ending.detail) == (Outcome.LOST, True)
    connection.close()


def test_a_host_that_vanishes_between_two_commands_is_noticed(far: FarHost, far_sshd: Sshd) -> None:
    connection = connect(far_sshd)
    assert connection.attempt("true", nothing, Cancellation()).succeeded
    transport = connection.trunks[0].transport
    far.swallow()
    cut_at = time.monotonic()
    transport.join(DEAD_AFTER + MARGIN)
    assert not transport.is_alive()
    assert in_time(cut_at)
    with pytest.raises(NeverStartedError, match=f"does not answer within {PATIENCE} s"):
        connection.attempt("true", nothing, Cancellation())
    far.heal()
    assert connection.attempt("true", nothing, Cancellation()).succeeded
    connection.close()


def test_a_session_that_is_asked_for_in_vain_never_started(far: FarHost, far_sshd: Sshd) -> None:
    connection = connect(far_sshd)
    connection.open()
    far.swallow()
    cut_at = time.monotonic()
    with pytest.raises(NeverStartedError) as caught:
        connection.attempt("true", nothing, Cancellation())
    assert caught.value.step == "connect"  # which was tried again
    assert time.monotonic() - cut_at < DEAD_AFTER + PATIENCE + MARGIN
    connection.close()


def test_a_session_that_was_had_ahead_shows_not_that_a_host_is_still_there(
    far: FarHost, far_sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(far_sshd)
    for _ in range(3):
        assert connection.attempt("true", nothing, Cancellation()).succeeded
    monkeypatch.setattr(ahead, "FRESH", 0.0)  # as if some time had passed
    far.swallow()
    with pytest.raises(NeverStartedError) as caught:
        connection.attempt("true", nothing, Cancellation())
    assert caught.value.step == "connect"
    connection.close()


def test_a_host_that_is_not_there_is_given_up_in_time(far: FarHost, far_sshd: Sshd) -> None:
    far.swallow()
    before = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        connect(far_sshd).open()
    assert (caught.value.step, f"within {PATIENCE} s" in caught.value.problem) == ("connect", True)
    assert time.monotonic() - before < PATIENCE + MARGIN


@pytest.mark.parametrize("command", [CHATTER, SILENCE], ids=["talking", "silent"])
def test_an_sshd_that_hangs_is_taken_for_dead(make_sshd: Callable[..., Sshd], command: str) -> None:
    server = make_sshd()
    connection = connect(server)
    listener = Cut(lambda: stop_sessions(server))  # its kernel acknowledges what comes
    ending = connection.attempt(command, listener, after_a_while())
    assert in_time(listener.at)
    assert ending.outcome is Outcome.LOST
    assert ending.detail.endswith(": no sign of life for 2 s")
    connection.close()


def test_and_so_it_is_while_new_keys_are_agreed_on(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    connection = connect(server)
    connection.open()
    listener = Cut(lambda: (stop_sessions(server), connection.trunks[0].transport._send_kex_init()))
    ending = connection.attempt(SILENCE, listener, after_a_while())
    assert in_time(listener.at)
    assert (ending.outcome, "no sign of life" in ending.detail) == (Outcome.LOST, True)
    connection.close()


def test_and_while_a_command_is_being_told(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    connection = connect(server)
    connection.open()
    first = connection.trunks[0].transport
    told = threading.Event()
    send = first.packetizer.send_message

    def stop_before_data(message: Any) -> None:
        if message.asbytes()[0] == 94 and not told.is_set():  # SSH_MSG_CHANNEL_DATA
            told.set()
            stop_sessions(server)
        send(message)

    first.packetizer.send_message = stop_before_data
    before = time.monotonic()
    # More than the buffers of both kernels hold: whoever writes has to wait.
    command = "# " + "x" * 60_000 + "\n:\n" * 600_000
    ending = connection.attempt(command, nothing, after_a_while())
    assert told.is_set()
    assert not first.is_active()
    assert time.monotonic() - before < DEAD_AFTER + 2 * MARGIN
    assert ending.exit_status == 126  # a new connection told it: the argument is too long
    connection.close()


def test_a_live_host_may_be_silent_for_long(sshd: Sshd) -> None:
    make = connector(ssh_config=sshd.ssh_config, dead_after=1.5)
    connection: Any = make(Node(0, Host("node-1", "node-1")))
    connection.open()
    assert connection.attempt("sleep 4; exit 5", nothing, Cancellation()) == Ending.exited(5)
    connection.close()


def test_a_program_that_is_suspended_does_not_take_its_host_for_dead(sshd: Sshd) -> None:
    program = (
        "import sys\n"
        "from pegasus.model import Host, Node\n"
        "from pegasus.ssh.base import Cancellation\n"
        "from pegasus.ssh.connect import connector\n"
        "make = connector(ssh_config=sys.argv[1], dead_after=1.5)\n"
        "connection = make(Node(0, Host('node-1', 'node-1')))\n"
        "write = lambda stream, data: print(data.decode(), end='', flush=True)\n"
        "print(connection.attempt('echo begun; sleep 5', write, Cancellation()))\n"
        "connection.close()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, sshd.ssh_config], stdout=subprocess.PIPE, text=True
    ) as suspended:
        assert suspended.stdout is not None
        assert suspended.stdout.readline() == "begun\n"
        for _ in range(2):
            suspended.send_signal(signal.SIGSTOP)
            time.sleep(1.8)  # longer than the silence that means death
            suspended.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        assert suspended.stdout.read() == "exit status: 0\n"
        assert suspended.wait() == 0
