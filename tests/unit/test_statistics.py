"""How far a run has come, in numbers, and what it took."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from modes import Bench
from modes import node as bench_node

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import (
    AttemptAnnounced,
    AttemptEnded,
    AttemptStarted,
    Draining,
    Event,
    JobRequeued,
    JobsTaken,
    NeverStarted,
    NodeConnected,
    NodeDisconnected,
    NodeLost,
    NodeUnreachable,
    Output,
    QueueCounted,
    RoundEnded,
    RunEnded,
    RunStarted,
    Stream,
)
from pegasus.model import Attempt, Ending, Host, Job, Node, Outcome
from pegasus.ssh.fake import Act, FakeHosts
from pegasus.statistics import Progress, Statistics

NODES = tuple(Node(index, Host("node", "node")) for index in range(4))
BROKEN = NeverStartedError(NODES[0], "session", "refused")


class Watch:
    """Statistics, and a clock that a test sets."""

    def __init__(
        self, mode: str = "queue", nodes: Iterable[Node] = NODES, *, daemon: bool = False
    ) -> None:
        self.now = 1000.0
        self.statistics = Statistics(lambda: self.now)
        settings = {"daemon": daemon}
        self.tell(RunStarted("5f0c91ab", mode, 1, "here", "me", settings, tuple(nodes)))

    def tell(self, *events: Event) -> None:
        for event in events:
            self.statistics(event)

    def at(self, seconds: float) -> None:
        self.now = 1000.0 + seconds

    @property
    def progress(self) -> Progress:
        return self.statistics.progress()

    @property
    def counts(self) -> tuple[int, int, int | None, int]:
        """Done, failed, total, running."""
        found = self.progress
        return found.done, found.failed, found.total, found.running


def attempt(job: int, where: int = 0, number: int = 1, repeats: int = 0) -> Attempt:
    return Attempt(number, Job("x", id=job), NODES[where], "x", repeats)


def taken(*numbers: int) -> JobsTaken:
    return JobsTaken(tuple(Job("x", id=number) for number in numbers))


def started(made: Attempt) -> AttemptStarted:
    return AttemptStarted(made)


def ended(
    made: Attempt, status: int = 0, outcome: Outcome | None = None, *, again: bool = False
) -> AttemptEnded:
    return AttemptEnded(made, Ending(outcome) if outcome else Ending.exited(status), again)


def connected(*numbers: int) -> list[Event]:
    return [NodeConnected(NODES[number]) for number in numbers]


# Jobs.


def test_before_the_queue_was_looked_at_the_total_is_not_known() -> None:
    assert Watch().counts == (0, 0, None, 0)
    assert Watch().progress.queued is None


def test_jobs_are_counted_from_the_queue_to_their_end() -> None:
    watch = Watch()
    watch.tell(QueueCounted(5))
    assert watch.counts == (0, 0, 5, 0)
    watch.tell(taken(1, 2), QueueCounted(3))
    assert watch.counts == (0, 0, 5, 0)
    watch.tell(started(attempt(1)), started(attempt(2, 1)))
    assert watch.counts == (0, 0, 5, 2)
    watch.tell(ended(attempt(1)), ended(attempt(2, 1), 3))
    assert watch.counts == (2, 1, 5, 0)
    assert watch.progress.queued == 3


def test_the_total_follows_the_queue_as_it_is_edited_and_taken_from_by_others() -> None:
    watch = Watch()
    watch.tell(QueueCounted(5), taken(1), QueueCounted(4), started(attempt(1)))
    watch.tell(QueueCounted(40))
    assert watch.counts == (0, 0, 41, 1)
    watch.tell(QueueCounted(0))
    assert watch.counts == (0, 0, 1, 1)


def test_a_job_that_is_run_again_is_not_done_and_counts_once() -> None:
    watch = Watch()
    watch.tell(taken(1), QueueCounted(0), started(attempt(1)), ended(attempt(1), 3, again=True))
    assert watch.counts == (0, 0, 1, 0)
    watch.tell(started(attempt(1, 1, 2, 1)))
    assert watch.counts == (0, 0, 1, 1)
    watch.tell(ended(attempt(1, 1, 2, 1)))
    assert watch.counts == (1, 0, 1, 0)


def test_a_job_that_never_started_waits_until_it_is_back_in_the_file() -> None:
    watch = Watch()
    watch.tell(taken(1), QueueCounted(2), started(attempt(1)))
    watch.tell(NeverStarted(attempt(1), BROKEN))
    assert watch.counts == (0, 0, 3, 0)
    watch.tell(JobRequeued(Job("x", id=1), BROKEN), QueueCounted(3))
    assert watch.counts == (0, 0, 3, 0)


def test_a_repetition_that_never_started_waits_for_another_node() -> None:
    watch = Watch()
    watch.tell(taken(1), QueueCounted(0), started(attempt(1)), ended(attempt(1), 3, again=True))
    watch.tell(started(attempt(1, 1, 2, 1)), NeverStarted(attempt(1, 1, 2, 1), BROKEN))
    assert watch.counts == (0, 0, 1, 0)


def test_a_run_that_takes_no_more_jobs_does_not_count_those_that_are_left() -> None:
    watch = Watch()
    watch.tell(taken(1, 2, 3), QueueCounted(9))
    watch.tell(*[started(attempt(number, number)) for number in (1, 2, 3)])
    watch.tell(ended(attempt(1, 1), 3, again=True))
    assert watch.counts == (0, 0, 12, 2)
    watch.tell(Draining(2))
    assert watch.counts == (1, 1, 3, 2)
    watch.tell(ended(attempt(2, 2), 3, again=True), ended(attempt(3, 3)))
    assert watch.counts == (3, 2, 3, 0)


# Rounds.


def test_a_job_of_a_broadcast_is_a_round() -> None:
    watch = Watch("broadcast")
    watch.tell(*connected(0, 1, 2, 3), QueueCounted(3), taken(1), QueueCounted(2))
    watch.tell(*[started(attempt(1, where, where + 1)) for where in range(4)])
    assert watch.counts == (0, 0, 3, 4)
    watch.tell(ended(attempt(1, 0, 1)), ended(attempt(1, 1, 2), 3, again=True))
    assert watch.progress.on_nodes == (1, 4)
    watch.tell(started(attempt(1, 1, 5, 2)), ended(attempt(1, 1, 5, 2)))
    watch.tell(ended(attempt(1, 2, 3)), ended(attempt(1, 3, 4), 3))
    assert watch.progress.on_nodes == (4, 4)
    endings = tuple((attempt(1, where), Ending.exited(where // 3)) for where in range(4))
    watch.tell(RoundEnded(Job("x", id=1), endings))
    assert watch.counts == (1, 1, 3, 0)
    assert watch.progress.on_nodes is None


def test_a_round_that_began_nowhere_is_not_done() -> None:
    watch = Watch("broadcast")
    watch.tell(taken(1), QueueCounted(1), started(attempt(1)), NeverStarted(attempt(1), BROKEN))
    watch.tell(RoundEnded(Job("x", id=1), ()), JobRequeued(Job("x", id=1), BROKEN))
    watch.tell(QueueCounted(2))
    assert watch.counts == (0, 0, 2, 0)


def test_nodes_that_were_left_out_are_not_in_a_round() -> None:
    watch = Watch("broadcast")
    error = UnreachableError(NODES[3], "connect", "refused")
    watch.tell(NodeUnreachable(NODES[3], error, skipped=True), QueueCounted(1), taken(1))
    assert watch.progress.on_nodes == (0, 3)


# Nodes.


def test_a_node_is_free_while_it_is_connected_and_runs_nothing() -> None:
    watch = Watch()
    watch.tell(*connected(0, 1, 2), started(attempt(1, 1)))
    assert (watch.progress.free, watch.progress.connected) == (2, 3)
    watch.tell(NodeDisconnected(NODES[0], "reset"), NodeLost(NODES[2], "reset"))
    assert (watch.progress.free, watch.progress.connected) == (0, 1)
    watch.tell(ended(attempt(1, 1), outcome=Outcome.LOST))
    assert (watch.progress.free, watch.progress.connected) == (0, 0)
    watch.tell(*connected(1))
    assert (watch.progress.free, watch.progress.connected) == (1, 1)


def test_a_node_on_which_a_command_has_begun_is_connected_again() -> None:
    watch = Watch("broadcast")
    watch.tell(*connected(0), ended(attempt(1), outcome=Outcome.LOST))
    assert watch.progress.connected == 0
    watch.tell(started(attempt(2)), AttemptAnnounced(attempt(2), 7))
    assert watch.progress.connected == 1


# Times.


def test_nodes_are_busy_while_they_run_a_command_and_there_while_they_are_connected() -> None:
    watch = Watch()
    watch.at(2)
    watch.tell(*connected(0, 1), started(attempt(1)))
    watch.at(12)
    watch.tell(ended(attempt(1)), NodeDisconnected(NODES[1], "reset"), started(attempt(2)))
    watch.at(16)
    times = watch.statistics.times()
    assert (times.wall, times.jobs, times.available) == (16, 14, 24)
    assert times.utilisation == pytest.approx(14 / 24)
    assert times.attempts == {(1, 1): 10}
    watch.tell(*connected(1), ended(attempt(2)))
    watch.at(20)
    watch.tell(RunEnded("5f0c91ab", 0, None))
    watch.at(99)
    times = watch.statistics.times()
    assert (times.wall, times.jobs, times.available) == (20, 14, 32)
    assert watch.progress.elapsed == 20


def test_what_never_began_was_no_work() -> None:
    watch = Watch("broadcast")
    watch.tell(*connected(0), started(attempt(1)), started(attempt(2, 1)))
    watch.at(10)
    watch.tell(ended(attempt(1), outcome=Outcome.UNREACHABLE), NeverStarted(attempt(2, 1), BROKEN))
    watch.at(20)
    times = watch.statistics.times()
    assert (times.jobs, times.available, times.attempts) == (0, 10, {})


def test_without_nodes_there_is_no_utilisation() -> None:
    assert Watch().statistics.times().utilisation is None


# Estimates.


def test_the_end_is_estimated_from_what_has_ended_and_the_nodes() -> None:
    watch = Watch()
    watch.tell(*connected(0, 1), taken(1, 2), QueueCounted(8))
    watch.tell(started(attempt(1)), started(attempt(2, 1)))
    watch.at(5)
    assert watch.progress.remaining is None
    watch.at(10)
    watch.tell(ended(attempt(1)), ended(attempt(2, 1)))
    assert watch.progress.remaining == 40
    watch.tell(taken(3, 4), QueueCounted(6), started(attempt(3)), started(attempt(4, 1)))
    watch.at(14)
    assert watch.progress.remaining == pytest.approx(36)
    watch.tell(QueueCounted(16))
    watch.at(16)
    assert watch.progress.remaining == pytest.approx(84)
    watch.tell(Draining(2))
    watch.at(18)
    assert watch.progress.remaining == pytest.approx(2)


def test_an_estimate_is_counted_down_and_not_made_anew_all_the_time() -> None:
    watch = Watch()
    watch.tell(*connected(0), taken(1), QueueCounted(3), started(attempt(1)))
    watch.at(10)
    watch.tell(ended(attempt(1)), taken(2), QueueCounted(2), started(attempt(2)))
    assert watch.progress.remaining == 30
    watch.tell(*connected(1))  # That is nothing new to the estimate, for a moment.
    watch.at(12)
    assert watch.progress.remaining == 28
    watch.at(16)
    assert watch.progress.remaining == 14


def test_rounds_are_estimated_as_rounds() -> None:
    watch = Watch("broadcast")
    watch.tell(*connected(0, 1, 2, 3), taken(1), QueueCounted(4))
    watch.tell(*[started(attempt(1, where, where + 1)) for where in range(4)])
    watch.at(3)
    watch.tell(*[ended(attempt(1, where, where + 1)) for where in range(3)])
    watch.at(10)
    watch.tell(ended(attempt(1, 3, 4)))
    watch.tell(RoundEnded(Job("x", id=1), ((attempt(1), Ending.exited(0)),)))
    assert watch.progress.remaining == 40
    watch.tell(taken(2), QueueCounted(3))
    watch.at(16)
    assert watch.progress.remaining == pytest.approx(34)


def test_a_daemon_has_no_end() -> None:
    watch = Watch(daemon=True)
    watch.tell(*connected(0), taken(1), QueueCounted(3), started(attempt(1)))
    watch.at(10)
    watch.tell(ended(attempt(1)))
    assert watch.progress.remaining is None


# Threads, and real runs.


def test_only_what_changes_a_number_is_a_new_version() -> None:
    watch = Watch()
    before = watch.statistics.version
    watch.tell(Output(attempt(1), Stream.STDOUT, b"x"))
    assert watch.statistics.version == before
    watch.tell(QueueCounted(1))
    assert watch.statistics.version > before


def test_many_threads_may_tell_at_once() -> None:
    statistics = Statistics()

    def run(where: int) -> None:
        for number in range(300):
            made = attempt(1 + where * 300 + number, where)
            for event in (taken(made.job.id), started(made), ended(made, number % 2)):
                statistics(event)
            statistics.progress()

    threads = [threading.Thread(target=run, args=(where,)) for where in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = statistics.progress()
    assert (found.done, found.failed, found.running) == (1200, 600, 0)
    assert len(statistics.times().attempts) == 1200


class Counted(Bench):
    """A bench whose events statistics hear, too."""

    statistics: Statistics

    def emit(self, event: Event) -> None:
        super().emit(event)
        self.statistics(event)


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_after_a_whole_run_all_is_done_and_nothing_waits(tmp_path: Path, mode: str) -> None:
    script = {
        "bad": [Act.exits(3), Act.is_lost(), Act()],
        "worse": Act.exits(3),
        "gone": [Act.never_starts(), Act()],
    }
    made = Counted(tmp_path, FakeHosts(script), [bench_node(0), bench_node(1)])
    made.statistics = Statistics()
    made.statistics(RunStarted("5f0c91ab", mode, 1, "here", "me", {}, tuple(made.nodes)))
    text = "- command: {}\n  options: {{retries: 2}}\n"
    made.write("".join(text.format(word) for word in ("bad", "fine", "worse", "gone", "fine")))
    made.start_queue() if mode == "queue" else made.start_broadcast()
    made.finish()
    found = made.statistics.progress()
    jobs = {attempt.job.id for attempt, _ in made.result.final}
    failed = {attempt.job.id for attempt, _ in made.result.failed}
    assert (found.done, found.failed, found.total) == (len(jobs), len(failed), len(jobs))
    assert (found.queued, found.running, found.on_nodes) == (0, 0, None)


def test_jobs_that_are_over_before_the_next_can_begin_take_as_long_as_they_are_handed_out() -> None:
    watch = Watch()
    watch.tell(*connected(0, 1, 2, 3), QueueCounted(1000))
    for number in range(1, 101):  # One in two seconds, each of a hundredth, on whichever node.
        watch.at(2 * number)
        watch.tell(started(one := attempt(number, number % 4)))
        watch.at(2 * number + 0.01)
        watch.tell(ended(one), QueueCounted(1000 - number))
    assert watch.progress.remaining == pytest.approx(2 * 900, rel=0.02)


def test_a_node_that_waits_for_people_does_not_make_jobs_longer() -> None:
    watch = Watch(nodes=NODES[:1])
    watch.tell(*connected(0), QueueCounted(0), started(one := attempt(1)))
    watch.at(10)
    watch.tell(ended(one), QueueCounted(0))
    watch.at(3000)
    watch.tell(QueueCounted(5), taken(2), QueueCounted(4), started(two := attempt(2)))
    watch.at(3010)
    watch.tell(ended(two))
    assert watch.progress.remaining == pytest.approx(40)
