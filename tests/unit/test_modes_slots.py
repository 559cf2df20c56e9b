"""Queue mode on nodes that have several slots, and on nodes that come and go."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from modes import Bench, node
from project import wait_until

from pegasus.errors import SettingsError
from pegasus.events import (
    AttemptStarted,
    JobRequeued,
    JobsUnfit,
    NodeAdded,
    NodeConnected,
    NodeDisconnected,
    NodeDrained,
    NodeLost,
    NodeUndrained,
    Paused,
    Resumed,
    Waiting,
)
from pegasus.model import Node, Options
from pegasus.modes.counting import COUNT
from pegasus.modes.queue import QueueMode
from pegasus.modes.queueing.schedule import Rules
from pegasus.roster import Change
from pegasus.ssh.fake import Act, FakeHosts


def bench(directory: Path, script: Any, *nodes: Node, queue: str = "") -> Bench:
    made = Bench(directory, FakeHosts(script), nodes)
    made.write(queue)
    return made


def slots(made: Bench) -> dict[str, str]:
    """Which slots each command had, in the order in which they began."""
    return {event.attempt.command: str(event.attempt.slots) for event in made.of(AttemptStarted)}


def running(made: Bench) -> set[str]:
    return {attempt.command for attempt in made.result.left}


def queue_mode(made: Bench) -> QueueMode:
    assert isinstance(made.mode, QueueMode)
    return made.mode


class Hosts:
    """A roster that tells what a test has put in."""

    def __init__(self) -> None:
        self.change: Change | None = None
        self.told = threading.Event()

    def tell(self, **change: tuple[Node, ...]) -> None:
        self.told.clear()
        self.change = Change(**change)
        assert self.told.wait(10)

    def look(self) -> Change | None:
        change, self.change = self.change, None
        if change:
            self.told.set()
        return change


def test_jobs_share_a_node_and_no_slot_is_given_twice(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(
        tmp_path,
        lambda *_: Act.blocks(gate),
        node(0, slots=4),
        queue="- command: a\n  slots: 2\n- b\n- c\n- d\n",
    )
    made.start_queue()
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 3)
    assert slots(made) == {"a": "0,1", "b": "2", "c": "3"}
    assert made.left == ["d"]
    gate.set()
    assert made.finish().ok
    assert slots(made)["d"] in {"0", "1", "2", "3"}


def test_the_slots_stand_in_the_command(tmp_path: Path) -> None:
    text = "- command: run {{ slots }} {{ slot_count }}\n  slots: [3]\n"
    made = bench(tmp_path, {}, node(0, slots=4), queue=text)
    made.start_queue()
    assert made.finish().ok
    assert made.hosts.commands == ["run 0,1,2 3"]


def test_a_job_that_needs_no_slot_runs_beside_others_up_to_a_number(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(
        tmp_path,
        lambda *_: Act.blocks(gate),
        node(0),
        queue="- full\n- command: free {{ n }}\n  slots: 0\n  n: [1, 2, 3]\n",
    )
    made.rules = Rules(zero_slot_jobs=2)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 3)
    assert slots(made) == {"full": "0", "free 1": "", "free 2": ""}
    gate.set()
    assert made.finish().ok
    assert len(made.result.endings) == 4


def test_a_later_job_passes_one_that_does_not_fit_now(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"small": Act.blocks(gate)}
    text = "# first\n- small\n- command: large\n  slots: 4  # all\n# last\n- other\n"
    made = bench(tmp_path, script, node(0, slots=4), queue=text)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: "other" in hosts.commands)
    assert made.path.read_text() == "# first\n- command: large\n  slots: 4  # all\n# last\n"
    gate.set()
    assert made.finish().ok
    assert {*made.hosts.commands[:2]} == {"small", "other"}  # They begin at the same time.
    assert made.hosts.commands[2:] == ["large"]


def test_without_patience_jobs_stay_in_order(tmp_path: Path) -> None:
    gate = threading.Event()
    text = "- small\n- command: large\n  slots: 4\n- other\n"
    made = bench(tmp_path, {"small": Act.blocks(gate)}, node(0, slots=4), queue=text)
    made.rules = Rules(patience=0)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["small"])
    gate.set()
    assert made.finish().ok
    assert made.hosts.commands == ["small", "large", "other"]


def test_a_job_that_fits_no_node_is_told_at_once_and_stays_and_others_run(tmp_path: Path) -> None:
    gate = threading.Event()
    text = "- command: huge {{ n }}\n  slots: 16\n  n: [1, 2]\n- command: small\n"
    made = bench(tmp_path, {"small": Act.blocks(gate)}, node(0, slots=8), queue=text)
    made.start_queue()
    made.wait_for(JobsUnfit)
    assert running(made) <= {"small"}
    gate.set()
    result = made.finish()
    (unfit,) = made.of(JobsUnfit)[-1].unfit
    assert (unfit.jobs, unfit.place.line, unfit.need.slots) == (2, 1, 16)
    assert "16 slots" in unfit.problem
    assert "8" in unfit.problem
    assert made.path.read_text() == "- command: huge {{ n }}\n  slots: 16\n  n: [1, 2]\n"
    assert result.exit_status == 1
    assert made.hosts.commands == ["small"]


def test_what_is_mended_is_not_unfit_any_more(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(
        tmp_path,
        {"small": Act.blocks(gate)},
        node(0, slots=8),
        queue="- small\n- command: huge\n  slots: 16\n",
    )
    made.start_queue()
    made.wait_for(JobsUnfit)
    made.write("- command: huge\n  slots: 4\n")
    made.hosts.wait_for(lambda hosts: "huge" in hosts.commands)
    gate.set()
    result = made.finish()
    assert made.of(JobsUnfit)[-1].unfit == ()
    assert result.ok


def test_a_daemon_waits_although_a_job_fits_no_node(tmp_path: Path) -> None:
    made = bench(tmp_path, {}, node(0), queue="- command: huge\n  slots: 16\n")
    made.start_queue(daemon=True)
    made.wait_for(Waiting)
    made.write("- command: huge\n  slots: 16\n- small\n")
    made.hosts.wait_for(lambda hosts: hosts.commands == ["small"])
    queue_mode(made).drain()
    assert made.finish().exit_status == 1


def test_a_job_runs_on_the_nodes_that_it_is_bound_to(tmp_path: Path) -> None:
    text = "- command: run {{ n }}\n  n: [1, 2, 3]\n  options: {on: node-1}\n"
    made = bench(tmp_path, {}, node(0), node(1), queue=text)
    made.start_queue()
    assert made.finish().ok
    assert {where.index for where, _ in made.hosts.ran} == {1}


def test_a_job_that_is_bound_to_no_node_that_there_is_stays(tmp_path: Path) -> None:
    text = "- command: bound\n  options: {on: 'other-*'}\n- free\n"
    made = bench(tmp_path, {}, node(0), queue=text)
    made.start_queue()
    assert made.finish().exit_status == 1
    assert made.hosts.commands == ["free"]
    assert "other-*" in made.of(JobsUnfit)[-1].unfit[0].problem
    assert [one["command"] for one in made.left] == ["bound"]


def test_a_job_whose_only_node_is_out_of_reach_stays_and_it_is_said_why(tmp_path: Path) -> None:
    made = bench(
        tmp_path, {}, node(0), node(1, slots=4), queue="- command: large\n  slots: 4\n- small\n"
    )
    made.hosts = FakeHosts({}, lambda one: "no route" if one.index else None)
    made.start_queue()
    result = made.finish()
    assert made.of(JobsUnfit)[-1].unfit[0].problem == "no node that this fits can be reached"
    assert made.hosts.commands == ["small"]
    assert result.exit_status == 4


def test_a_job_is_run_again_with_as_many_slots(tmp_path: Path) -> None:
    text = "- command: train\n  slots: 2\n"
    made = bench(tmp_path, {"train": [Act.exits(1), Act()]}, node(0, slots=2), queue=text)
    made.defaults = Options(retries=1)
    made.start_queue()
    assert made.finish().ok
    assert [str(event.attempt.slots) for event in made.of(AttemptStarted)] == ["0,1", "0,1"]


def test_a_job_that_is_run_again_waits_for_room_and_others_pass_it(tmp_path: Path) -> None:
    first, gate = threading.Event(), threading.Event()
    script = {
        "large": [Act.exits(1).after(first), Act()],
        "small": Act.blocks(gate),
    }
    text = "- command: large\n  slots: 2\n  options: {retries: 1}\n- small\n- last\n"
    made = bench(tmp_path, script, node(0, slots=3), queue=text)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: {*hosts.commands} >= {"large", "small"})
    first.set()
    wait_until(lambda: made.hosts.commands.count("large") == 2, "again")
    gate.set()
    assert made.finish().ok


def test_all_jobs_of_a_connection_that_breaks_count_as_one_break(tmp_path: Path) -> None:
    gate = threading.Event()
    script: dict[str, Any] = {f"lost {n}": [Act.is_lost().after(gate), Act()] for n in range(5)}
    text = "- command: lost {{ n }}\n  n: [0, 1, 2, 3, 4]\n"
    made = bench(tmp_path, script, node(0, slots=8), queue=text)
    made.defaults = Options(retries=1)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 5)
    gate.set()
    assert made.finish().ok
    assert made.of(NodeLost) == []
    assert len(made.of(NodeDisconnected)) < 3


def test_jobs_that_never_started_go_back_and_their_slots_are_free(tmp_path: Path) -> None:
    script = {"a": [Act.never_starts(), Act()]}
    made = bench(tmp_path, script, node(0, slots=2), queue="- command: a\n  slots: 2\n")
    made.start_queue()
    assert made.finish().ok
    assert len(made.of(JobRequeued)) == 1
    assert [str(event.attempt.slots) for event in made.of(AttemptStarted)] == ["0,1", "0,1"]


def test_while_it_is_paused_nothing_begins_and_what_runs_goes_on(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"a": Act.blocks(gate)}
    made = bench(tmp_path, script, node(0), queue="- a\n- b\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    mode = queue_mode(made)
    mode.pause()
    mode.pause()
    made.wait_for(Paused)
    gate.set()
    wait_until(lambda: not running(made), "the end of a")
    assert not mode.cancel_job(99)  # It has been through its loop since.
    assert made.hosts.commands == ["a"]
    mode.resume()
    assert made.finish().ok
    assert [event.running for event in made.of(Paused)] == [1]
    assert len(made.of(Resumed)) == 1
    assert made.hosts.commands == ["a", "b"]


def test_a_run_that_is_paused_waits_although_the_queue_is_empty(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(tmp_path, {"a": Act.blocks(gate)}, node(0), queue="- a\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    mode = queue_mode(made)
    mode.pause()
    gate.set()
    wait_until(lambda: not running(made), "the end of a")
    assert not mode.cancel_job(99)
    made.write("- b\n")
    mode.resume()
    assert made.finish().ok
    assert made.hosts.commands == ["a", "b"]


def test_a_run_that_is_paused_ends_when_it_is_told_to(tmp_path: Path) -> None:
    made = bench(tmp_path, {}, node(0), queue="[]\n")
    made.start_queue(daemon=True)
    made.wait_for(Waiting)
    queue_mode(made).pause()
    made.wait_for(Paused)
    queue_mode(made).drain()
    assert made.finish().ok


def test_a_node_that_was_drained_by_hand_is_so_when_it_returns(tmp_path: Path) -> None:
    made, hosts = with_roster(tmp_path, {}, node(0), node(1), queue="[]\n")
    made.start_queue(daemon=True)
    made.wait_for(NodeConnected, 2)
    mode = queue_mode(made)
    assert mode.drain_nodes("node-1") == [node(1)]
    hosts.tell(removed=(node(1),))
    hosts.tell(returned=(node(1),))
    made.wait_for(NodeConnected, 3)
    made.write("- a\n- b\n")
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 2)
    assert made.hosts.ran_on(node(1)) == []
    removed = [event.removed for event in made.of(NodeDrained)]
    assert removed == [False, True, False]
    mode.drain()
    made.finish()


def test_a_node_that_is_drained_gets_no_job_until_it_is_undrained(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"a": Act.blocks(gate)}
    made = bench(tmp_path, script, node(0), queue="- a\n- b\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    mode = queue_mode(made)
    assert mode.drain_nodes("node-0") == [made.nodes[0]]
    assert mode.drain_nodes("node-*") == []  # It was drained already.
    gate.set()
    wait_until(lambda: not running(made), "the end of a")
    assert not mode.cancel_job(99)
    assert made.left == ["b"]
    assert mode.undrain_nodes("node-0") == [made.nodes[0]]
    assert made.finish().ok
    assert [event.removed for event in made.of(NodeDrained)] == [False]
    assert len(made.of(NodeUndrained)) == 1


def test_an_expression_for_no_node_is_refused(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(tmp_path, {"a": Act.blocks(gate)}, node(0), queue="- a\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    with pytest.raises(SettingsError, match="node-7"):
        queue_mode(made).drain_nodes("node-7")
    gate.set()
    made.finish()
    assert queue_mode(made).drain_nodes("node-0") == []  # It is over.


def with_roster(directory: Path, script: Any, *nodes: Node, queue: str) -> tuple[Bench, Hosts]:
    made, hosts = bench(directory, script, *nodes, queue=queue), Hosts()
    made.roster = hosts
    return made, hosts


def test_a_node_that_is_added_is_connected_and_used(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"a": Act.blocks(gate)}
    made, hosts = with_roster(tmp_path, script, node(0), queue="- a\n- b\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    hosts.tell(added=(node(1),))
    made.hosts.wait_for(lambda hosts: "b" in hosts.commands)
    assert made.hosts.ran_on(node(1)) == ["b"]
    gate.set()
    assert made.finish().ok
    assert made.of(NodeAdded) == [NodeAdded(node(1))]


def test_a_node_that_is_removed_ends_its_jobs_and_is_disconnected(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"a": Act.blocks(gate), "b": Act.blocks(gate)}
    made, hosts = with_roster(tmp_path, script, node(0), node(1), queue="- a\n- b\n- c\n- d\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 2)
    hosts.tell(removed=(node(1),))
    gate.set()
    assert made.finish().ok
    assert made.of(NodeDrained) == [NodeDrained(node(1), removed=True)]
    assert len(made.hosts.ran_on(node(1))) == 1
    assert len(made.hosts.ran_on(node(0))) == 3


def test_a_node_that_does_nothing_is_disconnected_as_it_is_removed(tmp_path: Path) -> None:
    made, hosts = with_roster(tmp_path, {}, node(0), node(1), queue="[]\n")
    made.start_queue(daemon=True)
    made.wait_for(NodeConnected, 2)
    made.wait_for(Waiting)
    (connection,) = [one for one in made.hosts.connections if one.node == node(1)]
    hosts.tell(removed=(node(1),))
    wait_until(lambda: not connection.is_open, "disconnected")
    queue_mode(made).drain()
    made.finish()


def test_a_node_that_returns_while_it_is_drained_goes_on(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"a": Act.blocks(gate)}
    made, hosts = with_roster(tmp_path, script, node(0), queue="- a\n- b\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    hosts.tell(removed=(node(0),))
    hosts.tell(returned=(node(0),))
    gate.set()
    assert made.finish().ok
    assert made.hosts.commands == ["a", "b"]
    assert made.of(NodeUndrained) == [NodeUndrained(node(0))]
    assert len(made.hosts.connections) == 1


def test_a_node_with_other_slots_waits_until_the_old_one_has_ended_its_jobs(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    script = {"a": Act.blocks(gate)}
    made, hosts = with_roster(
        tmp_path, script, node(0, slots=2), queue="- a\n- command: b\n  slots: 4\n"
    )
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    old, new = node(0, slots=2), Node(1, node(0).host, slots=(0, 1, 2, 3))
    hosts.tell(removed=(old,), added=(new,))
    assert not queue_mode(made).cancel_job(99)
    assert len(made.hosts.connections) == 1  # The same GPUs must not be given twice.
    gate.set()
    assert made.finish().ok
    assert slots(made) == {"a": "0", "b": "0,1,2,3"}
    assert made.hosts.ran_on(new) == ["b"]


def test_a_node_that_was_drained_by_hand_is_so_with_other_slots_too(tmp_path: Path) -> None:
    made, hosts = with_roster(tmp_path, {}, node(0), node(1), queue="[]\n")
    made.start_queue(daemon=True)
    made.wait_for(NodeConnected, 2)
    mode = queue_mode(made)
    mode.drain_nodes("node-1")
    new = Node(2, node(1).host, slots=(0, 1))
    hosts.tell(removed=(node(1),), added=(new,))
    made.wait_for(NodeConnected, 3)
    made.write("- a\n- b\n")
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 2)
    assert made.hosts.ran_on(new) == []
    assert mode.undrain_nodes("node-1") == [new]
    made.write("- command: c\n  slots: 2\n")
    made.hosts.wait_for(lambda hosts: hosts.ran_on(new) == ["c"])
    mode.drain()
    made.finish()


def test_a_node_whose_parameters_stand_in_another_order_is_no_other_machine(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    old = node(0, a="1", b="2")
    new = Node(1, old.host, (("b", "2"), ("a", "1")), slots=(0, 1))
    made, hosts = with_roster(tmp_path, {"a": Act.blocks(gate)}, old, queue="- a\n- b\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    hosts.tell(removed=(old,), added=(new,))
    assert not queue_mode(made).cancel_job(99)
    assert len(made.hosts.connections) == 1  # The same GPUs must not be given twice.
    gate.set()
    assert made.finish().ok
    assert made.hosts.ran_on(new) == ["b"]


def test_a_node_that_is_to_follow_another_can_be_drained_and_removed(tmp_path: Path) -> None:
    gate = threading.Event()
    made, hosts = with_roster(
        tmp_path, {"a": Act.blocks(gate)}, node(0), node(1), queue="- a\n- command: b\n  slots: 2\n"
    )
    made.start_queue(daemon=True)
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    (attempt,) = made.result.left
    busy = attempt.node
    new = Node(2, busy.host, slots=(0, 1))
    hosts.tell(removed=(busy,), added=(new,))
    mode = queue_mode(made)
    assert mode.drain_nodes(busy.host.name) == [new]
    hosts.tell(removed=(new,), returned=(busy,))
    assert [event.node for event in made.of(NodeDrained) if event.removed] == [busy, new]
    assert mode.undrain_nodes(busy.host.name) == [busy]
    gate.set()
    mode.drain()
    made.finish()
    assert len(made.hosts.connections) == 2


def test_a_node_and_one_that_was_to_follow_it_are_both_used_where_both_are_there(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    made, hosts = with_roster(tmp_path, {"a": Act.blocks(gate)}, node(0), queue="- a\n- b\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    new = Node(1, node(0).host, slots=(0, 1))
    hosts.tell(removed=(node(0),), added=(new,))
    hosts.tell(returned=(node(0),))
    made.hosts.wait_for(lambda hosts: hosts.ran_on(new) == ["b"])
    gate.set()
    assert made.finish().ok


def test_a_job_that_fits_a_node_that_is_to_follow_another_is_not_unfit(tmp_path: Path) -> None:
    gate = threading.Event()
    made, hosts = with_roster(tmp_path, {"a": Act.blocks(gate)}, node(0, slots=4), queue="- a\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a"])
    new = Node(1, node(0).host, slots=(*range(8),))
    hosts.tell(removed=(node(0, slots=4),), added=(new, node(2)))
    made.write("- command: b\n  slots: 8\n- c\n")
    made.hosts.wait_for(lambda hosts: hosts.commands == ["a", "c"])
    gate.set()
    assert made.finish().ok
    assert made.hosts.ran_on(new) == ["b"]
    assert made.of(JobsUnfit) == []


def test_a_node_whose_gpus_can_not_be_counted_at_once_is_tried_again(tmp_path: Path) -> None:
    counted = Act.prints("GPU 0: one\npegasus: nvidia-smi 0\n")
    script = {
        COUNT: [counted, Act.prints("no driver\npegasus: nvidia-smi 9\n"), counted],
        "a": Act.is_lost(),
    }
    gpus = Node(0, node(0).host, slots=None)
    made = bench(tmp_path, script, gpus, queue="- a\n- b\n")
    made.start_queue()
    result = made.finish()
    assert made.of(NodeLost) == []
    assert [attempt.command for attempt, ending in result.endings if ending.succeeded] == ["b"]


def test_a_node_that_was_removed_is_not_connected_again(tmp_path: Path) -> None:
    script = {"a": Act.is_lost()}
    made, hosts = with_roster(tmp_path, script, node(0), node(1), queue="- a\n")
    made.clock.goes.clear()
    made.start_queue(daemon=True)
    made.wait_for(NodeDisconnected)
    (lost,) = [event.node for event in made.of(NodeDisconnected)]
    hosts.tell(removed=(lost,))
    wait_until(lambda: made.clock.pauses, "the end of a pause that has no other")
    queue_mode(made).drain()
    made.finish()


def test_a_job_that_fits_only_a_node_that_is_added_runs_there(tmp_path: Path) -> None:
    made, hosts = with_roster(tmp_path, {}, node(0), queue="- command: large\n  slots: 4\n")
    made.start_queue(daemon=True)
    made.wait_for(JobsUnfit)
    hosts.tell(added=(node(1, slots=4),))
    made.hosts.wait_for(lambda hosts: hosts.commands == ["large"])
    queue_mode(made).drain()
    assert made.finish().ok
