"""Whatever happens to jobs and nodes, and whoever ends the run when: what always holds."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modes import Bench

from pegasus.events import (
    Aborted,
    AttemptEnded,
    AttemptStarted,
    CancelCommandEnded,
    Event,
    NeverStarted,
)
from pegasus.model import Attempt, Ending, Host, Node, Outcome
from pegasus.ssh.base import Connection
from pegasus.ssh.fake import Act, FakeHosts

MANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "60")),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
#: What blocks goes on after this time, in seconds.
BLOCKED = 0.03
TIMEOUT = 0.01

ACTS = ["succeed", "fail", "die", "lose", "refuse", "block", "block, then be lost", "drop"]


@dataclass(frozen=True)
class Wanted:
    """A job of a queue, and what is to happen, one time after the other; then it succeeds."""

    acts: tuple[str, ...]
    retries: int
    has_cancel: bool
    has_timeout: bool

    def text(self, number: int) -> str:
        options = [f"retries: {self.retries}"]
        options += [f"cancel: stop {number}"] if self.has_cancel else []
        options += [f"timeout: {TIMEOUT}"] if self.has_timeout else []
        return f"- command: job {number}\n  options: {{{', '.join(options)}}}\n"


JOBS = st.lists(
    st.builds(
        Wanted,
        st.lists(st.sampled_from(ACTS), max_size=4).map(tuple),
        st.integers(0, 2),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)
#: What somebody asks for, after so many events; a number is a job to be cancelled.
ASKED = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from(["drain", "cancel", 1, 2, 3])), max_size=3
)
#: Whether a node can be reached, one try after the other; then it can.
REACHED = st.lists(st.booleans(), max_size=6)


class Watched(FakeHosts):
    """Hosts that note what runs at the same time."""

    def __init__(self, jobs: list[Wanted], reached: list[bool], gate: threading.Event) -> None:
        super().__init__(self._next, self._reason)
        self._acts = {f"job {n}": [*job.acts] for n, job in enumerate(jobs)}
        self._reached = [*reached]
        self._gate = gate
        self._guard = threading.Lock()
        self.running: Counter[str] = Counter()
        self.overlaps: list[str] = []
        self.open_after = False

    def _next(self, node: Node, command: str) -> Act:
        with self._guard:
            acts = self._acts.get(command)
            word = acts.pop(0) if acts else "succeed"
        return {
            "succeed": Act(),
            "fail": Act.exits(3),
            "die": Act(ending=Ending(Outcome.SIGNALLED, exit_signal="SEGV")),
            "lose": Act.is_lost(),
            "refuse": Act.never_starts(),
            "block": Act.blocks(self._gate),
            "block, then be lost": Act.is_lost().after(self._gate),
            "drop": Act(drops=True),
        }[word]

    def _reason(self, node: Node) -> str | None:
        with self._guard:
            return None if not self._reached or self._reached.pop(0) else "it is not there"

    def connect(self, node: Node) -> Connection:
        connection = super().connect(node)
        attempt = connection.attempt

        def noted(command: str, *rest: Any) -> Ending:
            things = [f"connection {id(connection)}"]
            things += [] if command.startswith("stop") else [f"{command} {self.scope(node)}"]
            with self._guard:
                self.running.update(things)
                self.overlaps += [thing for thing in things if self.running[thing] > 1]
            try:
                return attempt(command, *rest)
            finally:
                with self._guard:
                    self.running.subtract(things)

        connection.attempt = noted
        return connection

    def scope(self, node: Node) -> str:
        return ""


class WatchedEverywhere(Watched):
    """The same where each job is run once on each node at a time."""

    def scope(self, node: Node) -> str:
        return f"on {node.index}"


class Trial(Bench):
    """A run that is meddled with after some of its events."""

    def __init__(
        self, directory: Path, hosts: Watched, nodes: int, asked: list[tuple[int, Any]]
    ) -> None:
        named = [Node(index, Host(f"n{index}", f"n{index}")) for index in range(nodes)]
        super().__init__(directory, hosts, named)
        self._asked = asked
        self._askers: list[threading.Thread] = []
        self._guard = threading.Lock()
        #: How many events there were when a job had been cancelled.
        self.cancelled: dict[int, int] = {}

    def emit(self, event: Event) -> None:
        with self._guard:
            super().emit(event)
            number = len(self.events)
        for when, what in self._asked:
            if when == number:
                asker = threading.Thread(target=self._ask, args=(what,), daemon=True)
                asker.start()
                self._askers.append(asker)

    def _ask(self, what: Any) -> None:
        assert self.mode
        if isinstance(what, str):
            getattr(self.mode, what)()
        elif self.mode.cancel_job(what):
            with self._guard:
                self.cancelled.setdefault(what, len(self.events))

    def see_through(self) -> None:
        self.finish()
        for asker in self._askers:
            asker.join(10)
            assert not asker.is_alive(), "nobody answers"

    @property
    def is_meddled_with(self) -> bool:
        return bool(self._asked)

    @property
    def names_left(self) -> list[str]:
        return [item if isinstance(item, str) else _name(item) for item in self.left or []]

    @property
    def names_consumed(self) -> list[str]:
        return [_name(item) for item in self.consumed]


def _name(item: Any) -> str:
    command = item["command"]
    return command if isinstance(command, str) else command[0]


@contextmanager
def trial(
    hosts: Callable[..., Watched],
    jobs: list[Wanted],
    nodes: int,
    reached: list[bool],
    asked: list[tuple[int, Any]],
) -> Iterator[Trial]:
    gate = threading.Event()
    opener = threading.Timer(BLOCKED, gate.set)
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        made = Trial(Path(folder), hosts(jobs, reached, gate), nodes, asked)
        made.cancel_within = 1.0
        made.write("".join(job.text(number) for number, job in enumerate(jobs)))
        opener.start()
        try:
            yield made
        finally:
            opener.cancel()


def assert_attempts_are_sound(made: Trial, jobs: list[Wanted]) -> None:
    """What holds in both modes, of attempts, their events and their cancel commands."""
    assert made.hosts.overlaps == []
    started = [event.attempt.key for event in made.of(AttemptStarted)]
    ends = [*made.of(AttemptEnded), *made.of(NeverStarted)]
    over = [event.attempt.key for event in ends]
    assert len(set(started)) == len(started)
    assert sorted(over) == sorted(started)
    assert made.result.running == {}
    assert made.result.owed == []
    for number, job in enumerate(jobs):
        assert_cancel_commands(made, job, number)
    for number, when in made.cancelled.items():
        assert_not_begun_after(made, number, when)


def assert_not_begun_after(made: Trial, number: int, when: int) -> None:
    """A job that somebody has cancelled may be announced, but does not begin."""
    later = [event.attempt.key for event in made.events[when:] if isinstance(event, AttemptStarted)]
    endings = {attempt.key: ending for attempt, ending in made.result.endings}
    for key in later:
        assert key[0] != number or endings[key].outcome is Outcome.CANCELLED


def assert_cancel_commands(made: Trial, job: Wanted, number: int) -> None:
    """A cancel command is run once at most for an attempt, and for each that was lost."""
    ended = [item for item in made.result.endings if item[0].command == f"job {number}"]
    lost = {attempt.key for attempt, ending in ended if ending.outcome is Outcome.LOST}
    stopped = made.hosts.commands.count(f"stop {number}")
    made_up = [event.attempt.key for event in made.of(CancelCommandEnded)]
    made_up = [key for key in made_up if key in {attempt.key for attempt, _ in ended}]
    assert len(set(made_up)) == len(made_up)
    assert lost.issuperset(made_up)
    if not job.has_cancel:
        assert (stopped, made_up) == (0, [])
    elif made.is_meddled_with or job.has_timeout:
        # What ends by itself in the moment of the request has had its command run, too.
        assert stopped <= len(ended)
    else:
        assert stopped <= len(lost)
        assert lost.issubset(made_up)


def expected_status(made: Trial) -> int:
    outcomes = {ending.outcome for _, ending in made.result.final}
    if outcomes & {Outcome.TIMED_OUT, Outcome.SIGNALLED}:
        return 3
    is_node_gone = made.result.unreachable or made.result.lost
    if is_node_gone or outcomes & {Outcome.LOST, Outcome.UNREACHABLE}:
        return 4
    return 5 if outcomes - {Outcome.SUCCEEDED} else 0


@MANY
@given(jobs=JOBS, nodes=st.integers(1, 3), reached=REACHED, asked=ASKED)
def test_each_job_of_a_queue_is_left_or_has_one_final_ending(
    jobs: list[Wanted], nodes: int, reached: list[bool], asked: list[tuple[int, Any]]
) -> None:
    with trial(Watched, jobs, nodes, reached, asked) as made:
        made.start_queue()
        made.see_through()
        assert_attempts_are_sound(made, jobs)
        final = [attempt.command for attempt, _ in made.result.final]
        names = [f"job {number}" for number in range(len(jobs))]
        assert sorted(final + made.names_left) == names
        assert sorted(made.names_consumed) == sorted(final)
        assert made.result.exit_status == expected_status(made)
        begun = Counter(attempt.command for attempt, _ in made.result.endings)
        for number, job in enumerate(jobs):
            assert begun[f"job {number}"] <= 1 + job.retries
        for attempt, ending in made.result.endings:
            if ending.outcome is Outcome.CANCELLED:
                assert (attempt, ending) in made.result.final


@MANY
@given(jobs=JOBS, nodes=st.integers(1, 3), reached=REACHED, asked=ASKED, error_aborts=st.booleans())
def test_each_job_of_a_broadcast_is_left_or_ended_on_every_node_behind_the_barrier(
    jobs: list[Wanted],
    nodes: int,
    reached: list[bool],
    asked: list[tuple[int, Any]],
    error_aborts: bool,
) -> None:
    with trial(WatchedEverywhere, jobs, nodes, reached, asked) as made:
        made.start_broadcast(error_aborts=error_aborts, skip_unreachable=True)
        made.see_through()
        assert_attempts_are_sound(made, jobs)
        final: dict[str, list[tuple[Attempt, Ending]]] = {}
        for attempt, ending in made.result.final:
            final.setdefault(attempt.command, []).append((attempt, ending))
        names = [f"job {number}" for number in range(len(jobs))]
        assert sorted([*final, *made.names_left]) == names
        assert sorted(made.names_consumed) == sorted(final)
        reachable = {attempt.node for ends in final.values() for attempt, _ in ends}
        for ends in final.values():
            assert Counter(attempt.node for attempt, _ in ends) == Counter(reachable)
        assert_barrier_holds(made)
        for number, job in enumerate(jobs):
            begun = Counter((attempt.node, attempt.command) for attempt, _ in made.result.endings)
            assert all(
                many <= 1 + job.retries
                for (_, command), many in begun.items()
                if command == f"job {number}"
            )
        assert made.result.exit_status == expected_status(made)
        if error_aborts:
            assert_aborted_behind_the_first_failure(made, [*final.values()])


def assert_barrier_holds(made: Trial) -> None:
    running: dict[tuple[int, int], int] = {}
    for event in made.events:
        if isinstance(event, AttemptStarted):
            running[event.attempt.key] = event.attempt.job.id
            assert len(set(running.values())) == 1
        elif isinstance(event, (AttemptEnded, NeverStarted)):
            del running[event.attempt.key]


def assert_aborted_behind_the_first_failure(
    made: Trial, rounds: list[list[tuple[Attempt, Ending]]]
) -> None:
    failed = [any(not ending.succeeded for _, ending in ends) for ends in rounds]
    assert not any(failed[:-1])
    assert bool(made.of(Aborted)) <= any(failed)
