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
    JobsUnfit,
    NeverStarted,
    NodeAdded,
    NodeConnected,
    NodeDisconnected,
    NodeDrained,
    NodeLost,
    NodeUndrained,
    NodeUnreachable,
    Output,
    Paused,
    QueueCounted,
    Resumed,
    RoundEnded,
    RunEnded,
    RunStarted,
    Stream,
    Unfit,
)
from pegasus.measures import Progress
from pegasus.model import (
    Attempt,
    Ending,
    Host,
    Job,
    Need,
    Node,
    Options,
    Outcome,
    Place,
    Slots,
)
from pegasus.ssh.fake import Act, FakeHosts
from pegasus.statistics import Statistics

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


# Slots.

EIGHT = Slots(tuple(range(8)))


def on(job: int, *slots: int, where: int = 0, needs: int | None = None) -> Attempt:
    """Return an attempt on these slots of a node."""
    wanted = Job("x", slots=len(slots) if needs is None else needs, id=job)
    return Attempt(1, wanted, NODES[where], "x", 0, Slots(slots))


def eight(*numbers: int) -> list[Event]:
    return [NodeConnected(NODES[number], EIGHT) for number in numbers]


def unfit(jobs: int, slots: int = 16) -> JobsUnfit:
    return JobsUnfit((Unfit(Need(slots), jobs, Place("queue.yaml", 1, 1), "too many"),))


def test_slots_are_free_that_no_job_has() -> None:
    watch = Watch()
    watch.tell(*eight(0), *connected(1), started(on(1, 0, 1)), started(on(2, 4)))
    found = watch.progress
    assert (found.free, found.slots, found.connected, found.running) == (6, 9, 2, 2)
    watch.tell(started(on(3)), started(on(4, where=1)))
    assert (watch.progress.free, watch.progress.running) == (6, 4)
    watch.tell(ended(on(1, 0, 1)), ended(on(3)))
    assert (watch.progress.free, watch.progress.running) == (8, 2)


def test_slots_are_busy_as_long_as_jobs_have_them() -> None:
    watch = Watch()
    watch.tell(*eight(0), started(on(1, 0, 1, 2, 3)), started(on(2, 5)), started(on(3)))
    watch.at(10)
    watch.tell(ended(on(1, 0, 1, 2, 3)))
    watch.at(20)
    times = watch.statistics.times()
    assert (times.jobs, times.busy, times.available) == (10 + 20 + 20, 40 + 20, 160)
    assert times.utilisation == pytest.approx(60 / 160)
    assert times.has_slots
    assert not Watch().statistics.times().has_slots


def test_a_broadcast_is_on_all_slots() -> None:
    watch = Watch("broadcast", NODES[:1])
    watch.tell(*eight(0), taken(1), started(on(1, *range(8))))
    watch.at(10)
    assert watch.statistics.times().utilisation == 1
    assert watch.progress.free == 0


def test_of_a_drained_node_only_the_slots_are_there_that_jobs_are_still_on() -> None:
    watch = Watch()
    watch.tell(*eight(0, 1), started(on(1, 0, 1)))
    watch.at(10)
    watch.tell(NodeDrained(NODES[0]))
    assert (watch.progress.free, watch.progress.slots, watch.progress.connected) == (8, 10, 2)
    watch.at(20)
    watch.tell(ended(on(1, 0, 1)))
    assert (watch.progress.free, watch.progress.slots, watch.progress.connected) == (8, 8, 1)
    watch.at(30)
    assert watch.statistics.times().available == 160 + 100 + 80
    watch.tell(NodeUndrained(NODES[0]))
    assert watch.progress.slots == 16
    watch.tell(NodeDrained(NODES[0], removed=True), NodeAdded(NODES[0]))
    assert watch.progress.slots == 16


def test_while_a_run_is_paused_only_the_slots_are_there_that_jobs_are_on() -> None:
    watch = Watch()
    watch.tell(*eight(0), started(on(1, 0, 1)))
    watch.at(10)
    watch.tell(Paused(1))
    assert watch.progress.is_paused
    assert (watch.progress.free, watch.progress.slots) == (6, 8)
    watch.at(20)
    watch.tell(ended(on(1, 0, 1)))
    watch.at(500)
    watch.tell(Resumed())
    watch.at(510)
    assert not watch.progress.is_paused
    assert watch.statistics.times().available == 80 + 20 + 0 + 80


def test_of_several_jobs_on_a_node_the_last_one_that_is_lost_takes_it_away() -> None:
    watch = Watch()
    watch.tell(*eight(0), started(on(1, 0)), started(on(2, 1)))
    watch.tell(ended(on(1, 0), outcome=Outcome.LOST))
    assert watch.progress.connected == 1
    watch.tell(ended(on(2, 1), outcome=Outcome.LOST))
    assert watch.progress.connected == 0


def test_a_job_that_is_found_lost_late_does_not_take_away_a_connection_that_was_made_since() -> (
    None
):
    watch = Watch()
    watch.tell(*eight(0), started(on(1, 0)), started(on(2, 1)))
    watch.at(10)
    watch.tell(ended(on(1, 0), outcome=Outcome.LOST), NodeDisconnected(NODES[0], "reset"))
    watch.at(11)
    watch.tell(*eight(0))
    watch.at(12)
    watch.tell(ended(on(2, 1), outcome=Outcome.LOST))
    assert (watch.progress.connected, watch.progress.free) == (1, 8)


def test_a_wait_is_from_when_the_last_of_its_slots_was_free() -> None:
    watch = Watch()
    watch.tell(*eight(0), QueueCounted(100))
    watch.tell(started(one := on(1, 0)), started(other := on(2, 1)))
    watch.at(10)
    watch.tell(ended(one))
    watch.at(50)
    watch.tell(ended(other))
    watch.at(52)
    watch.tell(started(on(3, 0, 1)))
    assert watch.statistics._nodes.wait == 2  # Nobody else tells.


@pytest.mark.parametrize("why", [[NodeDrained(NODES[0]), NodeUndrained(NODES[0])], [Paused(0)]])
def test_what_somebody_wants_to_wait_is_no_wait(why: list[Event]) -> None:
    watch = Watch()
    watch.tell(*eight(0), QueueCounted(9), started(one := on(1, 0)), ended(one), *why)
    watch.at(1000)
    watch.tell(Resumed(), started(on(2, 0)))
    assert watch.statistics._nodes.wait == 0


def test_jobs_that_fit_no_node_are_not_to_be_done() -> None:
    watch = Watch()
    watch.tell(*connected(0), QueueCounted(7), unfit(2))
    assert watch.counts == (0, 0, 5, 0)
    assert (watch.progress.unfit, watch.progress.queued) == (2, 7)
    watch.tell(QueueCounted(1))
    assert (watch.counts, watch.progress.unfit) == ((0, 0, 0, 0), 1)
    watch.tell(JobsUnfit(()))
    assert (watch.counts, watch.progress.unfit) == ((0, 0, 1, 0), 0)


def test_the_end_of_jobs_of_several_slots_is_estimated_from_what_they_need() -> None:
    watch = Watch()
    whole = tuple(range(8))
    needs = [(Need(1), 15), (Need(8), 1), (Need(1, "gpu-*"), 1), (Need(16), 1)]
    watch.tell(*eight(0), started(on(1, *whole)))
    watch.at(10)
    watch.tell(ended(on(1, *whole)), QueueCounted(18, needs), unfit(1))
    # Two laps of small ones, and a large one.
    assert watch.progress.remaining == 30
    again = Watch()
    again.tell(*eight(0), started(on(1, *whole)))
    again.at(10)
    again.tell(ended(on(1, *whole)), QueueCounted(4))
    assert again.progress.remaining == 40


def test_while_it_is_paused_nobody_knows_the_end_of_a_run() -> None:
    watch = Watch()
    watch.tell(*connected(0), QueueCounted(4), started(attempt(1)))
    watch.at(10)
    watch.tell(ended(attempt(1)), Paused(0))
    assert watch.progress.remaining is None
    watch.tell(Resumed())
    assert watch.progress.remaining == 40


def test_on_a_drained_node_nothing_is_expected_to_run() -> None:
    watch = Watch()
    watch.tell(*eight(0), *connected(1), QueueCounted(8))
    made = [on(number, number) for number in range(8)]
    watch.tell(*map(started, made), started(one := on(9, 0, where=1)))
    watch.at(10)
    watch.tell(ended(one), NodeDrained(NODES[0]))
    assert watch.progress.remaining == 80


def test_a_round_is_on_the_nodes_that_there_are_when_it_begins() -> None:
    watch = Watch("broadcast")
    watch.tell(NodeDrained(NODES[3]), QueueCounted(1), taken(1))
    assert watch.progress.on_nodes == (0, 3)
    watch.tell(NodeUndrained(NODES[3]))
    assert watch.progress.on_nodes == (0, 3)
    late = Node(4, Host("late", "late"))
    bound = Job("x", options=Options(on="late"), id=2)
    watch.tell(RoundEnded(Job("x", id=1), ()), NodeAdded(late), taken(3))
    assert watch.progress.on_nodes == (0, 5)
    watch.tell(RoundEnded(Job("x", id=3), ()), JobsTaken((bound,)))
    assert watch.progress.on_nodes == (0, 1)
