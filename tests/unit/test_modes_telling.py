"""What modes tell of the queue file and of rounds, for those who show how far a run has come."""

from __future__ import annotations

import threading
from pathlib import Path

from modes import Bench, node
from project import wait_until

from pegasus.events import AttemptEnded, JobsTaken, QueueCounted, RoundEnded
from pegasus.model import Ending, Outcome
from pegasus.ssh.fake import Act, FakeHosts

NODES = [node(0), node(1)]


def counts(bench: Bench) -> list[int]:
    return [event.jobs for event in bench.of(QueueCounted)]


def test_the_jobs_that_are_left_are_counted_as_they_are_taken(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), NODES[:1])
    bench.write("- one\n- command: two {{ n }}\n  n: [1, 2]\n")
    bench.start_queue()
    bench.finish()
    assert counts(bench)[-3:] == [2, 1, 0]  # Before, it may be counted while nobody is free.
    assert [[job.id for job in event.jobs] for event in bench.of(JobsTaken)] == [[1], [2], [3]]


def test_an_edited_file_is_counted_anew_while_all_nodes_are_busy(tmp_path: Path) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.blocks(gate)), NODES)
    bench.write("- one\n- two\n- three\n")
    bench.start_queue()
    wait_until(lambda: counts(bench) and counts(bench)[-1] == 1, "both nodes to be busy")
    bench.write("- command: '{{ n }}'\n  n: [1, 2, 3, 4]\n")
    wait_until(lambda: counts(bench)[-1] == 4, "the count of what was written")
    gate.set()
    bench.finish()
    assert counts(bench)[-1] == 0


def test_jobs_of_one_commit_are_told_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), NODES)
    bench.write("- one\n- two\n- three\n- four\n")
    bench.start_queue()
    bench.finish()
    taken = [job.id for event in bench.of(JobsTaken) for job in event.jobs]
    assert taken == [1, 2, 3, 4]


def test_a_round_is_told_behind_its_barrier_with_the_attempts_that_count(tmp_path: Path) -> None:
    def script(where: object, command: str) -> Act:
        return Act.exits(3) if command == "two node-1" else Act()

    bench = Bench(tmp_path, FakeHosts(script), NODES)
    bench.defaults = bench.defaults.__class__(retries=1)
    bench.write("- one\n- two {{ hostname }}\n")
    bench.start_broadcast()
    bench.finish()
    one, two = bench.of(RoundEnded)
    assert [(attempt.node, ending) for attempt, ending in one.endings] == [
        (NODES[0], Ending.exited(0)),
        (NODES[1], Ending.exited(0)),
    ]
    (good, _), (bad, ending) = two.endings
    assert (good.node, bad.node) == (NODES[0], NODES[1])
    assert ending == Ending.exited(3)
    assert bad.repeats  # The second try is what counts.
    last = bench.events.index(two) - 1
    assert isinstance(bench.events[last], AttemptEnded)


def test_a_round_tells_of_nodes_on_which_it_did_not_begin(tmp_path: Path) -> None:
    def script(where: object, command: str) -> Act:
        return Act.never_starts("cut") if where == NODES[1] else Act()

    bench = Bench(tmp_path, FakeHosts(script), NODES)
    bench.write("- one\n")
    bench.start_broadcast()
    bench.finish()
    (told,) = bench.of(RoundEnded)
    assert [ending.outcome for _, ending in told.endings] == [
        Outcome.SUCCEEDED,
        Outcome.UNREACHABLE,
    ]


def test_a_round_that_began_nowhere_has_no_endings(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.never_starts("cut")), NODES)
    bench.write("- one\n")
    bench.start_broadcast()
    bench.finish()
    assert [event.endings for event in bench.of(RoundEnded)] == [()]
