"""Rounds and barriers of broadcast mode, on fake connections."""

from __future__ import annotations

import threading
from pathlib import Path

from modes import Bench, node
from project import wait_until

from pegasus.events import (
    Aborted,
    AttemptEnded,
    AttemptStarted,
    Draining,
    NodeLost,
    NodeUnreachable,
    QueueRefused,
    Waiting,
)
from pegasus.model import Job, Node, Outcome
from pegasus.plan import Plan
from pegasus.ssh.fake import Act, FakeHosts

N0, N1, N2 = node(0, gpu="a"), node(1, gpu="b"), node(2, gpu="c")
ALL = [N0, N1, N2]


def test_a_round_begins_only_when_all_have_ended_the_one_before(tmp_path: Path) -> None:
    gate = threading.Event()

    def script(where: Node, command: str) -> Act:
        return Act.blocks(gate) if where == N1 and command == "one" else Act()

    bench = Bench(tmp_path, FakeHosts(script), ALL)
    bench.write("- one\n- two\n")
    bench.start_broadcast()
    bench.wait_for(AttemptEnded, times=2)
    assert bench.hosts.commands == ["one"] * 3
    assert bench.left == ["two"]
    gate.set()
    assert bench.finish().ok
    assert bench.hosts.commands == ["one"] * 3 + ["two"] * 3
    assert len(bench.consumed) == 2


def test_each_node_gets_its_own_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), ALL)
    bench.write("- command: '{{ hostname }} {{ gpu }} {{ n }}'\n  n: [1, 2]\n")
    bench.start_broadcast()
    bench.finish()
    assert bench.hosts.ran_on(N2) == ["node-2 c 1", "node-2 c 2"]


def test_the_same_host_twice_is_two_nodes(tmp_path: Path) -> None:
    twin = Node(5, N0.host, N0.params)
    bench = Bench(tmp_path, FakeHosts(), [N0, twin])
    bench.write("- one\n")
    bench.start_broadcast()
    assert len(bench.finish().endings) == 2


def test_a_failing_node_aborts_after_its_round_when_asked(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        return Act.exits(1) if where == N1 else Act()

    bench = Bench(tmp_path, FakeHosts(script), ALL)
    bench.write("- one\n- two\n")
    bench.start_broadcast(error_aborts=True)
    result = bench.finish()
    assert result.exit_status == 5
    assert result.aborted
    assert bench.of(Aborted)
    assert bench.hosts.commands == ["one"] * 3
    assert bench.left == ["two"]


def test_without_that_the_run_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts({"one": Act.exits(1)}), ALL)
    bench.write("- one\n- two\n")
    bench.start_broadcast()
    assert bench.finish().exit_status == 5
    assert bench.hosts.commands == ["one"] * 3 + ["two"] * 3


def test_a_node_out_of_reach_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    hosts = FakeHosts(unreachable=lambda where: "refused" if where == N1 else None)
    bench = Bench(tmp_path, hosts, ALL)
    bench.write("- one\n")
    bench.start_broadcast()
    assert bench.finish().exit_status == 4
    assert hosts.commands == []
    assert bench.left == ["one"]


def test_a_node_out_of_reach_is_skipped_when_asked(tmp_path: Path) -> None:
    hosts = FakeHosts(unreachable=lambda where: "refused" if where == N1 else None)
    bench = Bench(tmp_path, hosts, ALL)
    bench.write("- one\n")
    bench.start_broadcast(skip_unreachable=True)
    assert bench.finish().ok
    assert [event.skipped for event in bench.of(NodeUnreachable)] == [True]
    assert len(hosts.commands) == 2


def test_a_node_lost_on_the_way_counts_as_failed_in_its_round(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        return Act.never_starts("gone") if where == N1 else Act()

    bench = Bench(tmp_path, FakeHosts(script), ALL)
    bench.write("- one\n- two\n")
    bench.start_broadcast(error_aborts=True)
    result = bench.finish()
    assert result.exit_status == 4
    assert [(a.node, e.outcome) for a, e in result.failed] == [(N1, Outcome.UNREACHABLE)]
    assert bench.left == ["two"]


def test_a_job_that_began_on_no_node_goes_back_and_ends_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts({"two": Act.never_starts("gone")}), ALL)
    bench.write("- one\n- two\n- three\n")
    bench.start_broadcast()
    assert bench.finish().exit_status == 4
    assert len(bench.of(NodeLost)) == 3
    assert [job["command"] for job in bench.left[:1]] == [["two"]]
    assert bench.left[1:] == ["three"]
    assert bench.consumed == [{"command": ["one"]}]


def test_a_template_that_one_node_can_not_fill_starts_on_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), [N0, node(1)])
    bench.write("- one\n")
    bench.start_broadcast(daemon=True)
    bench.wait_for(Waiting)
    bench.write("- echo {{ gpu }}\n")
    bench.wait_for(QueueRefused)
    assert bench.hosts.commands == ["one"] * 2
    bench.write("- echo mended\n")
    bench.hosts.wait_for(lambda hosts: len(hosts.ran) == 4)
    bench.mode.drain()
    bench.finish()


def test_a_mistake_is_said_while_a_round_runs(tmp_path: Path) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"one": Act.blocks(gate)}), ALL)
    bench.write("- one\n")
    bench.start_broadcast()
    bench.wait_for(AttemptStarted, times=3)
    bench.write("- [\n")
    bench.wait_for(QueueRefused)
    bench.write("- two\n")
    gate.set()
    assert bench.finish().ok
    assert bench.hosts.commands == ["one"] * 3 + ["two"] * 3


def test_draining_ends_after_the_round(tmp_path: Path) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"one": Act.blocks(gate)}), ALL)
    bench.write("- one\n- two\n")
    bench.start_broadcast()
    bench.wait_for(AttemptStarted, times=3)
    bench.mode.drain()
    gate.set()
    assert bench.finish().ok
    assert [event.running for event in bench.of(Draining)] == [3]
    assert bench.left == ["two"]


def test_cancelling_ends_the_round(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.blocks()), ALL)
    bench.write("- one\n- two\n")
    bench.start_broadcast()
    bench.wait_for(AttemptStarted, times=3)
    bench.mode.cancel()
    result = bench.finish()
    assert [ending.outcome for _, ending in result.endings] == [Outcome.CANCELLED] * 3
    assert bench.left == ["two"]


def test_a_round_that_begins_after_the_cancelling_is_cancelled(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.blocks()), ALL)
    bench.write("")
    bench.start_broadcast(daemon=True)
    bench.wait_for(Waiting)
    bench.mode.cancel()
    bench.finish()
    bench.mode._round(Job("late"), dict.fromkeys(ALL, Plan("late")))
    assert [ending.outcome for _, ending in bench.result.endings] == [Outcome.CANCELLED] * 3


def test_interrupting_while_nodes_connect_runs_nothing(tmp_path: Path) -> None:
    slow = threading.Event()
    hosts = FakeHosts(unreachable=lambda _: "closed" if slow.wait(20) else "never")
    bench = Bench(tmp_path, hosts, [N0])
    bench.write("- one\n")
    bench.start_broadcast()
    wait_until(lambda: bench._thread and bench._thread.is_alive(), "the run")
    bench.mode.drain()
    slow.set()
    bench.finish()
    assert hosts.commands == []
    assert bench.left == ["one"]
    assert bench.of(NodeUnreachable) == []  # We closed them ourselves.
