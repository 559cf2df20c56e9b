"""Who answers: pings of nodes behind fake connections."""

from __future__ import annotations

import threading

from pegasus.errors import NodeError
from pegasus.model import Host, Node
from pegasus.modes.ping import Ping, ping
from pegasus.ssh.base import Peer
from pegasus.ssh.fake import Act, FakeConnection, FakeHosts

NODES = [Node(index, Host(f"n{index}", f"n{index}", "kim")) for index in range(3)]


def pinged(hosts: FakeHosts) -> dict[int, Ping]:
    return {one.node.index: one for one in ping([hosts.connect(node) for node in NODES])}


def test_nodes_that_answer_say_who_they_are() -> None:
    hosts = FakeHosts()
    answers = pinged(hosts)
    assert [answers[index].peer for index in range(3)] == [Peer("kim", "FakeSSH_1.0")] * 3
    assert all(one.error is None and one.seconds >= 0 for one in answers.values())
    assert hosts.commands == ["true"] * 3
    assert not any(connection.is_open for connection in hosts.connections)


def error_of(answers: dict[int, Ping]) -> NodeError:
    """The error of node 1; the others have none."""
    assert [one.error is None for one in (answers[0], answers[2])] == [True, True]
    assert answers[1].peer is None
    error = answers[1].error
    assert error is not None
    return error


def test_a_node_that_can_not_be_reached_says_why() -> None:
    down = FakeHosts(unreachable=lambda node: "it is down" if node.index == 1 else None)
    error = error_of(pinged(down))
    assert (error.step, error.problem) == ("connect", "it is down")


def test_a_node_that_lets_us_in_but_runs_nothing_is_not_reached() -> None:
    acts = {0: Act(), 1: Act.never_starts("no shell"), 2: Act()}
    error = error_of(pinged(FakeHosts(lambda node, _: acts[node.index])))
    assert (error.step, error.problem) == ("session", "no shell")


def test_a_node_on_which_true_fails_is_not_reached() -> None:
    acts = {0: Act(), 1: Act.exits(1), 2: Act()}
    error = error_of(pinged(FakeHosts(lambda node, _: acts[node.index])))
    assert (error.step, error.problem) == ("session", "`true` must succeed there: exit status: 1")


def test_a_mistake_of_ours_is_said_and_stops_no_other_node() -> None:
    def script(node: Node, _: str) -> Act:
        if node.index == 1:
            raise RuntimeError("bug")
        return Act()

    assert "internal error: RuntimeError('bug')" in error_of(pinged(FakeHosts(script))).problem


def test_nodes_are_asked_at_the_same_time_and_answer_as_they_come() -> None:
    gates = [threading.Event() for _ in NODES]
    hosts = FakeHosts(lambda node, _: Act.blocks(gates[node.index]))
    answers = ping([hosts.connect(node) for node in NODES])
    for index in (2, 0, 1):
        gates[index].set()
        assert next(answers).node.index == index
    assert next(answers, None) is None


def test_a_node_that_has_answered_is_left_while_others_are_waited_for() -> None:
    hosts = FakeHosts(lambda node, _: Act.blocks() if node.index else Act())
    connections: list[FakeConnection] = [hosts.connect(node) for node in NODES]
    answers = ping(connections)
    assert next(answers).node.index == 0
    assert not connections[0].is_open
    answers.close()


def test_who_stops_waiting_leaves_no_connection_behind() -> None:
    hosts = FakeHosts(lambda node, _: Act.blocks() if node.index else Act())
    connections: list[FakeConnection] = [hosts.connect(node) for node in NODES]
    answers = ping(connections)
    assert next(answers).node.index == 0
    hosts.wait_for(lambda hosts: len(hosts.ran) == 3)
    answers.close()
    assert not any(connection.is_open for connection in connections)
