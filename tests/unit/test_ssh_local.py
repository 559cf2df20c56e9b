"""LocalConnection: commands as subprocesses of this host."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from attempts import Listener, run
from processes import is_alive, kill
from project import wait_until

from pegasus.errors import NeverStartedError
from pegasus.events import Stream
from pegasus.model import Ending, Host, Node, Outcome
from pegasus.ssh.base import Cancellation
from pegasus.ssh.local import LocalConnection

NODE = Node(0, Host("localhost", "localhost"))


@pytest.fixture
def connection() -> LocalConnection:
    return LocalConnection(NODE, kill_grace=5)


def states_of_children() -> list[str]:
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rsplit(") ", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid():
            states.append(state)
    return states


def test_reports_status_and_both_outputs_apart(connection: LocalConnection) -> None:
    ending, out, err = run(connection, "echo out; echo err >&2; exit 3")
    assert (ending, out, err) == (Ending.exited(3), b"out\n", b"err\n")


@pytest.mark.parametrize("status", [0, 1, 126, 127, 128, 254, 255])
def test_every_exit_status_is_its_own(connection: LocalConnection, status: int) -> None:
    assert run(connection, f"exit {status}")[0] == Ending.exited(status)


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_death_by_signal_is_named(connection: LocalConnection, name: str) -> None:
    ending = run(connection, f"kill -{name} $$")[0]
    assert (ending.outcome, ending.exit_signal) == (Outcome.SIGNALLED, name)


def test_runs_here_with_our_environment_and_no_input(
    connection: LocalConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_VARIABLE", "it's $HERE")
    ending, out, _ = run(connection, 'pwd; echo "$SOME_VARIABLE"; cat; readlink /proc/self/fd/0')
    assert ending.succeeded
    assert out.decode().splitlines() == [str(tmp_path), "it's $HERE", "/dev/null"]


def test_output_comes_while_the_command_runs(connection: LocalConnection, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    listener, endings = Listener(), []
    thread = threading.Thread(
        target=lambda: endings.append(
            connection.attempt(f"printf early; cat {gate}", listener, Cancellation())
        )
    )
    thread.start()
    listener.wait_for(b"early")
    assert endings == []
    gate.write_bytes(b" late")
    thread.join(20)
    assert (endings, listener.stdout) == ([Ending.exited(0)], b"early late")


def test_bytes_arrive_as_they_were(connection: LocalConnection) -> None:
    ending, out, _ = run(connection, "head -c 3000000 /dev/urandom | tee /dev/stderr | sha1sum >&2")
    assert ending.succeeded
    assert out == b""
    out = run(connection, r"for i in 1 2 3; do printf '\303\050\377ü\r'; done")[1]
    assert out == b"\xc3\x28\xff\xc3\xbc\r" * 3


def test_a_background_child_that_holds_the_output_does_not_hold_the_attempt(
    connection: LocalConnection,
) -> None:
    before = time.monotonic()
    ending, out, _ = run(connection, "sleep 60 & echo $!")
    try:
        assert ending == Ending.exited(0)
        assert time.monotonic() - before < 10
        assert is_alive(int(out))
    finally:
        kill(int(out))


def test_a_background_child_that_writes_for_ever_does_not_hold_the_attempt(
    connection: LocalConnection,
) -> None:
    before = time.monotonic()
    ending = run(connection, "yes & exit 4")[0]
    assert ending == Ending.exited(4)
    assert time.monotonic() - before < 10


def test_cancelling_ends_the_whole_tree_with_the_outcome_asked_for(
    connection: LocalConnection,
) -> None:
    listener, cancellation = Listener(), Cancellation()
    asker = threading.Thread(
        target=lambda: (listener.wait_for(b"\n"), cancellation.cancel(Outcome.TIMED_OUT))
    )
    asker.start()
    command = "sleep 60 & a=$!; sh -c 'sleep 60; :' & echo $a $! $$; wait"
    ending = connection.attempt(command, listener, cancellation)
    assert ending == Ending(Outcome.TIMED_OUT)
    pids = [int(pid) for pid in listener.stdout.split()]
    assert len(pids) == 3
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the processes")


def test_a_cancelled_command_that_ignores_term_is_killed_after_the_grace() -> None:
    listener, cancellation = Listener(), Cancellation()
    asker = threading.Thread(target=lambda: (listener.wait_for(b"\n"), cancellation.cancel()))
    asker.start()
    before = time.monotonic()
    ending = LocalConnection(NODE, kill_grace=0.5).attempt(
        "trap '' TERM; echo $$; while :; do sleep 0.05; done", listener, cancellation
    )
    assert ending == Ending(Outcome.CANCELLED)
    assert time.monotonic() - before < 10
    wait_until(lambda: not is_alive(int(listener.stdout)), "the end of the processes")


def test_what_is_cancelled_before_it_starts_never_runs(
    connection: LocalConnection, tmp_path: Path
) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    ending = connection.attempt(f"touch {tmp_path}/ran", Listener(), cancellation)
    assert ending == Ending(Outcome.CANCELLED)
    assert not (tmp_path / "ran").exists()


def test_cancelling_after_the_end_changes_nothing(connection: LocalConnection) -> None:
    cancellation = Cancellation()
    assert connection.attempt("exit 2", Listener(), cancellation) == Ending.exited(2)
    cancellation.cancel()


def test_closing_ends_what_runs(connection: LocalConnection) -> None:
    listener = Listener()
    closer = threading.Thread(target=lambda: (listener.wait_for(b"\n"), connection.close()))
    closer.start()
    ending = connection.attempt("echo $$; exec sleep 60", listener, Cancellation())
    assert ending.outcome is Outcome.CANCELLED
    wait_until(lambda: not is_alive(int(listener.stdout)), "the end of the processes")
    connection.close()


def test_a_listener_that_raises_neither_stops_nor_ends_the_command(
    connection: LocalConnection, tmp_path: Path
) -> None:
    seen: list[int] = []

    def on_output(stream: Stream, data: bytes) -> None:
        seen.append(len(data))
        raise RuntimeError(f"failure {len(seen)}")

    with pytest.raises(RuntimeError, match=r"failure 1$"):
        connection.attempt(
            f"head -c 5000000 /dev/zero && touch {tmp_path}/finished", on_output, Cancellation()
        )
    assert sum(seen) == 5_000_000
    assert (tmp_path / "finished").exists()


@pytest.mark.parametrize(("text", "named"), [("\0", b"NUL"), ("\ud800", b"\\ud800")])
def test_a_command_that_no_shell_can_be_given_fails_rather_than_wanders(
    connection: LocalConnection, text: str, named: bytes
) -> None:
    ending, _, err = run(connection, f"echo a{text}b")
    assert ending == Ending.exited(126)
    assert named in err


def test_without_sh_the_command_has_never_started(
    connection: LocalConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NeverStartedError, match="can't start sh"):
        run(connection, "true")


def test_a_lack_of_descriptors_or_threads_is_no_beginning_either(
    connection: LocalConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr("selectors.DefaultSelector", fail)
        with pytest.raises(NeverStartedError, match="Too many open files"):
            run(connection, f"touch {tmp_path}/begun")
    assert run(connection, "true")[0].succeeded
    assert not (tmp_path / "begun").exists()


def test_a_sh_that_runs_something_else_has_never_started_the_command(
    connection: LocalConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "sh"
    fake.write_text("#!/bin/sh\nread line\necho Not now.\n")
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NeverStartedError, match=r"status 0 and said 'Not now\.'") as caught:
        run(connection, "true")
    assert caught.value.step == "session"


def test_many_commands_leave_neither_descriptors_nor_threads_nor_processes(
    connection: LocalConnection,
) -> None:
    run(connection, "true")
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(30):
        run(connection, "true")
    wait_until(lambda: threading.active_count() <= before[1], "the end of the threads")
    assert len(os.listdir("/proc/self/fd")) <= before[0]
    assert not any(state in "ZX" for state in states_of_children())


def test_memory_stays_flat_whatever_is_printed(connection: LocalConnection) -> None:
    import resource

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    total = 0

    def count(stream: Stream, data: bytes) -> None:
        nonlocal total
        total += len(data)

    connection.attempt("head -c 5000000 /dev/zero", count, Cancellation())
    before, total = peak(), 0
    connection.attempt("head -c 200000000 /dev/zero", count, Cancellation())
    assert total == 200_000_000
    assert peak() - before < 20_000  # KiB


def test_killing_the_controller_ends_the_tree(tmp_path: Path) -> None:
    program = (
        "from pegasus.model import Host, Node\n"
        "from pegasus.ssh.base import Cancellation\n"
        "from pegasus.ssh.local import LocalConnection\n"
        "import sys\n"
        "node = Node(0, Host('localhost', 'localhost'))\n"
        "write = lambda stream, data: (sys.stdout.buffer.write(data), sys.stdout.flush())\n"
        "LocalConnection(node).attempt(sys.argv[1], write, Cancellation())\n"
    )
    command = "sleep 60 & echo $! $$; sleep 60; :"
    controller = subprocess.Popen(
        [sys.executable, "-c", program, command], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert controller.stdout is not None
    with controller.stdout:
        pids = [int(pid) for pid in controller.stdout.readline().split()]
        assert all(is_alive(pid) for pid in pids)
        controller.kill()
        controller.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the processes")


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_command(connection: LocalConnection) -> None:
    ending, out, _ = run(connection, "cat /proc/$$/stat")
    assert ending.succeeded
    session = int(out.rsplit(b") ", 1)[1].split()[3])
    assert session != os.getsid(0)
