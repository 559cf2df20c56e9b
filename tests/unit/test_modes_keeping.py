"""What runs is on record before it begins, and how attempts are numbered and announced."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from modes import Bench, node
from project import wait_until

from pegasus.errors import StorageError
from pegasus.events import (
    AttemptAnnounced,
    AttemptEnded,
    AttemptStarted,
    Draining,
    Event,
    JobRequeued,
    NeverStarted,
    Output,
    QueueRefused,
    Stream,
)
from pegasus.journal.file import JournalReader, journal_path
from pegasus.journal.records import JOBS_REQUEUED
from pegasus.locking import FileLock
from pegasus.model import Attempt, Job, Node, Options, Outcome
from pegasus.modes import attempts as attempts_module
from pegasus.modes.attempts import BEFORE_IT_BEGAN, Attempts
from pegasus.plan import Plan
from pegasus.ssh.fake import Act, FakeHosts

N0, N1 = node(0), node(1)

MODES = {"queue": Bench.start_queue, "broadcast": Bench.start_broadcast}


class FullDisk:
    """A keeper that can keep nothing for a while."""

    def __init__(self) -> None:
        self.is_full = True
        self.asked: Counter[tuple[int, int]] = Counter()
        self.noted: list[int] = []

    def note_starts(self, attempts: Sequence[Attempt]) -> None:
        self.noted.append(len(attempts))

    def begin(self, attempt: Attempt) -> None:
        self.asked[attempt.key] += 1
        if self.is_full:
            raise StorageError("no space left on device")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "RETRY", 0.01)


@pytest.fixture(params=MODES)
def start(request: pytest.FixtureRequest) -> Callable[[Bench], None]:
    """Start a run of either mode."""
    return MODES[request.param]


def bench(tmp_path: Path, hosts: FakeHosts | None = None, *nodes: Node) -> tuple[Bench, FullDisk]:
    made, disk = Bench(tmp_path, hosts or FakeHosts(), nodes or [N0]), FullDisk()
    made.keeper = disk
    made.write("- one\n- two\n")
    return made, disk


def test_an_attempt_waits_until_its_start_is_on_record(
    tmp_path: Path, start: Callable[[Bench], None]
) -> None:
    made, disk = bench(tmp_path)
    start(made)
    wait_until(lambda: disk.asked[1, 1] > 3, "more tries")
    assert (made.hosts.commands, made.of(AttemptStarted)) == ([], [])
    disk.is_full = False
    assert made.finish().ok
    assert made.hosts.commands == ["one", "two"]
    assert disk.asked[2, 1] == 1


def test_draining_lets_it_wait_on(tmp_path: Path, start: Callable[[Bench], None]) -> None:
    made, disk = bench(tmp_path)
    start(made)
    wait_until(lambda: disk.asked, "the first try")
    made.mode.drain()
    made.wait_for(Draining)
    tries = disk.asked[1, 1]
    wait_until(lambda: disk.asked[1, 1] > tries + 3, "more tries")
    disk.is_full = False
    assert made.finish().ok
    assert made.hosts.commands == ["one"]


def test_cancelling_ends_the_waiting_at_once(
    tmp_path: Path, start: Callable[[Bench], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts_module, "RETRY", 3600.0)
    made, disk = bench(tmp_path)
    start(made)
    wait_until(lambda: disk.asked, "the first try")
    assert made.mode.cancel_job(1)
    wait_until(lambda: disk.asked[2, 1], "the next job")
    made.mode.cancel()
    result = made.finish()
    assert made.hosts.commands == []
    assert [ending.outcome for _, ending in result.endings] == [Outcome.CANCELLED] * 2
    assert {ending.detail for _, ending in result.endings} == {BEFORE_IT_BEGAN}
    assert len(made.of(AttemptStarted)) == 2  # Whoever listens sees beginning and end.
    assert result.running == {}


def test_jobs_that_are_taken_together_are_noted_together(tmp_path: Path) -> None:
    made, disk = bench(tmp_path, None, node(0, slots=2))
    disk.is_full = False
    made.start_queue()
    assert made.finish().ok
    assert disk.noted == [2]


def test_the_attempts_of_a_round_are_noted_together(tmp_path: Path) -> None:
    made, disk = bench(tmp_path, None, N0, N1)
    disk.is_full = False
    made.start_broadcast()
    assert made.finish().ok
    assert disk.noted == [2, 2]


def test_other_nodes_are_not_held_up(tmp_path: Path) -> None:
    made, disk = bench(tmp_path, None, N0, N1)
    begin = disk.begin

    def begin_but_one(attempt: Attempt) -> None:
        disk.is_full = attempt.job.id == 1 and "two" not in made.hosts.commands
        begin(attempt)

    disk.begin = begin_but_one  # type: ignore[method-assign]
    made.start_queue()
    assert made.finish().ok
    assert made.hosts.commands == ["two", "one"]


def test_a_journal_that_can_t_be_used_is_looked_at_again(
    tmp_path: Path, start: Callable[[Bench], None]
) -> None:
    made, disk = bench(tmp_path)
    disk.is_full = False
    journal = journal_path(FileLock.of(made.path).folder)
    journal.parent.mkdir(parents=True)
    journal.write_text('{"journal": "pegasus", "version": 99}\n')
    start(made)
    made.wait_for(QueueRefused)
    journal.rename(tmp_path / "away")
    assert made.finish().ok
    assert made.hosts.commands == ["one", "two"]


def test_numbers_go_on_from_the_attempts_that_a_job_has_had() -> None:
    attempts = Attempts(FakeHosts().connect, lambda _: None)
    connection = FakeHosts().connect(N0)
    plan = Plan("x")

    def number(job: Job) -> int:
        return attempts.prepare(job, plan, connection).attempt.number

    assert [number(Job("x", id=1)), number(Job("x", id=1))] == [1, 2]
    assert [number(Job("x", id=2, attempts=3)), number(Job("x", id=2, attempts=3))] == [4, 5]
    # Another run had it meanwhile.
    assert number(Job("x", id=1, attempts=6)) == 7
    assert attempts.counted(Job("x", id=1)).attempts == 7
    assert attempts.counted(Job("x", id=2, attempts=3)).attempts == 5
    assert attempts.counted(Job("x", id=3, attempts=9)).attempts == 9


def test_a_job_that_is_put_back_goes_on_counting_whoever_takes_it(
    tmp_path: Path, start: Callable[[Bench], None]
) -> None:
    off: list[Node] = []
    hosts = FakeHosts(
        {"one": Act.never_starts()}, unreachable=lambda where: "off" if where in off else None
    )
    made, disk = bench(tmp_path, hosts)
    disk.is_full = False

    def emit(event: Event) -> None:
        if isinstance(event, NeverStarted):
            off.append(N0)
        Bench.emit(made, event)

    made.emit = emit  # type: ignore[method-assign]
    start(made)
    made.finish()
    assert [event.job.attempts for event in made.of(JobRequeued)] == [1]
    assert made.result.owed == []
    reader = JournalReader(FileLock.of(made.path).folder, JOBS_REQUEUED)
    reader.begins_anew()
    assert [job["attempts"] for record in reader.read() for job in record["jobs"]] == [1]
    later = Bench(tmp_path, FakeHosts(), [N0])
    start(later)
    assert later.finish().ok
    keys = [event.attempt.key for event in later.of(AttemptStarted)]
    assert keys == [(1, 2), (2, 1)]


def test_an_attempt_is_announced_with_its_group_and_its_cancel_command_is_not(
    tmp_path: Path,
) -> None:
    gate = threading.Event()
    cancel = Act(pid=22, output=((Stream.STDOUT, b"stopped"),))
    hosts = FakeHosts({"one": Act(pid=11, gate=gate), "stop": cancel})
    made, disk = bench(tmp_path, hosts)
    disk.is_full = False
    made.write("- command: one\n  options: {cancel: stop}\n")
    made.start_queue()
    made.wait_for(AttemptAnnounced)
    made.mode.cancel()
    made.finish()
    assert [event.pid for event in made.of(AttemptAnnounced)] == [11]
    kinds = [type(event) for event in made.events if hasattr(event, "attempt")]
    assert kinds == [AttemptStarted, AttemptAnnounced, Output, AttemptEnded]


def test_an_attempt_that_never_starts_is_not_announced(tmp_path: Path) -> None:
    made, disk = bench(tmp_path, FakeHosts(lambda *_: Act.never_starts()))
    disk.is_full = False
    made.start_queue()
    made.finish()
    assert made.of(AttemptAnnounced) == []


def test_an_ending_says_whether_the_job_is_run_again(
    tmp_path: Path, start: Callable[[Bench], None]
) -> None:
    made, disk = bench(tmp_path, FakeHosts({"one": [Act.exits(1), Act.exits(1), Act()]}))
    disk.is_full = False
    made.defaults = Options(retries=1)
    start(made)
    made.finish()
    assert [event.again for event in made.of(AttemptEnded)] == [True, False, False]


def test_and_that_it_is_not_while_the_run_is_ending(
    tmp_path: Path, start: Callable[[Bench], None]
) -> None:
    gate = threading.Event()
    made, disk = bench(tmp_path, FakeHosts({"one": Act.exits(1).after(gate)}))
    disk.is_full = False
    made.defaults = Options(retries=1)
    start(made)
    made.hosts.wait_for(lambda hosts: hosts.commands == ["one"])
    made.mode.drain()
    made.wait_for(Draining)
    gate.set()
    made.finish()
    assert [event.again for event in made.of(AttemptEnded)] == [False]
