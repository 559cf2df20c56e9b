"""Nodes whose connection broke: how often they are tried, and what the run does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from modes import Bench, FastClock, node
from project import wait_until

from pegasus.errors import UnreachableError
from pegasus.events import (
    AttemptEnded,
    Draining,
    NodeConnected,
    NodeDisconnected,
    NodeLost,
    NodeUnreachable,
    Waiting,
)
from pegasus.model import Node
from pegasus.modes.reconnect import Clock, reconnect
from pegasus.ssh.fake import Act, FakeConnection, FakeHosts

N0, N1 = node(0), node(1)


class Door:
    """Says which tries to connect fail, counted from 1."""

    def __init__(self, is_shut: Callable[[int], bool], step: str = "connect") -> None:
        self.tries = 0
        self._is_shut = is_shut

    def __call__(self, where: Node) -> str | None:
        self.tries += 1
        return "refused" if self._is_shut(self.tries) else None

    def connection(self) -> FakeConnection:
        return FakeHosts(unreachable=self).connect(N0)


def test_pauses_double_up_to_a_minute_and_half_of_each_is_random() -> None:
    clock, door = FastClock(), Door(lambda number: number <= 10)
    assert reconnect(door.connection(), 3600, threading.Event(), clock)
    limits = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert len(clock.pauses) == len(limits)
    for pause, limit in zip(clock.pauses, limits, strict=True):
        assert limit / 2 <= pause <= limit


def test_nodes_that_are_lost_together_do_not_come_back_together() -> None:
    pauses = set()
    for _ in range(20):
        clock = FastClock()
        reconnect(Door(lambda _: False).connection(), 3600, threading.Event(), clock)
        pauses.add(round(clock.pauses[0], 3))
    assert len(pauses) > 10


def test_it_gives_up_when_the_time_is_over_and_says_why() -> None:
    clock, door = FastClock(), Door(lambda _: True)
    with pytest.raises(UnreachableError, match="refused"):
        reconnect(door.connection(), 100, threading.Event(), clock)
    assert clock.time == pytest.approx(1100)
    assert door.tries == len(clock.pauses)


def test_a_changed_host_key_is_not_tried_again() -> None:
    class Changed(FakeConnection):
        def open(self) -> None:
            tries.append(self.node)
            raise UnreachableError(self.node, "host key", "it has changed")

    tries: list[Node] = []
    with pytest.raises(UnreachableError, match="it has changed"):
        reconnect(Changed(N0, FakeHosts()), 3600, threading.Event(), FastClock())
    assert len(tries) == 1


def test_a_mistake_of_ours_while_connecting_is_tried_again() -> None:
    def reach(where: Node) -> str | None:
        tries.append(where)
        if len(tries) == 1:
            raise RuntimeError("a mistake")
        return None

    tries: list[Node] = []
    assert reconnect(FakeHosts(unreachable=reach).connect(N0), 60, threading.Event(), FastClock())


def test_when_nobody_wants_it_any_more_it_stops_waiting_at_once() -> None:
    stop = threading.Event()
    stop.set()
    door = Door(lambda _: False)
    assert not reconnect(door.connection(), 3600, stop, Clock())
    assert door.tries == 0


def bench(directory: Path, hosts: FakeHosts, *nodes: Node) -> Bench:
    made = Bench(directory, hosts, nodes or (N0,))
    made.write("- one\n- two\n")
    return made


def test_an_outage_is_said_once_and_its_end_too(tmp_path: Path) -> None:
    door = Door(lambda number: 1 < number < 12)
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost("reset")}, door))
    made.start_queue()
    result = made.finish()
    assert [event.detail for event in made.of(NodeDisconnected)] == ["reset"]
    assert len(made.of(NodeConnected)) == 2
    assert result.lost == {}  # More tries than strikes, and no strike.
    assert made.hosts.commands == ["one", "two"]
    assert result.exit_status == 4  # For the job that was lost.


def test_a_node_that_does_not_come_back_is_given_up(tmp_path: Path) -> None:
    door = Door(lambda number: number > 1)
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}, door))
    made.reconnect_for = 600.0
    made.start_queue()
    result = made.finish()
    assert result.lost == {N0: "refused"}
    assert made.clock.time == pytest.approx(1600)
    assert made.left == ["two"]


def test_with_no_time_for_it_nodes_are_given_up_at_once(tmp_path: Path) -> None:
    door = Door(lambda _: False)
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost("reset")}, door))
    made.reconnect_for = 0.0
    made.start_queue()
    assert made.finish().lost == {N0: "reset"}
    assert door.tries == 1
    assert made.of(NodeDisconnected) == []


def test_the_others_go_on_meanwhile(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        return Act.is_lost() if where == N0 else Act.blocks(gate).after(gate)

    gate = threading.Event()
    made = bench(tmp_path, FakeHosts(script), N0, N1)
    made.clock.goes.clear()
    made.write("- a\n- b\n- c\n- d\n")
    made.start_queue()
    made.wait_for(NodeDisconnected)
    gate.set()
    made.finish()
    assert len(made.hosts.ran_on(N0)) == 1
    assert len(made.hosts.ran_on(N1)) == 3
    assert made.of(NodeLost) == []


def test_a_run_with_jobs_left_waits_for_its_nodes(tmp_path: Path) -> None:
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}))
    made.clock.goes.clear()
    made.start_queue()
    made.wait_for(NodeDisconnected)
    made.write("- two\n- three\n")
    made.clock.goes.set()
    made.finish()
    assert made.hosts.commands == ["one", "two", "three"]


def test_a_run_whose_queue_is_emptied_meanwhile_ends(tmp_path: Path) -> None:
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}))
    made.clock.goes.clear()
    made.start_queue()
    made.wait_for(NodeDisconnected)
    made.write("")
    made.finish()
    assert made.hosts.commands == ["one"]


def test_a_run_with_nothing_left_does_not(tmp_path: Path) -> None:
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}))
    made.write("- one\n")
    made.clock.goes.clear()
    made.start_queue()
    assert made.finish().lost == {}
    assert len(made.of(NodeConnected)) == 1


def test_a_daemon_waits_for_nodes_and_jobs(tmp_path: Path) -> None:
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}))
    made.write("- one\n")
    made.clock.goes.clear()
    made.start_queue(daemon=True)
    made.wait_for(Waiting)
    made.clock.goes.set()
    made.wait_for(NodeConnected, times=2)
    made.write("- two\n")
    made.hosts.wait_for(lambda hosts: "two" in hosts.commands)
    made.mode.drain()
    made.finish()


@pytest.mark.parametrize("how", ["drain", "cancel"])
def test_ending_a_run_ends_the_waiting(tmp_path: Path, how: str) -> None:
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}))
    made.clock.goes.clear()
    made.start_queue()
    made.wait_for(NodeDisconnected)
    getattr(made.mode, how)()
    assert made.finish().lost == {}
    assert made.left == ["two"]


def test_while_a_run_is_drained_no_node_is_connected_again(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(tmp_path, FakeHosts({"one": Act.is_lost().after(gate)}))
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["one"])
    made.mode.drain()
    made.wait_for(Draining)
    gate.set()
    made.finish()
    assert made.of(NodeDisconnected) == []
    assert len(made.of(NodeConnected)) == 1


def test_a_node_that_was_never_there_is_not_tried_again(tmp_path: Path) -> None:
    door = Door(lambda _: True)
    made = bench(tmp_path, FakeHosts(unreachable=door))
    made.start_queue()
    made.finish()
    assert door.tries == len(made.of(NodeUnreachable)) == 1


def test_a_connection_that_comes_after_the_end_is_closed(tmp_path: Path) -> None:
    come, waiting = threading.Event(), threading.Event()

    def reach(where: Node) -> str | None:
        if len(made.of(AttemptEnded)) == 1:
            waiting.set()
            come.wait(20)
        return None

    made = bench(tmp_path, FakeHosts({"one": Act.is_lost()}, reach))
    made.start_queue()
    assert waiting.wait(20)
    made.mode.drain()
    made.finish()
    (connection,) = made.hosts.connections
    come.set()
    wait_until(lambda: connection.opened == 2 and not connection.is_open, "its closing")
    assert len(made.of(NodeConnected)) == 1
