"""A broadcast whose nodes come and go, that is paused, and whose jobs are bound to nodes."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

import pytest
from modes import Bench, node
from project import wait_until

from pegasus.errors import PegasusError
from pegasus.events import (
    Aborted,
    AttemptEnded,
    AttemptStarted,
    JobsUnfit,
    NodeAdded,
    NodeConnected,
    NodeDrained,
    NodeUndrained,
    NodeUnreachable,
    Paused,
    QueueCounted,
    Resumed,
    RoundEnded,
    Waiting,
)
from pegasus.model import Node, Outcome
from pegasus.modes.broadcast import BroadcastMode
from pegasus.roster import Change
from pegasus.ssh.fake import Act, FakeHosts

N0, N1, N2 = node(0), node(1), node(2)


class Script:
    """A roster that says what it is told to say."""

    def __init__(self) -> None:
        self.changes: deque[Change] = deque()

    def look(self) -> Change | None:
        return self.changes.popleft() if self.changes else None


class Stage(Bench):
    """A broadcast as a daemon, on nodes 0 and 1."""

    def __init__(self, directory: Path, hosts: FakeHosts | None = None) -> None:
        super().__init__(directory, hosts or FakeHosts(), [N0, N1])
        self.script = Script()
        self.roster = self.script

    def begin(self) -> BroadcastMode:
        self.write("")
        self.start_broadcast(daemon=True)
        self.wait_for(Waiting)
        assert isinstance(self.mode, BroadcastMode)
        return self.mode

    def change(self, *added: Node, removed: tuple[Node, ...] = (), back: tuple[Node, ...] = ()):  # type: ignore[no-untyped-def]
        self.script.changes.append(Change(added, removed, back))
        wait_until(lambda: not self.script.changes, "a look")

    def ran_in_round(self, text: str, rounds: int) -> list[int]:
        """Write a queue, wait for its rounds, and return on which nodes the last one was."""
        self.write(text)
        self.wait_for(RoundEnded, rounds)
        return [attempt.node.index for attempt, _ in self.of(RoundEnded)[-1].endings]

    def see(self, jobs: int) -> None:
        """Wait until it has looked at the queue, and has left so many jobs there."""
        wait_until(lambda: [one.jobs for one in self.of(QueueCounted)][-1:] == [jobs], "a look")

    def end(self) -> None:
        assert self.mode
        self.mode.drain()
        self.finish()


def test_a_paused_broadcast_begins_no_round(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    mode = stage.begin()
    mode.pause()
    mode.pause()
    stage.write("- one\n")
    stage.see(1)
    assert stage.of(Paused) == [Paused(0)]
    assert stage.left == ["one"]
    assert stage.hosts.commands == []
    mode.resume()
    stage.wait_for(RoundEnded)
    mode.resume()
    assert len(stage.of(Resumed)) == 1
    stage.end()


def test_a_paused_broadcast_does_not_end_with_its_queue(tmp_path: Path) -> None:
    gate = threading.Event()
    stage = Stage(tmp_path, FakeHosts({"one": Act.blocks(gate)}))
    stage.write("- one\n")
    stage.start_broadcast()
    stage.wait_for(AttemptStarted, 2)
    assert isinstance(stage.mode, BroadcastMode)
    stage.mode.pause()
    assert stage.of(Paused) == [Paused(2)]
    gate.set()
    stage.wait_for(RoundEnded)
    stage.write("- two\n")
    stage.see(1)
    stage.mode.resume()
    assert stage.finish().ok
    assert stage.hosts.commands == ["one", "one", "two", "two"]


def test_a_drained_node_takes_no_part_from_the_next_round_on(tmp_path: Path) -> None:
    gate = threading.Event()
    stage = Stage(tmp_path, FakeHosts({"one": Act.blocks(gate)}))
    mode = stage.begin()
    stage.write("- one\n- two\n")
    stage.wait_for(AttemptStarted, 2)
    assert mode.drain_nodes("node-1") == [N1]
    assert mode.drain_nodes("node-*") == [N0]
    assert mode.drain_nodes("node-1") == []
    assert stage.of(NodeDrained) == [NodeDrained(N1), NodeDrained(N0)]
    gate.set()
    stage.wait_for(RoundEnded)
    assert stage.left == ["two"]
    assert mode.undrain_nodes("node-0") == [N0]
    stage.wait_for(RoundEnded, 2)
    assert stage.hosts.ran_on(N1) == ["one"]
    assert mode.undrain_nodes("node-*") == [N1]
    assert stage.of(NodeUndrained) == [NodeUndrained(N0), NodeUndrained(N1)]
    assert stage.ran_in_round("- three\n", 3) == [0, 1]
    stage.end()


@pytest.mark.parametrize(
    ("expression", "problem"),
    [("gpu", "no node matches `gpu`; there are node-\\[0-1\\]"), ("node-[", "column 6")],
)
def test_who_drains_no_node_is_told_which_there_are(
    tmp_path: Path, expression: str, problem: str
) -> None:
    stage = Stage(tmp_path)
    mode = stage.begin()
    with pytest.raises(PegasusError, match=problem):
        mode.drain_nodes(expression)
    assert stage.of(NodeDrained) == []
    stage.end()


def test_an_added_node_takes_part_as_soon_as_it_is_connected(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.begin()
    stage.change(N2)
    stage.wait_for(NodeConnected, 3)
    assert stage.of(NodeAdded) == [NodeAdded(N2)]
    wait_until(lambda: len(stage.mode._participants.taking_part()) == 3, "it")  # type: ignore[union-attr]
    assert stage.ran_in_round("- one\n", 1) == [0, 1, 2]
    stage.end()


def test_a_node_is_connected_while_a_round_runs_and_has_its_part_in_the_next(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    stage = Stage(tmp_path, FakeHosts({"one": Act.blocks(gate)}))
    stage.begin()
    stage.write("- one\n- two\n")
    stage.wait_for(AttemptStarted, 2)
    stage.change(N2)
    stage.wait_for(NodeConnected, 3)
    assert stage.hosts.ran_on(N2) == []
    wait_until(lambda: len(stage.mode._participants.taking_part()) == 3, "it")  # type: ignore[union-attr]
    gate.set()
    stage.wait_for(RoundEnded, 2)
    assert stage.hosts.ran_on(N2) == ["two"]
    stage.end()


def test_an_added_node_out_of_reach_is_told_and_the_broadcast_goes_on(tmp_path: Path) -> None:
    hosts = FakeHosts(unreachable=lambda where: "refused" if where == N2 else None)
    stage = Stage(tmp_path, hosts)
    stage.begin()
    stage.change(N2)
    stage.wait_for(NodeUnreachable)
    assert stage.ran_in_round("- one\n", 1) == [0, 1]
    stage.end()
    assert stage.result.exit_status == 4


def test_a_removed_node_is_disconnected_and_connected_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.begin()
    stage.change(removed=(N1,))
    stage.wait_for(NodeDrained)
    assert stage.of(NodeDrained) == [NodeDrained(N1, removed=True)]
    wait_until(lambda: not stage.hosts.connections[1].is_open, "the end of its connection")
    assert stage.ran_in_round("- one\n", 1) == [0]
    stage.change(back=(N1,))
    stage.wait_for(NodeConnected, 3)
    assert stage.of(NodeUndrained) == [NodeUndrained(N1)]
    wait_until(lambda: len(stage.mode._participants.taking_part()) == 2, "it")  # type: ignore[union-attr]
    assert stage.ran_in_round("- two\n", 2) == [0, 1]
    stage.end()


def test_a_node_that_was_drained_by_hand_stays_so_when_it_is_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    mode = stage.begin()
    mode.drain_nodes("node-1")
    stage.change(removed=(N1,))
    stage.change(back=(N1,))
    stage.wait_for(NodeConnected, 3)
    assert stage.of(NodeUndrained) == []
    assert stage.ran_in_round("- one\n", 1) == [0]
    assert mode.undrain_nodes("node-1") == [N1]
    assert stage.ran_in_round("- two\n", 2) == [0, 1]
    stage.end()


def test_a_node_that_was_drained_by_hand_stays_so_with_other_slots(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    mode = stage.begin()
    mode.drain_nodes("node-1")
    new = Node(2, N1.host, slots=(0, 1))
    stage.change(new, removed=(N1,))
    stage.wait_for(NodeConnected, 3)
    assert stage.ran_in_round("- one\n", 1) == [0]
    assert mode.undrain_nodes("node-1") == [new]
    assert stage.ran_in_round("- two\n", 2) == [0, 2]
    stage.end()


def test_a_job_runs_on_the_nodes_that_it_is_bound_to(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.write("- command: one\n  options: {on: node-1}\n- two\n")
    stage.start_broadcast()
    assert stage.finish().ok
    assert stage.hosts.ran_on(N0) == ["two"]
    assert stage.hosts.ran_on(N1) == ["one", "two"]


def test_a_job_for_no_node_stays_in_the_queue_and_the_others_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.write("- command: [one, more]\n  options: {on: gpu-*}\n- two\n")
    stage.start_broadcast()
    assert stage.finish().exit_status == 1
    assert stage.hosts.commands == ["two", "two"]
    (told,) = stage.of(JobsUnfit)
    (unfit,) = told.unfit
    assert (unfit.jobs, unfit.place.line, unfit.need.on) == (2, 1, "gpu-*")
    assert unfit.problem == "no node matches `on: gpu-*`"
    assert stage.path.read_text() == "- command: [one, more]\n  options: {on: gpu-*}\n"


def test_with_error_aborts_the_run_ends_where_such_a_job_stands(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.write("- one\n- command: two\n  options: {on: gpu-*}\n- three\n")
    stage.start_broadcast(error_aborts=True)
    result = stage.finish()
    assert result.aborted
    assert stage.of(Aborted)
    assert stage.hosts.commands == ["one", "one"]
    assert len(stage.left) == 2


def test_a_job_for_a_drained_node_waits_for_it_and_the_others_pass(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    mode = stage.begin()
    mode.drain_nodes("node-1")
    assert stage.ran_in_round("- command: one\n  options: {on: node-1}\n- two\n", 1) == [0]
    assert stage.of(JobsUnfit) == []
    mode.undrain_nodes("node-1")
    stage.wait_for(RoundEnded, 2)
    assert stage.hosts.ran_on(N1) == ["one"]
    stage.end()


def test_a_job_whose_only_node_can_not_be_reached_fails_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    hosts = FakeHosts({"one": Act.never_starts("gone")})
    stage = Stage(tmp_path, hosts)
    stage.write("- command: one\n  options: {on: node-1}\n- two\n")
    stage.start_broadcast()
    assert stage.finish().exit_status == 4
    assert hosts.commands == ["two", "two"]
    assert stage.of(AttemptEnded)[0].ending.outcome is Outcome.UNREACHABLE


def test_a_job_gets_all_slots_of_each_node(tmp_path: Path) -> None:
    wide = Node(0, N0.host, slots=(0, 1, 3))
    stage = Bench(tmp_path, FakeHosts(), [wide, N1])
    stage.write("- command: run {{ slots }} of {{ slot_count }}\n  slots: 2\n")
    stage.start_broadcast()
    assert stage.finish().ok
    assert stage.hosts.ran_on(wide) == ["run 0,1,3 of 3"]
    assert stage.hosts.ran_on(N1) == ["run 0 of 1"]
    slots = {event.node.index: event.slots.indices for event in stage.of(NodeConnected)}
    assert slots == {0: (0, 1, 3), 1: (0,)}
