"""What ends a job beside signals: its cancel command, its timeout, and cancelling it alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from modes import Bench, node
from project import wait_until

from pegasus.errors import NeverStartedError, QueueFileError
from pegasus.events import (
    AttemptEnded,
    AttemptStarted,
    CancelCommandEnded,
    Event,
    NeverStarted,
    NodeConnected,
    NodeLost,
    Output,
)
from pegasus.model import Ending, Job, Node, Options, Outcome, Place, Surroundings, Text
from pegasus.modes.attempts import Attempts, Plan, Running
from pegasus.modes.cancelling import CancelCommand
from pegasus.ssh.base import Connection
from pegasus.ssh.fake import Act, FakeHosts

STOPPED = Options(cancel="stop {{ gpu }}")
N0, N1 = node(0, STOPPED, gpu="a"), node(1, STOPPED, gpu="b")


def bench(directory: Path, script: object, nodes: tuple[Node, ...] = (N0,)) -> Bench:
    made = Bench(directory, FakeHosts(script), nodes)
    made.write("- train\n")
    return made


def cancelled(made: Bench) -> Ending:
    """The ending of the only job, cancelled while it runs."""
    made.start_queue()
    made.hosts.wait_for(lambda hosts: "train" in hosts.commands)
    made.mode.cancel()
    ((_, ending),) = made.finish().endings
    return ending


def test_a_cancelled_job_has_its_command_run_on_its_node_over_another_connection(
    tmp_path: Path,
) -> None:
    made = bench(tmp_path, {"train": Act.blocks()})
    assert cancelled(made) == Ending(Outcome.CANCELLED)
    assert made.hosts.ran == [(N0, "train"), (N0, "stop a")]
    _, second = made.hosts.connections
    assert (second.node, second.opened, second.is_open) == (N0, 1, False)


def test_it_is_run_while_the_job_is_still_being_signalled(tmp_path: Path) -> None:
    gate = threading.Event()

    class Stubborn(FakeHosts):
        """A job that ends only when its cancel command has been run."""

        def connect(self, where: Node) -> Connection:
            connection = super().connect(where)
            attempt = connection.attempt

            def patient(command: str, *rest: object) -> Ending:
                ending = attempt(command, *rest)
                if command == "train":
                    assert gate.wait(20)
                return ending

            connection.attempt = patient
            return connection

    def script(_: Node, command: str) -> Act:
        if command == "train":
            return Act.blocks()
        gate.set()
        return Act()

    made = bench(tmp_path, {})
    made.hosts = Stubborn(script)
    assert cancelled(made).outcome is Outcome.CANCELLED


def test_a_job_that_runs_too_long_is_cancelled_and_says_after_how_long(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.blocks()})
    made.defaults = Options(timeout=0.02)
    made.start_queue()
    result = made.finish()
    assert [str(ending) for _, ending in result.endings] == ["timed out: after 0.02 s"]
    assert result.exit_status == 3
    assert made.hosts.commands == ["train", "stop a"]


@pytest.mark.parametrize(
    ("job", "where", "default", "timeout"),
    [
        (None, None, 0, None),
        (None, None, 9, 9),
        (None, 7, 9, 7),
        (5, 7, 9, 5),
        (0, 7, 9, None),
    ],
)
def test_the_job_decides_then_the_node_then_the_settings(
    job: float | None, where: float | None, default: float, timeout: float | None
) -> None:
    attempts = Attempts(FakeHosts().connect, print, Options(timeout=default, retries=3))
    plan = attempts.plan(Job("x", (), Options(timeout=job)), node(0, Options(timeout=where)))
    assert (plan.command, plan.cancel, plan.timeout, plan.retries) == ("x", None, timeout, 3)


def test_a_command_that_can_not_be_filled_says_where_it_stands() -> None:
    source = Text("stop {{ nobody }}", Place("queue.yaml", 3, 13), "stop {{ nobody }}")
    job = Job("x", (), Options(cancel=source.value, sources=(("cancel", source),)))
    with pytest.raises(QueueFileError, match=r"^queue\.yaml:3:\d+: "):
        Attempts(FakeHosts().connect, print).plan(job, N0)


@pytest.mark.parametrize("act", [Act(), Act.exits(1)])
def test_a_job_that_ends_by_itself_has_no_cancel_command_run(tmp_path: Path, act: Act) -> None:
    made = bench(tmp_path, {"train": act})
    made.start_queue()
    made.finish()
    made.mode.cancel()
    assert made.hosts.commands == ["train"]


def test_a_job_that_never_started_has_none_run(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": [Act.never_starts(), Act()]})
    made.start_queue()
    made.finish()
    assert made.hosts.commands == ["train"]


def test_a_job_that_is_cancelled_before_it_begins_has_none_run() -> None:
    hosts, seen = FakeHosts(), list[Event]()
    attempts = Attempts(hosts.connect, seen.append)
    running = attempts.prepare(Job("x"), Plan("x", "stop"), hosts.connect(N0))
    running.cancellation.cancel()
    assert attempts.run(running) == Ending(Outcome.CANCELLED)
    assert hosts.commands == []


def test_a_request_that_comes_too_late_runs_nothing() -> None:
    hosts, seen = FakeHosts(), list[Event]()
    attempts = Attempts(hosts.connect, seen.append)
    running = attempts.prepare(Job("x"), Plan("x", "stop"), hosts.connect(N0))
    assert attempts.run(running) == Ending.exited(0)
    running.cancellation.cancel()
    assert hosts.commands == ["x"]
    assert len(hosts.connections) == 1


def test_its_output_is_the_output_of_the_attempt(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.blocks(), "stop a": Act.prints("stopped\n")})
    cancelled(made)
    kinds = [type(event) for event in made.events]
    assert kinds.index(Output) < kinds.index(AttemptEnded)
    (output,) = made.of(Output)
    assert output.data == b"stopped\n"
    assert output.attempt == made.of(AttemptStarted)[0].attempt


def test_it_finds_what_it_is_given() -> None:
    hosts, surroundings = FakeHosts(), Surroundings((("PEGASUS_SLOTS", "0,1"),), "~/run")
    made = Attempts(hosts.connect, print).prepare(Job("x"), Plan("x"), hosts.connect(N0))
    command = CancelCommand(made.attempt, "stop", hosts.connect, print, 20, surroundings)
    command.start()
    assert command.finish() == ""
    assert (hosts.commands, hosts.surroundings) == (["stop"], [surroundings])


def test_what_it_prints_after_the_attempt_has_ended_is_left_out() -> None:
    hosts = FakeHosts({"stop": Act.blocks()})
    seen = list[Event]()
    attempt = Attempts(hosts.connect, seen.append).prepare(Job("x"), Plan("x"), hosts.connect(N0))
    command = CancelCommand(attempt.attempt, "stop", hosts.connect, seen.append, 0.02)
    command.start()
    assert command.finish() == "the cancel command failed: it did not end within 0.02 s"
    command.on_output(next(iter(Act.prints("late").output))[0], b"late")
    assert seen == []


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (Act.exits(1), "exit status: 1"),
        (Act.never_starts("no session"), "session: no session"),
        (Act.is_lost("reset"), "lost: reset"),
    ],
)
def test_when_it_fails_the_ending_says_so(tmp_path: Path, act: Act, problem: str) -> None:
    made = bench(tmp_path, {"train": Act.blocks(), "stop a": act})
    assert str(cancelled(made)) == f"cancelled: the cancel command failed: {problem}"


def test_when_it_hangs_the_ending_does_not_wait_for_ever(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.blocks(), "stop a": Act.blocks()})
    made.cancel_within = 0.05
    assert cancelled(made).detail == "the cancel command failed: it did not end within 0.05 s"
    wait_until(lambda: not made.hosts.connections[1].is_open, "the end of what hung")


def test_when_connecting_hangs_the_ending_does_not_wait_for_ever(tmp_path: Path) -> None:
    end = threading.Event()
    opened: list[Node] = []

    def reach(where: Node) -> str | None:
        opened.append(where)
        if len(opened) > 1:
            end.wait(20)
        return None

    made = bench(tmp_path, {})
    made.hosts = FakeHosts({"train": Act.blocks()}, reach)
    made.cancel_within = 0.05
    assert cancelled(made).detail == "the cancel command failed: it did not end within 0.05 s"
    end.set()
    wait_until(lambda: made.hosts.connections[1].opened, "the connection that came too late")
    wait_until(lambda: not made.hosts.connections[1].is_open, "its end")
    assert made.hosts.commands == ["train"]


def test_when_it_can_not_connect_the_ending_says_so(tmp_path: Path) -> None:
    opened: list[Node] = []

    def reach(where: Node) -> str | None:
        opened.append(where)
        return None if len(opened) == 1 else "refused"

    made = bench(tmp_path, {})
    made.hosts = FakeHosts({"train": Act.blocks()}, reach)
    assert cancelled(made).detail == "the cancel command failed: connect: refused"
    assert len(opened) == 2


def test_a_mistake_of_ours_in_it_does_not_keep_the_job_from_ending(tmp_path: Path) -> None:
    def script(_: Node, command: str) -> Act:
        if command == "train":
            return Act.blocks()
        raise RuntimeError("a mistake")

    ending = cancelled(bench(tmp_path, script))
    assert ending.outcome is Outcome.CANCELLED
    assert "a mistake" in ending.detail


def test_without_threads_to_spare_all_are_cancelled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if "CancelCommand" in repr(thread._target):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ending = cancelled(bench(tmp_path, {"train": Act.blocks()}))
    assert ending.detail == "the cancel command failed: can't start new thread"


def test_a_slow_reader_of_output_does_not_hold_up_the_cancelling(tmp_path: Path) -> None:
    hosts = FakeHosts({"x": Act.prints("much")})
    reading, go_on = threading.Event(), threading.Event()

    def emit(event: Event) -> None:
        if isinstance(event, Output):
            reading.set()
            go_on.wait(20)

    attempts = Attempts(hosts.connect, emit)
    running = attempts.prepare(Job("x"), Plan("x", "stop"), hosts.connect(N0))
    thread = threading.Thread(target=attempts.run, args=(running,))
    thread.start()
    assert reading.wait(20)
    running.cancellation.cancel()  # It must return.
    hosts.wait_for(lambda hosts: "stop" in hosts.commands)
    go_on.set()
    thread.join(20)


# A job that is lost: its processes die with the connection, but not what lives elsewhere.


def test_after_a_loss_it_is_run_before_the_node_takes_other_jobs(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.is_lost(), "stop a": Act.prints("gone\n")})
    made.write("- train\n- other\n")
    made.start_queue()
    made.finish()
    assert made.hosts.commands == ["train", "stop a", "other"]
    (event,) = made.of(CancelCommandEnded)
    assert (event.attempt.command, event.problem) == ("train", "")
    assert made.events.index(made.of(NodeConnected)[1]) < made.events.index(event)
    assert [output.attempt.command for output in made.of(Output)] == ["train"]


def test_after_the_loss_of_the_last_job_the_run_ends_with_it(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.is_lost()})
    made.start_queue()
    assert made.finish().exit_status == 4
    assert made.hosts.commands == ["train", "stop a"]
    assert [event.problem for event in made.of(CancelCommandEnded)] == [""]


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_that_a_lost_job_may_go_on_is_said(tmp_path: Path, mode: str) -> None:
    opened: list[Node] = []

    def reach(where: Node) -> str | None:
        opened.append(where)
        return None if len(opened) == 1 else "gone"

    made = bench(tmp_path, {})
    made.hosts = FakeHosts({"train": Act.is_lost()}, reach)
    made.reconnect_for = 0.0
    made.start_queue() if mode == "queue" else made.start_broadcast()
    made.finish()
    problems = [event.problem for event in made.of(CancelCommandEnded)]
    assert problems == ["the cancel command failed: connect: gone"]
    assert len(made.of(NodeLost)) == (mode == "queue")


def test_in_broadcast_it_is_run_before_the_next_round(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        return Act.is_lost() if (where, command) == (N1, "train") else Act()

    made = bench(tmp_path, script, (N0, N1))
    made.write("- train\n- other\n")
    made.start_broadcast()
    made.finish()
    assert made.hosts.ran_on(N0) == ["train", "other"]
    assert made.hosts.ran_on(N1) == ["train", "stop b", "other"]


def test_in_broadcast_it_is_run_before_the_run_ends(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.is_lost()}, (N0, N1))
    made.start_broadcast()
    assert made.finish().exit_status == 4
    assert sorted(made.hosts.commands) == ["stop a", "stop b", "train", "train"]


def test_in_broadcast_each_node_has_its_own_command_run(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.blocks()}, (N0, N1))
    made.start_broadcast()
    made.hosts.wait_for(lambda hosts: len(hosts.ran) == 2)
    made.mode.cancel()
    assert [ending for _, ending in made.finish().endings] == [Ending(Outcome.CANCELLED)] * 2
    assert sorted(made.hosts.commands) == ["stop a", "stop b", "train", "train"]


# One job alone.


def test_one_job_is_cancelled_and_the_run_goes_on(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"train": Act.blocks(), "other": Act.blocks(gate)}
    made = bench(tmp_path, script, (N0, N1))
    made.defaults = Options(retries=2)
    made.write("- train\n- other\n- third\n")
    made.start_queue()
    made.hosts.wait_for(lambda hosts: {"train", "other"} <= {*hosts.commands})
    number = {event.attempt.command: event.attempt.job.id for event in made.of(AttemptStarted)}
    assert made.mode.cancel_job(number["train"])
    assert not made.mode.cancel_job(99)
    made.hosts.wait_for(lambda hosts: "third" in hosts.commands)
    gate.set()
    result = made.finish()
    assert [(a.command, e.outcome) for a, e in result.failed] == [("train", Outcome.CANCELLED)]
    assert sorted(command for command in made.hosts.commands if "stop" not in command) == [
        "other",
        "third",
        "train",
    ]
    assert not made.mode.cancel_job(number["train"])


def test_before_a_run_begins_there_is_no_job_to_cancel(tmp_path: Path) -> None:
    made = bench(tmp_path, {})
    made.write("")
    made.start_queue()
    made.finish()
    assert not made.mode.cancel_job(1)


def test_a_job_that_waits_to_be_run_again_is_not(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.is_lost()}, (node(0),))
    made.defaults = Options(retries=2)
    made.clock.goes.clear()
    made.start_queue()
    made.wait_for(AttemptEnded)
    number = made.of(AttemptStarted)[0].attempt.job.id
    wait_until(lambda: made.mode.cancel_job(number), "a job that waits")
    assert made.finish().exit_status == 4
    assert made.hosts.commands == ["train"]


def test_in_broadcast_one_job_is_cancelled_on_all_nodes(tmp_path: Path) -> None:
    made = bench(tmp_path, {"train": Act.blocks()}, (N0, N1))
    made.defaults = Options(retries=2)
    made.write("- train\n- other\n")
    made.start_broadcast()
    made.hosts.wait_for(lambda hosts: hosts.commands.count("train") == 2)
    number = made.of(AttemptStarted)[0].attempt.job.id
    assert not made.mode.cancel_job(number + 1)
    assert made.mode.cancel_job(number)
    result = made.finish()
    assert [ending.outcome for _, ending in result.failed] == [Outcome.CANCELLED] * 2
    assert made.hosts.commands.count("train") == made.hosts.commands.count("other") == 2


def test_a_node_that_is_back_takes_no_job_while_it_is_run(tmp_path: Path) -> None:
    gate = threading.Event()
    script = {"train": Act.is_lost(), "stop a": Act.blocks(gate), "next": Act.blocks(gate)}
    made = bench(tmp_path, script, (N0, N1))
    made.start_queue()
    made.hosts.wait_for(lambda hosts: len(hosts.commands) == 2)  # There is nothing else to do.
    made.wait_for(NodeConnected, times=3)
    made.write("- next\n- other\n")
    made.hosts.wait_for(lambda hosts: "next" in hosts.commands)
    assert made.left == ["other"]  # One node is free.
    gate.set()
    made.finish()
    assert len(made.hosts.commands) == 4


# Requests that come when an attempt is over, and its run has not yet taken notice.


def cancelled_late(made: Bench, monkeypatch: pytest.MonkeyPatch, mode: str) -> list[bool]:
    """Run a mode in which somebody cancels job 1 just after its attempt is over."""
    run, answers = Attempts.run, list[bool]()

    def late(attempts: Attempts, running: Running) -> Ending | NeverStartedError:
        result = run(attempts, running)
        answers.append(made.mode.cancel_job(running.attempt.job.id))
        return result

    monkeypatch.setattr(Attempts, "run", late)
    made.start_queue() if mode == "queue" else made.start_broadcast()
    made.finish()
    return answers


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_job_that_did_not_start_is_not_put_back_when_it_has_been_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    made = bench(tmp_path, {"train": Act.never_starts()})
    assert cancelled_late(made, monkeypatch, mode) == [True]
    assert [str(ending) for _, ending in made.result.endings] == ["cancelled: before it began"]
    assert made.of(NeverStarted) == []
    assert made.left is None
    assert len(made.consumed) == 1


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_what_was_lost_has_its_command_run_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    made = bench(tmp_path, {"train": Act.is_lost()})
    made.defaults = Options(retries=1)
    assert cancelled_late(made, monkeypatch, mode) == [True]
    assert made.hosts.commands == ["train", "stop a"]


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_what_is_cancelled_while_it_times_out_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    made = bench(tmp_path, {"train": Act.blocks()})
    made.defaults = Options(retries=1, timeout=0.02)
    assert cancelled_late(made, monkeypatch, mode) == [True]
    assert [ending.outcome for _, ending in made.result.endings] == [Outcome.TIMED_OUT]
    assert made.hosts.commands == ["train", "stop a"]
