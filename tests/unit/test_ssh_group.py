"""BroadcastGroup: all members at once, and the barrier."""

from __future__ import annotations

import threading

import fabric

from pegasus.events import Stream
from pegasus.model import Ending, Host, Node, Outcome
from pegasus.ssh.base import Cancellation, Connection
from pegasus.ssh.fake import Act, FakeHosts
from pegasus.ssh.group import BroadcastGroup

NODES = [Node(index, Host("same", "same")) for index in range(4)]


def ignore(stream: Stream, data: bytes) -> None:
    pass


def group_of(hosts: FakeHosts) -> BroadcastGroup:
    return BroadcastGroup.of(hosts.connect(node) for node in NODES)


def test_it_is_fabrics_threading_group() -> None:
    assert issubclass(BroadcastGroup, fabric.ThreadingGroup)


def test_results_come_by_node_in_the_order_of_the_members() -> None:
    results = group_of(FakeHosts()).each(lambda connection: connection.node.index * 10)
    assert list(results.values.items()) == [(node, node.index * 10) for node in NODES]
    assert results.errors == {}


def test_all_members_run_at_the_same_time() -> None:
    meeting = threading.Barrier(len(NODES))
    assert not group_of(FakeHosts()).each(lambda connection: meeting.wait(10)).errors


def test_it_returns_only_when_the_last_has_ended() -> None:
    gate = threading.Event()
    hosts = FakeHosts(
        lambda node, command: Act.blocks(gate) if node.index == 3 else Act.exits(node.index)
    )
    group, results = group_of(hosts), []

    def attempt(connection: Connection) -> Ending:
        return connection.attempt("x", ignore, Cancellation())

    thread = threading.Thread(target=lambda: results.append(group.each(attempt)))
    thread.start()
    hosts.wait_for(lambda hosts: len(hosts.ran) == 4)
    assert results == []
    gate.set()
    thread.join(10)
    assert [ending.exit_status for ending in results[0].values.values()] == [0, 1, 2, 0]


def test_an_exception_of_one_stops_no_other_and_is_told_apart_from_a_value() -> None:
    error = ValueError("of a member's")

    def act(connection: Connection) -> object:
        if connection.node.index == 1:
            raise error
        return error if connection.node.index == 2 else Outcome.SUCCEEDED

    results = group_of(FakeHosts()).each(act)
    assert results.errors == {NODES[1]: error}
    assert results.values == {
        NODES[0]: Outcome.SUCCEEDED,
        NODES[2]: error,
        NODES[3]: Outcome.SUCCEEDED,
    }


def test_even_a_request_to_exit_in_a_thread_comes_back() -> None:
    def act(connection: Connection) -> None:
        raise SystemExit(3)

    assert set(group_of(FakeHosts()).each(act).errors) == set(NODES)


def test_an_empty_group_has_no_results() -> None:
    results = BroadcastGroup.of([]).each(lambda connection: 1)
    assert (results.values, results.errors) == ({}, {})


def test_closing_the_group_closes_every_member() -> None:
    hosts = FakeHosts()
    group = group_of(hosts)
    group.each(lambda connection: connection.open())
    group.close()
    assert [connection.is_open for connection in hosts.connections] == [False] * 4
