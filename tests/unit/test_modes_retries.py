"""Jobs that are run again: which, where, and what the run came to."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from modes import Bench, node

from pegasus.events import (
    AttemptEnded,
    AttemptStarted,
    Draining,
    JobRequeued,
    NeverStarted,
    NodeConnected,
    NodeDisconnected,
    Waiting,
)
from pegasus.model import Ending, Job, Node, Options, Outcome
from pegasus.modes.attempts import Attempts
from pegasus.ssh.fake import Act, FakeHosts

N0, N1, N2 = node(0, gpu="5"), node(1, gpu="many"), node(2, gpu="6")
SIGNALLED = Act(ending=Ending(Outcome.SIGNALLED, exit_signal="SEGV"))


def bench(
    directory: Path, script: object, nodes: tuple[Node, ...] = (N0,), retries: int = 1
) -> Bench:
    made = Bench(directory, FakeHosts(script), nodes)
    made.defaults = Options(retries=retries)
    made.write("- train\n")
    return made


def numbers(made: Bench) -> list[tuple[int, int]]:
    """Number, and the number that is made good, of the attempts that ended."""
    return [(attempt.number, attempt.repeats) for attempt, _ in made.result.endings]


@pytest.mark.parametrize("act", [Act.exits(1), SIGNALLED, Act.is_lost()])
def test_a_job_whose_last_attempt_succeeds_is_a_success(tmp_path: Path, act: Act) -> None:
    made = bench(tmp_path, {"train": [act, Act()]})
    made.start_queue()
    result = made.finish()
    assert result.ok
    assert result.failed == []
    assert numbers(made) == [(1, 0), (2, 1)]
    assert len({attempt.job.id for attempt, _ in result.endings}) == 1


def test_a_job_that_timed_out_is_run_again(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": [Act.blocks(), Act()]})
    made.defaults = Options(retries=1, timeout=0.02)
    made.start_queue()
    assert made.finish().ok
    assert [ending.outcome for _, ending in made.result.endings] == [
        Outcome.TIMED_OUT,
        Outcome.SUCCEEDED,
    ]


def test_a_job_is_run_again_so_often_and_not_more(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.exits(3)}, retries=2)
    made.start_queue()
    result = made.finish()
    assert result.exit_status == 5
    assert numbers(made) == [(1, 0), (2, 1), (3, 2)]
    assert [attempt.number for attempt, _ in result.failed] == [3]


def test_a_job_may_be_run_again_thousands_of_times(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": [Act.exits(3)] * 1200 + [Act()]}, retries=10**9)
    made.start_queue()
    result = made.finish()
    assert result.ok
    assert numbers(made)[-1] == (1201, 1200)


def test_what_the_job_says_counts_over_the_settings(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.exits(3)}, retries=5)
    made.write("- command: train\n  options: {retries: 0}\n")
    made.start_queue()
    made.finish()
    assert made.hosts.commands == ["train"]


def test_it_comes_before_what_waits_in_the_queue(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": [Act.exits(1), Act()]})
    made.write("- train\n- other\n")
    made.start_queue()
    assert made.finish().ok
    assert made.hosts.commands == ["train", "train", "other"]


def test_it_is_run_on_another_node_where_one_is_free_and_filled_for_that(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        return Act.exits(1) if len(made.hosts.ran) == 0 else Act()

    made = bench(tmp_path, script, (N0, N1, N2))
    made.write("")
    made.start_queue(daemon=True)
    made.wait_for(NodeConnected, times=3)
    made.wait_for(Waiting)
    made.write("- on {{ hostname }}\n")
    made.hosts.wait_for(lambda hosts: len(hosts.ran) == 2)
    made.mode.drain()
    made.finish()
    (first, _), (second, _) = made.hosts.ran
    assert first != second
    assert all(command == f"on {where.host.name}" for where, command in made.hosts.ran)


def test_it_is_run_on_the_same_node_where_no_other_is_free(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"train": [Act.exits(1), Act()], "long": Act.blocks(gate)}
    made = bench(tmp_path, script, (N0, N1))
    made.write("- long\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["long"])
    made.write("- train\n")
    made.hosts.wait_for(lambda hosts: hosts.commands == ["long", "train", "train"])
    gate.set()
    assert made.finish().ok


def slow_to_connect(gate: threading.Event) -> FakeHosts:
    """Hosts of which the second is there when the gate opens."""
    return FakeHosts(unreachable=lambda where: None if where != N1 or gate.wait(20) else "never")


#: Only where `gpu` is a number can it be filled; the check before tries one node of a kind.
CHOOSY = "- run {{#if (gt gpu 3)}}{{ gpu }}{{/if}}\n"


def test_a_node_for_which_it_can_not_be_filled_is_passed_over(tmp_path: Path) -> None:
    gate, there = threading.Event(), threading.Event()
    made = bench(tmp_path, {}, (N0, N1))
    made.hosts = slow_to_connect(there)
    made.hosts._script = {"run 5": [Act.exits(1).after(gate), Act()]}
    made.write(CHOOSY)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["run 5"])
    there.set()
    made.wait_for(NodeConnected, times=2)
    gate.set()
    assert made.finish().ok
    assert made.hosts.ran == [(N0, "run 5")] * 2


def test_one_that_can_be_filled_for_no_node_stays_failed(tmp_path: Path) -> None:
    gate, there = threading.Event(), threading.Event()
    made = bench(tmp_path, {}, (N0, N1))
    made.hosts = slow_to_connect(there)
    made.hosts._script = {"run 5": Act.is_lost().after(gate)}
    made.reconnect_for = 0.0
    made.write(CHOOSY)
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["run 5"])
    there.set()
    made.wait_for(NodeConnected, times=2)
    gate.set()
    assert made.finish().exit_status == 4
    assert made.hosts.commands == ["run 5"]
    assert len(made.result.failed) == 1


def test_one_that_does_not_start_again_waits_for_a_node_and_not_in_the_file(
    tmp_path: Path,
) -> None:
    made = bench(tmp_path, {"train": [Act.exits(1), Act.never_starts(), Act()]})
    made.start_queue()
    result = made.finish()
    assert result.ok
    assert numbers(made) == [(1, 0), (3, 1)]
    assert [event.attempt.number for event in made.of(NeverStarted)] == [2]
    assert made.of(JobRequeued) == []
    assert result.owed == []
    assert len(made.consumed) == 1


def test_one_that_does_not_start_again_does_not_use_up_a_retry(tmp_path: Path) -> None:
    acts = [Act.exits(1), Act.never_starts(), Act.exits(1), Act()]
    made = bench(tmp_path, {"train": acts}, retries=2)
    made.start_queue()
    assert made.finish().ok
    assert numbers(made) == [(1, 0), (3, 1), (4, 3)]


def test_one_that_waits_when_the_run_is_drained_stays_failed(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.is_lost()})
    made.clock.goes.clear()
    made.start_queue()
    made.wait_for(NodeDisconnected)
    made.mode.drain()
    assert made.finish().exit_status == 4
    assert made.hosts.commands == ["train"]
    assert made.left is None


def test_while_a_run_is_drained_nothing_is_run_again(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(tmp_path, {"train": Act.exits(1).after(gate)})
    made.start_queue()
    made.wait_for(AttemptStarted)
    made.mode.drain()
    made.wait_for(Draining)
    gate.set()
    assert made.finish().exit_status == 5
    assert made.hosts.commands == ["train"]


def test_once_a_run_is_drained_nothing_waits_that_could_be_cancelled(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"train": Act.is_lost(), "long": Act.blocks(gate)}
    made = bench(tmp_path, script, (N0, N1))
    made.clock.goes.clear()
    made.write("- long\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["long"])
    made.write("- train\n")
    made.wait_for(AttemptEnded)
    number = made.of(AttemptEnded)[0].attempt.job.id
    made.mode.drain()
    made.wait_for(Draining)
    assert not made.mode.cancel_job(number)
    gate.set()
    made.finish()


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_cancelled_job_is_not_run_again(tmp_path: Path, mode: str) -> None:
    made = bench(tmp_path, {"train": Act.blocks()})
    made.start_queue() if mode == "queue" else made.start_broadcast()
    made.hosts.wait_for(lambda hosts: hosts.commands == ["train"])
    made.mode.cancel()
    made.finish()
    assert made.hosts.commands == ["train"]


def test_a_job_that_fails_when_somebody_has_just_cancelled_it_is_not_either() -> None:
    hosts = FakeHosts()
    attempts = Attempts(hosts.connect, print, Options(retries=1))
    running = attempts.prepare(Job("x"), attempts.plan(Job("x"), N0), hosts.connect(N0))
    assert running.may_repeat(Ending.exited(1))
    running.cancel()
    assert not running.may_repeat(Ending.exited(1))


def test_jobs_have_the_ids_with_which_they_were_taken(tmp_path: Path) -> None:
    made = bench(tmp_path, {})
    made.write("- one\n- two\n")
    made.start_queue()
    made.finish()
    ids = [event.attempt.job.id for event in made.of(AttemptStarted)]
    assert 0 < ids[0] < ids[1]


def test_no_two_attempts_have_the_same_key(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.exits(1)}, (N0, N1, N2), retries=3)
    made.write("- train\n- train\n")
    made.start_broadcast()
    made.finish()
    keys = [event.attempt.key for event in made.of(AttemptStarted)]
    assert len(keys) == len({*keys}) == 2 * 3 * 4


# Broadcast: on the same node, before the barrier.


def test_in_broadcast_the_round_waits_for_it(tmp_path: Path) -> None:
    gate = threading.Event()

    def script(where: Node, command: str) -> Act:
        if where != N1 or command != "train":
            return Act()
        return Act.blocks(gate) if len(made.hosts.ran_on(N1)) else Act.exits(1)

    made = bench(tmp_path, script, (N0, N1))
    made.write("- train\n- other\n")
    made.start_broadcast(error_aborts=True)
    made.hosts.wait_for(lambda hosts: hosts.ran_on(N1) == ["train", "train"])
    assert made.hosts.ran_on(N0) == ["train"]
    gate.set()
    result = made.finish()
    assert result.ok
    assert not result.aborted
    assert made.hosts.ran_on(N0) == ["train", "other"]
    assert made.hosts.ran_on(N1) == ["train", "train", "other"]


def test_in_broadcast_a_lost_node_is_connected_again_for_it(tmp_path: Path) -> None:
    tries: list[Node] = []

    def reach(where: Node) -> str | None:
        tries.append(where)
        return "restarting" if 1 < len(tries) < 4 else None

    made = bench(tmp_path, {})
    made.hosts = FakeHosts({"train": [Act.is_lost(), Act()]}, reach)
    made.start_broadcast()
    assert made.finish().ok
    assert len(made.of(NodeDisconnected)) == 1
    assert len(made.of(NodeConnected)) == 2


def test_in_broadcast_a_node_that_does_not_come_back_counts_as_unreachable(
    tmp_path: Path,
) -> None:
    tries: list[Node] = []

    def reach(where: Node) -> str | None:
        tries.append(where)
        return "gone" if len(tries) > 1 else None

    made = bench(tmp_path, {})
    made.hosts = FakeHosts({"train": Act.is_lost()}, reach)
    made.start_broadcast()
    assert made.finish().exit_status == 4
    assert [ending.outcome for _, ending in made.result.endings] == [
        Outcome.LOST,
        Outcome.UNREACHABLE,
    ]
    assert made.left is None  # It began, and so it does not go back.


def test_in_broadcast_nothing_is_run_again_while_the_run_is_drained(tmp_path: Path) -> None:
    gate = threading.Event()
    made = bench(tmp_path, {"train": Act.exits(1).after(gate)}, (N0, N1))
    made.start_broadcast()
    made.wait_for(AttemptStarted, times=2)
    made.mode.drain()
    gate.set()
    assert made.finish().exit_status == 5
    assert len(made.of(AttemptEnded)) == 2
