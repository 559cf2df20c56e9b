"""NodeConnection against a real sshd: running, cancelling, losing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attempts import Listener, in_background, node, run
from processes import is_alive, kill
from project import wait_until
from sshd import Sshd

from pegasus.errors import NeverStartedError
from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh.base import Cancellation, Connection
from pegasus.ssh.connect import connector
from pegasus.ssh.group import BroadcastGroup
from pegasus.ssh.running import stream


@pytest.fixture
def connection(sshd: Sshd) -> Iterator[Connection]:
    connection = connector(ssh_config=sshd.ssh_config, kill_grace=5)(node("node-1"))
    connection.open()
    yield connection
    connection.close()


def test_reports_status_and_both_outputs_apart(connection: Connection) -> None:
    ending, out, err = run(connection, "echo out; echo err >&2; exit 3")
    assert (ending, out, err) == (Ending.exited(3), b"out\n", b"err\n")


@pytest.mark.parametrize("status", [0, 1, 126, 127, 128, 254, 255])
def test_every_exit_status_is_its_own(connection: Connection, status: int) -> None:
    assert run(connection, f"exit {status}")[0] == Ending.exited(status)


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_death_by_signal_is_named(connection: Connection, name: str) -> None:
    ending = run(connection, f"kill -{name} $$")[0]
    assert (ending.outcome, ending.exit_signal) == (Outcome.SIGNALLED, name)


def test_a_session_whose_shell_dies_by_a_signal_names_it(connection: Connection) -> None:
    ending = run(connection, "kill -KILL $PPID")[0]
    assert (ending.outcome, ending.exit_signal) == (Outcome.SIGNALLED, "KILL")


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("printf %s \"it's\" '$HOME' \"a\\\\b\" '!!' '`x`'", b"it's$HOMEa\\b!!`x`"),
        ("echo one\n\nif true; then\n  echo two\nfi\n", b"one\ntwo\n"),
        ("printf '%s\\n' '*' ~root\\* \"\t\"", b"*\n~root*\n\t\n"),
        ("echo 'Zwölf ☃ 日本語'", "Zwölf ☃ 日本語\n".encode()),
        ("# " + "'\"\\$`" * 20_000 + "\nprintf long", b"long"),
        ("cat; readlink /proc/self/fd/0", b"/dev/null\n"),
    ],
    ids=["quotes", "lines", "globs", "utf-8", "100 kB", "no input"],
)
def test_any_quoting_survives(connection: Connection, command: str, out: bytes) -> None:
    assert run(connection, command) == (Ending.exited(0), out, b"")


def test_a_leading_dash_is_no_option(connection: Connection) -> None:
    ending, _, err = run(connection, "-x")
    assert ending.exit_status in (126, 127)  # 126 where a directory of the PATH is closed to us
    assert b"-x" in err


def test_the_command_is_run_by_sh(connection: Connection) -> None:
    assert run(connection, "echo $0")[1] == b"sh\n"


def test_much_output_arrives_whole_and_is_not_kept(connection: Connection) -> None:
    import resource

    counts = {Stream.STDOUT: 0, Stream.STDERR: 0}

    def count(stream: Stream, data: bytes) -> None:
        counts[stream] += len(data)

    connection.attempt("head -c 10000000 /dev/zero", count, Cancellation())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts.update({Stream.STDOUT: 0, Stream.STDERR: 0})
    command = "head -c 50000000 /dev/zero; head -c 10000000 /dev/zero >&2"
    assert connection.attempt(command, count, Cancellation()).succeeded
    assert counts == {Stream.STDOUT: 50_000_000, Stream.STDERR: 10_000_000}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_bytes_arrive_as_they_were(connection: Connection) -> None:
    out = run(connection, r"for i in 1 2 3; do printf '\303\050\377ü\r'; done; printf '\0'")[1]
    assert out == b"\xc3\x28\xff\xc3\xbc\r" * 3 + b"\0"


def test_a_background_child_that_holds_the_output_does_not_hold_the_attempt(
    connection: Connection,
) -> None:
    before = time.monotonic()
    ending, out, _ = run(connection, "sleep 60 & echo $!")
    try:
        assert ending == Ending.exited(0)
        assert time.monotonic() - before < 10
        assert is_alive(int(out))
    finally:
        kill(int(out))


def test_a_listener_that_raises_neither_stops_nor_ends_the_command(
    connection: Connection, tmp_path: Path
) -> None:
    def on_output(stream: Stream, data: bytes) -> None:
        raise RuntimeError("of the listener's")

    with pytest.raises(RuntimeError, match="of the listener's"):
        connection.attempt(
            f"head -c 8000000 /dev/zero && touch {tmp_path}/finished", on_output, Cancellation()
        )
    assert (tmp_path / "finished").exists()
    assert run(connection, "exit 5")[0] == Ending.exited(5)


def test_cancelling_ends_the_whole_tree(connection: Connection) -> None:
    listener, cancellation = Listener(), Cancellation()
    in_background(lambda: (listener.wait_for(b"\n"), cancellation.cancel(Outcome.TIMED_OUT)))
    command = "sleep 60 & a=$!; sh -c 'sleep 60; :' & echo $a $! $$; wait"
    before = time.monotonic()
    assert connection.attempt(command, listener, cancellation) == Ending(Outcome.TIMED_OUT)
    assert time.monotonic() - before < 4.5  # before the grace is over
    pids = [int(pid) for pid in listener.stdout.split()]
    assert len(pids) == 3
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the processes")
    assert run(connection, "exit 6")[0] == Ending.exited(6)


def test_cancelling_works_while_the_command_floods_us(connection: Connection) -> None:
    cancellation = Cancellation()
    asked = threading.Event()

    def on_output(stream: Stream, data: bytes) -> None:
        asked.set()

    in_background(lambda: (asked.wait(20), cancellation.cancel()))
    assert connection.attempt("yes", on_output, cancellation) == Ending(Outcome.CANCELLED)


def test_what_is_cancelled_before_it_starts_never_runs(
    connection: Connection, tmp_path: Path
) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    ending = connection.attempt(f"touch {tmp_path}/ran", Listener(), cancellation)
    assert ending == Ending(Outcome.CANCELLED)
    assert not (tmp_path / "ran").exists()


def test_closing_ends_what_runs_and_the_next_open_connects_again(connection: Connection) -> None:
    listener = Listener()
    in_background(lambda: (listener.wait_for(b"\n"), connection.close()))
    ending = connection.attempt("sleep 60 & echo $! $$; wait", listener, Cancellation())
    assert ending.outcome is Outcome.CANCELLED
    pids = [int(pid) for pid in listener.stdout.split()]
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the processes")
    connection.close()
    connection.open()
    assert run(connection, "exit 4")[0] == Ending.exited(4)


def test_killing_the_controller_ends_the_tree(sshd: Sshd) -> None:
    program = (
        "import sys\n"
        "from pegasus.model import Host, Node\n"
        "from pegasus.ssh.base import Cancellation\n"
        "from pegasus.ssh.connect import connector\n"
        "connection = connector(ssh_config=sys.argv[1])(Node(0, Host('node-2', 'node-2')))\n"
        "connection.open()\n"
        "write = lambda stream, data: (sys.stdout.buffer.write(data), sys.stdout.flush())\n"
        "connection.attempt(sys.argv[2], write, Cancellation())\n"
    )
    command = "sleep 60 & (trap '' HUP; sleep 60) & echo $! $$; sleep 60; :"
    controller = subprocess.Popen(
        [sys.executable, "-c", program, sshd.ssh_config, command],
        stdout=subprocess.PIPE,
        cwd=Path.cwd(),
    )
    assert controller.stdout is not None
    with controller.stdout:
        pids = [int(pid) for pid in controller.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_alive(pid) for pid in pids)
        controller.kill()
        controller.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the processes")


def test_a_command_whose_connection_is_cut_is_lost_and_ended_there(
    make_sshd: Callable[..., Sshd],
) -> None:
    server = make_sshd()
    connection = connector(ssh_config=server.ssh_config, kill_grace=1)(node("node-1"))
    connection.open()
    listener = Listener()
    in_background(lambda: (listener.wait_for(b"\n"), server.sever()))
    ending = connection.attempt("sleep 60 & echo $! $$; wait", listener, Cancellation())
    assert ending.outcome is Outcome.LOST
    assert "connection was lost" in ending.detail
    pids = [int(pid) for pid in listener.stdout.split()]
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the processes")
    connection.close()


def test_a_connection_that_has_dropped_is_opened_again_once(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    connection.open()
    assert run(connection, "true")[0].succeeded
    server.restart()
    assert run(connection, "exit 8")[0] == Ending.exited(8)
    server.stop()
    with pytest.raises(NeverStartedError) as caught:
        run(connection, "true")
    assert (caught.value.node, caught.value.step) == (connection.node, "connect")
    connection.close()


def test_a_server_that_gives_no_session_means_never_started(
    make_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    server = make_sshd("MaxSessions 0")
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    connection.open()
    with pytest.raises(NeverStartedError) as caught:
        run(connection, f"touch {tmp_path}/ran")
    assert caught.value.step == "session"
    expected = "the server refuses a session (Connect failed); see MaxSessions in its sshd_config"
    assert caught.value.problem == expected
    assert not (tmp_path / "ran").exists()
    connection.close()


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("/bin/true", "status 0"),
        ("/bin/false", "status 1"),
        ("echo Not available.; exit 1", "status 1 and said 'Not available.'"),
        ("echo Go away. >&2; exit 1", "status 1 and said 'Go away.'"),
        ('printf %s "$SSH_ORIGINAL_COMMAND"', "status 0"),
        ("cat", "no answer"),
        ("kill -KILL $$", "signal KILL"),
    ],
)
def test_what_runs_something_else_has_never_started_the_command(
    make_sshd: Callable[..., Sshd],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    program: str,
    how: str,
) -> None:
    monkeypatch.setattr(stream, "BEGINNING", 1.0 if program == "cat" else 60.0)
    server = make_sshd(f"ForceCommand {program}")
    connection = connector(ssh_config=server.ssh_config, kill_grace=1)(node("node-1"))
    connection.open()
    for _ in range(3):
        with pytest.raises(NeverStartedError) as caught:
            run(connection, f"touch {tmp_path}/ran")
        assert caught.value.step == "session"
        assert "ForceCommand" in caught.value.problem
        assert f"`ssh -F {server.ssh_config} node-1 echo ok`" in caught.value.problem
        if program != "cat":
            assert how in caught.value.problem
    assert server.log.read_text().count("Accepted publickey") == 1  # nothing to connect anew for
    assert not (tmp_path / "ran").exists()
    connection.close()


def test_it_makes_no_difference_when_that_ends_before_it_was_told(
    make_sshd: Callable[..., Sshd],
) -> None:
    server = make_sshd("ForceCommand /bin/true")
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    connection.open()
    with pytest.raises(NeverStartedError, match="status 0"):
        run(connection, "# " + "x" * 6_000_000)  # more than the channel holds
    assert server.log.read_text().count("Accepted publickey") == 1
    connection.close()


def test_a_startup_file_that_eats_the_input_is_found_out(
    make_sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stream, "BEGINNING", 1.0)
    server = make_sshd('ForceCommand cat >/dev/null; eval "$SSH_ORIGINAL_COMMAND"')
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    before = time.monotonic()
    with pytest.raises(NeverStartedError, match="within 1 s"):
        run(connection, f"touch {tmp_path}/ran")
    assert time.monotonic() - before < 10  # it ends when it is let go
    assert not (tmp_path / "ran").exists()
    connection.close()


def test_and_it_can_be_cancelled_before(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd('ForceCommand cat >/dev/null; eval "$SSH_ORIGINAL_COMMAND"')
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    connection.open()
    cancellation = Cancellation()
    threading.Timer(0.5, cancellation.cancel).start()
    assert connection.attempt("echo ran", Listener(), cancellation) == Ending(Outcome.CANCELLED)
    connection.close()


def test_what_the_login_prints_is_not_the_command_s_output(
    make_sshd: Callable[..., Sshd],
) -> None:
    noise = "head -c 100000 /dev/zero; printf Welcome"
    server = make_sshd(f'ForceCommand {noise}; eval "$SSH_ORIGINAL_COMMAND"')
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    assert run(connection, "printf own; exit 3") == (Ending.exited(3), b"own", b"")
    connection.close()


def test_a_slow_listener_gets_all_output(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "QUIET", 0.3)
    monkeypatch.setattr(stream, "LINGER", 1.0)
    total = 0

    def listen(stream: Stream, data: bytes) -> None:
        nonlocal total
        total += len(data)
        time.sleep(0.05)

    assert connection.attempt("head -c 2000000 /dev/zero", listen, Cancellation()).succeeded
    assert total == 2_000_000


def test_sessions_that_background_children_hold_open_do_not_use_up_the_connection(
    make_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    server = make_sshd("MaxSessions 1")
    connection = connector(ssh_config=server.ssh_config)(node("node-1"))
    connection.open()
    pids = []
    for _ in range(3):
        ending, out, _ = run(connection, "sleep 60 & echo $!")
        assert ending.succeeded
        pids.append(int(out))
    for pid in pids:
        kill(pid)
    connection.close()


def test_a_group_of_all_kinds_acts_at_once_on_every_member(sshd: Sshd) -> None:
    connect = connector(ssh_config=sshd.ssh_config)
    nodes = [node("node-1", 0), node("node-1", 1), node("localhost", 2), node("localhost", 3)]
    group = BroadcastGroup.of(connect(member) for member in nodes)
    assert list(group.each(lambda connection: connection.open()).values) == nodes
    barrier = threading.Barrier(4)

    def meet(connection: Connection) -> Ending:
        barrier.wait(20)  # all are here at the same time
        return run(connection, f"exit {connection.node.index}")[0]

    results = group.each(meet)
    assert results.errors == {}
    assert results.values == {member: Ending.exited(member.index) for member in nodes}
    group.close()


def test_an_open_connection_leaves_nothing_behind_when_it_is_closed(sshd: Sshd) -> None:
    connect = connector(ssh_config=sshd.ssh_config)

    def use() -> None:
        connection = connect(node("node-1"))
        connection.open()
        run(connection, "true")
        connection.close()

    use()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        use()
    wait_until(lambda: threading.active_count() <= threads, "the end of the threads")
    wait_until(
        lambda: len(os.listdir("/proc/self/fd")) <= descriptors, "the descriptors to be closed"
    )


def test_small_messages_are_sent_at_once(connection: Any) -> None:
    sock = connection.trunks[0].transport.sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_idle_command_wakes_nobody(connection: Connection) -> None:
    cancellation, listener = Cancellation(), Listener()
    thread = in_background(
        lambda: connection.attempt("echo ready; sleep 60", listener, cancellation)
    )
    listener.wait_for(b"ready")
    time.sleep(0.2)  # what the start has stirred up settles
    before = wake_ups()
    time.sleep(1)
    woken = wake_ups() - before
    cancellation.cancel()
    thread.join()
    assert woken < 8  # polling ten times a second, as Paramiko does, would be more


def wake_ups() -> int:
    """Return how often the threads of this process have slept so far."""
    total = 0
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def test_closing_is_noticed_by_the_server_at_once(connection: Any) -> None:
    transport = connection.trunks[0].transport
    time.sleep(0.5)  # until the server has said all it says after a login
    connection.close()
    transport.join(3)  # it sleeps for five seconds when nobody wakes it
    assert not transport.is_alive()
