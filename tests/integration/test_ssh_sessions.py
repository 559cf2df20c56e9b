"""Several commands at a time on one node: over how many SSH connections, and what breaks whom."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attempts import Listener, in_background, node, run
from processes import is_alive, kill
from project import PATIENCE, wait_until
from sshd import Sshd

from pegasus.errors import NeverStartedError
from pegasus.model import Ending, Outcome, Slots, Surroundings
from pegasus.modes.counting import slots_of
from pegasus.ssh.base import Cancellation
from pegasus.ssh.connect import connector

MakeSshd = Callable[..., Sshd]


class Jobs:
    """Commands that run at the same time over a node's connection, until they are let go.

    Attributes:
        endings: how each ended, by its number.
    """

    def __init__(self, connection: Any, directory: Path) -> None:
        self.connection = connection
        self.endings: dict[int, Ending | NeverStartedError] = {}
        self.cancellations: dict[int, Cancellation] = {}
        self.listeners: dict[int, Listener] = {}
        self._directory = directory
        self._threads: list[threading.Thread] = []

    def start(self, count: int) -> None:
        """Start so many more, all at once."""
        first = len(self._threads)
        for number in range(first, first + count):
            self.cancellations[number] = Cancellation()
            self.listeners[number] = Listener()
        for number in range(first, first + count):
            self._threads.append(in_background(lambda number=number: self._attempt(number)))

    def wait(self, count: int) -> None:
        """Wait until so many run."""
        wait_until(lambda: len(self.running()) == count, f"{count} commands")

    def running(self) -> list[int]:
        begun = [path for path in self._directory.iterdir() if path.name.startswith("begun-")]
        pids = [path.read_text() for path in begun]
        return [int(pid) for pid in pids if pid.endswith("\n") and is_alive(int(pid))]

    def begun(self, number: int) -> str:
        """Return how often a command has begun, and with which id, in lines."""
        return (self._directory / f"begun-{number}").read_text()

    def finish(self) -> dict[int, Ending | NeverStartedError]:
        """Let all go that run; return how all ended, when they have."""
        (self._directory / "go").touch()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
        return self.endings

    def _attempt(self, number: int) -> None:
        directory = self._directory
        command = (
            f"echo $$ >>{directory}/begun-{number}; echo {number}; "
            f"while [ ! -e {directory}/go ]; do sleep 0.05; done; exit {number}"
        )
        arguments = (command, self.listeners[number], self.cancellations[number])
        try:
            self.endings[number] = self.connection.attempt(*arguments)
        except NeverStartedError as error:
            self.endings[number] = error


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Callable[[Sshd], Jobs]]:
    """Connect to a server; return what runs there."""
    made: list[Jobs] = []

    def connect(server: Sshd, kill_grace: float = 1) -> Jobs:
        connection = connector(ssh_config=server.ssh_config, kill_grace=kill_grace)(node())
        connection.open()
        made.append(Jobs(connection, tmp_path))
        return made[-1]

    yield connect
    for one in made:
        one.connection.close()
        one.finish()


def logins(server: Sshd) -> int:
    return server.log.read_text().count("Accepted publickey")


def assert_all_ended_by_themselves(jobs: Jobs, count: int) -> None:
    assert jobs.finish() == {number: Ending.exited(number) for number in range(count)}
    for number in range(count):
        assert jobs.begun(number).count("\n") == 1, "it began twice"
        assert jobs.listeners[number].stdout == b"%d\n" % number


@pytest.mark.parametrize(
    ("lines", "count", "needed"),
    [
        ("", 8, 1),
        ("", 24, 3),
        ("MaxSessions 2", 8, 4),
        ("MaxSessions 1", 8, 8),
        ("MaxSessions 3", 8, 3),
    ],
)
def test_commands_share_as_few_connections_as_the_server_lets_them(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs], lines: str, count: int, needed: int
) -> None:
    server = make_sshd(lines)
    running = jobs(server)
    running.start(count)
    running.wait(count)
    assert len(running.connection.trunks) == logins(server) == needed
    assert_all_ended_by_themselves(running, count)


def test_connections_that_are_there_are_used_again(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]
) -> None:
    server = make_sshd("MaxSessions 2")
    connection = jobs(server).connection
    failures: list[object] = []

    def work() -> None:
        for number in range(10):
            ending = run(connection, f"exit {number}")[0]
            if ending != Ending.exited(number):
                failures.append(ending)

    threads = [in_background(work) for _ in range(6)]
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []
    assert logins(server) <= 4  # 3 do, but what has just ended may still count


def test_a_session_that_has_just_ended_makes_no_further_connection(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]
) -> None:
    server = make_sshd("MaxSessions 1")
    connection = jobs(server).connection
    for _ in range(100):
        assert run(connection, "true")[0].succeeded
    assert logins(server) == 1


def test_children_that_hold_the_output_hold_no_session(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]
) -> None:
    server = make_sshd("MaxSessions 2")
    connection = jobs(server).connection
    pids: list[int] = []

    def leave_a_child() -> None:
        ending, out, _ = run(connection, "sleep 60 & echo $!")
        assert ending.succeeded
        pids.append(int(out))

    threads = [in_background(leave_a_child) for _ in range(2)]
    try:
        for thread in threads:
            thread.join(PATIENCE)
        assert len(pids) == 2
        assert all(is_alive(pid) for pid in pids)
        assert run(connection, "exit 3")[0] == Ending.exited(3)
        assert logins(server) == 1
    finally:
        for pid in pids:
            kill(pid)


@pytest.mark.parametrize("cut", [0, 1])
def test_a_connection_that_is_cut_takes_only_its_own_commands_along(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs], cut: int
) -> None:
    server = make_sshd("MaxSessions 4")
    running = jobs(server)
    running.start(4)
    running.wait(4)
    first = server.sessions()
    running.start(4)
    running.wait(8)
    trunks = running.connection.trunks
    served = [first, [pid for pid in server.sessions() if pid not in first]]
    for pid in served[cut]:
        kill(pid)
    running.wait(4)
    wait_until(lambda: len(running.endings) == 4, "the endings of those that are cut off")
    running.connection.open()  # as who lost a job does
    assert running.connection.trunks == (trunks[1 - cut],)
    running.start(3)
    running.wait(7)
    assert logins(server) == 3
    endings = running.finish()
    lost, others = range(4 * cut, 4 * cut + 4), [*range(4 - 4 * cut, 8 - 4 * cut), 8, 9, 10]
    assert {endings[number].outcome for number in lost} == {Outcome.LOST}  # type: ignore[union-attr]
    assert [endings[number] for number in others] == [Ending.exited(number) for number in others]


def test_the_cancelling_of_one_leaves_the_others(sshd: Sshd, jobs: Callable[[Sshd], Jobs]) -> None:
    running = jobs(sshd)
    running.start(8)
    running.wait(8)
    running.cancellations[3].cancel()
    wait_until(lambda: running.endings.keys() == {3}, "the end of one")
    assert running.endings[3] == Ending(Outcome.CANCELLED)
    running.wait(7)
    endings = running.finish()
    assert [endings[number] for number in (0, 7)] == [Ending.exited(0), Ending.exited(7)]


def test_closing_ends_all_of_them(make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]) -> None:
    running = jobs(make_sshd("MaxSessions 3"))
    running.start(8)
    running.wait(8)
    running.connection.close()
    wait_until(lambda: len(running.endings) == 8, "the endings")
    outcomes = {ending.outcome for ending in running.endings.values()}  # type: ignore[union-attr]
    assert outcomes == {Outcome.CANCELLED}
    running.wait(0)
    running.connection.open()
    assert run(running.connection, "exit 4")[0] == Ending.exited(4)


def test_a_server_that_gives_no_session_says_so_to_each(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs], tmp_path: Path
) -> None:
    running = jobs(make_sshd("MaxSessions 0"))
    running.start(4)
    endings = running.finish().values()
    problem = "the server refuses a session (Connect failed); see MaxSessions in its sshd_config"
    assert [getattr(error, "problem", error) for error in endings] == [problem] * 4
    assert [path.name for path in tmp_path.iterdir() if path.name != "go"] == []


def test_where_no_further_connection_can_be_had_commands_wait_for_a_session(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]
) -> None:
    server = make_sshd("MaxSessions 2")
    running = jobs(server)
    running.start(2)
    running.wait(2)
    (server.directory / "authorized_keys").write_text("")
    running.start(2)
    wait_until(lambda: "Failed publickey" in server.log.read_text(), "a login that fails")
    assert len(running.running()) == 2
    running.cancellations[0].cancel()
    wait_until(lambda: 0 in running.endings, "the end of one")
    running.wait(2)
    endings = running.finish()
    assert [endings[number] for number in (1, 2, 3)] == [Ending.exited(n) for n in (1, 2, 3)]


def test_who_waits_for_a_session_can_be_cancelled(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]
) -> None:
    server = make_sshd("MaxSessions 1")
    running = jobs(server)
    running.start(1)
    running.wait(1)
    (server.directory / "authorized_keys").write_text("")
    running.start(1)
    wait_until(lambda: "Failed publickey" in server.log.read_text(), "a login that fails")
    running.cancellations[1].cancel()
    wait_until(lambda: running.endings == {1: Ending(Outcome.CANCELLED)}, "its end")


def test_waiting_costs_nothing(make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]) -> None:
    server = make_sshd("MaxSessions 1")
    running = jobs(server)
    running.start(1)
    running.wait(1)
    (server.directory / "authorized_keys").write_text("")
    running.start(3)
    wait_until(lambda: "Failed publickey" in server.log.read_text(), "a login that fails")
    time.sleep(0.3)  # what that has stirred up settles
    before = time.process_time()
    time.sleep(1)
    assert time.process_time() - before < 0.2


def test_a_cancel_command_gets_a_session_though_all_are_taken(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs]
) -> None:
    server = make_sshd("MaxSessions 1")
    running = jobs(server)
    running.start(2)
    running.wait(2)
    other = connector(ssh_config=server.ssh_config)(node())  # as modes.cancelling does
    try:
        other.open()
        assert run(other, "exit 5")[0] == Ending.exited(5)
    finally:
        other.close()
    assert_all_ended_by_themselves(running, 2)


def test_many_commands_leave_nothing_behind(sshd: Sshd, jobs: Callable[[Sshd], Jobs]) -> None:
    running = jobs(sshd)
    running.start(4)
    running.wait(4)
    before = len(os.listdir("/proc/self/fd"))
    running.start(4)
    running.wait(8)
    assert len(os.listdir("/proc/self/fd")) == before, "a command needs no file of its own"
    running.finish()
    threads = threading.active_count()
    running.connection.close()
    wait_until(lambda: threading.active_count() < threads, "the end of the thread")


def test_commands_here_run_several_at_a_time_too(tmp_path: Path) -> None:
    running = Jobs(connector(kill_grace=1)(node("localhost")), tmp_path)
    running.start(8)
    running.wait(8)
    running.cancellations[2].cancel()
    wait_until(lambda: running.endings == {2: Ending(Outcome.CANCELLED)}, "the end of one")
    running.wait(7)
    running.connection.close()
    wait_until(lambda: len(running.endings) == 8, "the endings")
    running.wait(0)
    outcomes = {ending.outcome for ending in running.finish().values()}  # type: ignore[union-attr]
    assert outcomes == {Outcome.CANCELLED}


def test_each_command_finds_its_own_surroundings(
    make_sshd: MakeSshd, jobs: Callable[[Sshd], Jobs], tmp_path: Path
) -> None:
    connection = jobs(make_sshd("MaxSessions 2")).connection
    found: dict[int, bytes] = {}

    def attempt(number: int) -> None:
        listener = Listener()
        (tmp_path / f"{number}").mkdir()
        surroundings = Surroundings((("MINE", f"it's {number}\n"),), f"{tmp_path}/{number}")
        command = 'printf %s "$MINE"; pwd'
        connection.attempt(command, listener, Cancellation(), surroundings=surroundings)
        found[number] = listener.stdout

    threads = [in_background(lambda number=number: attempt(number)) for number in range(6)]
    for thread in threads:
        thread.join(PATIENCE)
    expected = {n: f"it's {n}\n{tmp_path}/{n}\n".encode() for n in range(6)}
    assert found == expected
    assert run(connection, 'echo "${MINE-unset}"; pwd; echo ~')[1].split()[0] == b"unset"


def test_relative_directories_count_from_the_login_s(sshd: Sshd, jobs: Any) -> None:
    connection = jobs(sshd).connection
    home = run(connection, "pwd")[1]
    for cwd in ("~", ".", "", None):
        listener = Listener()
        surroundings = Surroundings(cwd=cwd)
        connection.attempt("pwd", listener, Cancellation(), surroundings=surroundings)
        assert listener.stdout == home


def test_a_directory_that_is_missing_is_an_ordinary_failure(sshd: Sshd, jobs: Any) -> None:
    listener = Listener()
    ending = jobs(sshd).connection.attempt(
        "echo ran", listener, Cancellation(), surroundings=Surroundings(cwd="/none/such")
    )
    assert (ending, listener.stdout) == (Ending.exited(1), b"")
    message = "the directory /none/such can't be entered: it is not there, or out of reach"
    assert listener.stderr.decode() == f"pegasus: {message}\n"


def test_gpus_of_a_host_are_counted_over_its_connection(
    make_sshd: MakeSshd, jobs: Any, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\nfor i in 0 1 2 3; do echo "GPU $i: A (UUID: GPU-$i)"; done\n')
    tool.chmod(0o700)
    server = make_sshd(f"SetEnv SHLVL=2 PATH={tmp_path}:/usr/bin:/bin")
    connection = jobs(server).connection
    connection.node = replace(connection.node, slots=None)
    assert slots_of(connection) == Slots((0, 1, 2, 3), "CUDA_VISIBLE_DEVICES")
