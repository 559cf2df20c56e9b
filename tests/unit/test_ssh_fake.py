"""The scripted connection that other tests, and embedders, rely on."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Stream
from pegasus.model import Ending, Host, Node, Outcome, Surroundings
from pegasus.ssh.base import Cancellation, Connection
from pegasus.ssh.fake import Act, FakeHosts

NODES = [Node(index, Host(name, name)) for index, name in enumerate(("a", "b", "b"))]


def ignore(stream: Stream, data: bytes) -> None:
    pass


def run(connection: Connection, command: str) -> Ending:
    return connection.attempt(command, ignore, Cancellation())


def test_what_the_script_does_not_name_succeeds() -> None:
    assert run(FakeHosts().connect(NODES[0]), "anything") == Ending.exited(0)


def test_a_mapping_says_what_commands_do() -> None:
    hosts = FakeHosts({"make": Act.exits(2), "train": Act.is_lost("gone")})
    connection = hosts.connect(NODES[0])
    assert run(connection, "make") == Ending.exited(2)
    assert run(connection, "train") == Ending(Outcome.LOST, detail="gone")


def test_a_list_says_what_happens_each_time_on_whatever_node() -> None:
    hosts = FakeHosts({"make": [Act.exits(2), Act.exits(1), Act()]})
    statuses = [run(hosts.connect(node), "make").exit_status for node in (*NODES, NODES[0])]
    assert statuses == [2, 1, 0, 0]


def test_a_blocked_command_times_out() -> None:
    cancellation = Cancellation()
    connection = FakeHosts({"x": Act.blocks()}).connect(NODES[0])
    ending = connection.attempt("x", ignore, cancellation, timeout=0.01)
    assert ending.outcome is cancellation.outcome is Outcome.TIMED_OUT


def test_a_function_may_look_at_the_node() -> None:
    hosts = FakeHosts(lambda node, command: Act.exits(node.index))
    assert [run(hosts.connect(node), "x").exit_status for node in NODES] == [0, 1, 2]


def test_output_is_handed_over_as_bytes_by_stream() -> None:
    act = Act(output=((Stream.STDOUT, b"out"), (Stream.STDERR, b"err")))
    seen: list[tuple[Stream, bytes]] = []
    connection = FakeHosts({"x": act}).connect(NODES[0])
    connection.attempt("x", lambda *output: seen.append(output), Cancellation())
    assert seen == [(Stream.STDOUT, b"out"), (Stream.STDERR, b"err")]


def test_a_command_is_announced_before_its_output_unless_it_never_starts() -> None:
    told: list[object] = []
    script = {"x": Act(output=((Stream.STDOUT, b"out"),), pid=7), "y": Act.never_starts()}
    connection = FakeHosts(script).connect(NODES[0])

    def attempt(command: str) -> None:
        connection.attempt(
            command, lambda _, data: told.append(data), Cancellation(), None, told.append
        )

    attempt("x")
    with pytest.raises(NeverStartedError):
        attempt("y")
    attempt("z")
    assert told == [7, b"out", None]


def test_it_records_what_ran_where_in_order() -> None:
    hosts = FakeHosts()
    connections = [hosts.connect(node) for node in NODES]
    for index, command in ((0, "one"), (2, "two"), (0, "three")):
        run(connections[index], command)
    assert hosts.ran == [(NODES[0], "one"), (NODES[2], "two"), (NODES[0], "three")]
    assert hosts.commands == ["one", "two", "three"]
    assert hosts.ran_on(NODES[0]) == ["one", "three"]


def test_it_records_what_each_command_found() -> None:
    hosts = FakeHosts({"lost": Act.never_starts()})
    connection = hosts.connect(NODES[0])
    surroundings = Surroundings((("A", "1"),), "~/x")
    connection.attempt("one", ignore, Cancellation(), surroundings=surroundings)
    with pytest.raises(NeverStartedError):
        connection.attempt("lost", ignore, Cancellation(), surroundings=surroundings)
    run(connection, "two")
    assert (hosts.commands, hosts.surroundings) == (["one", "two"], [surroundings, Surroundings()])


def test_several_run_on_a_node_at_a_time_and_closing_ends_them_all() -> None:
    hosts = FakeHosts({name: Act.blocks() for name in "abcd"})
    connection = hosts.connect(NODES[0])
    endings: list[Ending] = []
    threads = [
        threading.Thread(target=lambda name=name: endings.append(run(connection, name)))
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    hosts.wait_for(lambda hosts: len(hosts.ran) == 4)
    assert connection.opened == 1
    connection.close()
    connection.open()  # who has ended something ends it for good
    for thread in threads:
        thread.join(10)
    assert [ending.outcome for ending in endings] == [Outcome.CANCELLED] * 4


def test_a_connection_that_drops_takes_no_other_command_along() -> None:
    gate = threading.Event()
    hosts = FakeHosts({"stays": Act().after(gate), "goes": Act.is_lost()})
    connection = hosts.connect(NODES[0])
    endings: list[Ending] = []
    thread = threading.Thread(target=lambda: endings.append(run(connection, "stays")))
    thread.start()
    hosts.wait_for(lambda hosts: hosts.commands == ["stays"])
    assert run(connection, "goes").outcome is Outcome.LOST
    assert not connection.is_open
    assert run(connection, "next").succeeded
    assert (connection.is_open, connection.opened, endings) == (True, 2, [])
    gate.set()
    thread.join(10)
    assert endings == [Ending.exited(0)]


def test_a_blocked_command_runs_until_its_gate_opens() -> None:
    gate = threading.Event()
    hosts = FakeHosts({"x": Act.exits(3).after(gate)})
    endings: list[Ending] = []
    thread = threading.Thread(target=lambda: endings.append(run(hosts.connect(NODES[0]), "x")))
    thread.start()
    hosts.wait_for(lambda hosts: hosts.commands == ["x"])
    assert endings == []
    gate.set()
    thread.join(10)
    assert endings == [Ending.exited(3)]


def test_a_blocked_command_can_be_cancelled() -> None:
    hosts, cancellation = FakeHosts({"x": Act.blocks()}), Cancellation()
    endings: list[Ending] = []
    connection = hosts.connect(NODES[0])
    thread = threading.Thread(
        target=lambda: endings.append(connection.attempt("x", ignore, cancellation))
    )
    thread.start()
    hosts.wait_for(lambda hosts: hosts.commands == ["x"])
    cancellation.cancel(Outcome.TIMED_OUT)
    thread.join(10)
    assert endings == [Ending(Outcome.TIMED_OUT)]


def test_closing_ends_a_blocked_command() -> None:
    hosts = FakeHosts({"x": Act.blocks()})
    connection = hosts.connect(NODES[0])
    endings: list[Ending] = []
    thread = threading.Thread(target=lambda: endings.append(run(connection, "x")))
    thread.start()
    hosts.wait_for(lambda hosts: hosts.commands == ["x"])
    connection.close()
    thread.join(10)
    assert [ending.outcome for ending in endings] == [Outcome.CANCELLED]


def test_what_is_cancelled_before_is_not_run() -> None:
    hosts, cancellation = FakeHosts(), Cancellation()
    cancellation.cancel()
    ending = hosts.connect(NODES[0]).attempt("x", ignore, cancellation)
    assert (ending, hosts.ran) == (Ending(Outcome.CANCELLED), [])


def test_what_never_starts_is_not_recorded() -> None:
    hosts = FakeHosts({"x": Act.never_starts("no channel")})
    with pytest.raises(NeverStartedError, match="no channel"):
        run(hosts.connect(NODES[0]), "x")
    assert hosts.ran == []


def test_an_unreachable_node_raises_and_others_do_not() -> None:
    hosts = FakeHosts(unreachable=lambda node: "it is off" if node == NODES[1] else None)
    with pytest.raises(UnreachableError, match="it is off") as caught:
        hosts.connect(NODES[1]).open()
    assert caught.value.node == NODES[1]
    hosts.connect(NODES[2]).open()


def test_a_lost_connection_is_opened_again_by_the_next_attempt() -> None:
    hosts = FakeHosts({"x": Act.is_lost()})
    connection = hosts.connect(NODES[0])
    connection.open()
    run(connection, "x")
    assert not connection.is_open
    assert run(connection, "y").succeeded
    assert connection.opened == 2


def test_an_attempt_that_cannot_connect_again_has_never_started() -> None:
    off: list[Node] = []
    hosts = FakeHosts(unreachable=lambda node: "off" if node in off else None)
    connection = hosts.connect(NODES[0])
    connection.open()
    connection.close()
    off.append(NODES[0])
    with pytest.raises(NeverStartedError):
        run(connection, "x")


def test_waiting_for_what_never_happens_says_what_did() -> None:
    hosts = FakeHosts()
    run(hosts.connect(NODES[0]), "x")
    with pytest.raises(TimeoutError, match="'x'"):
        hosts.wait_for(lambda hosts: False, timeout=0.01)


def test_it_needs_neither_fabric_nor_paramiko() -> None:
    program = "import sys, pegasus.ssh.fake; print({'fabric', 'paramiko'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout == "set()\n"
