"""What became of a job and of its attempts, as the journal tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from pegasus.model import Ending, Job, Outcome


class JobState(Enum):
    """Where a job stands, in a word; the words are part of the documented output.

    `QUEUED` is put back: it stands in the queue file again. `TAKEN` has no attempt that runs: it
    waits to start, or to be run again. `INTERRUPTED` was left by a run that has ended or died.
    """

    QUEUED = "queued"
    TAKEN = "taken"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNREACHABLE = "unreachable"
    INTERRUPTED = "interrupted"


#: The words for states that are counted together, and by which jobs are chosen.
KINDS = {
    "done": frozenset({JobState.SUCCEEDED}),
    "failed": frozenset({JobState.FAILED, JobState.SIGNALLED, JobState.TIMED_OUT}),
    "lost": frozenset({JobState.LOST, JobState.UNREACHABLE}),
    "interrupted": frozenset({JobState.INTERRUPTED}),
    "cancelled": frozenset({JobState.CANCELLED}),
}

#: How attempts end, the worst first: what may go on somewhere, or be half done, comes before
#: what failed by itself; and what somebody has cancelled before what is well.
WORST_FIRST = (
    JobState.INTERRUPTED,
    JobState.LOST,
    JobState.UNREACHABLE,
    JobState.TIMED_OUT,
    JobState.SIGNALLED,
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.SUCCEEDED,
)


@dataclass(slots=True)
class AttemptHistory:
    """One execution of a job on a node.

    Attributes:
        number: counts the attempts of the job from 1.
        run: the id of the run that made it.
        node, index: the node as people see it, and its place in hosts.yaml.
        command: what was run.
        repeats: the number of the attempt that it makes good, or 0.
        started, ended: local time in ISO 8601; `ended` is None while there is no ending.
        pid: on its host, or None where it is not known.
        outcome: how it ended, or None.
        exit_status, exit_signal: with which number or name it ended, or None.
        detail: more of its ending, in words, or "".
        stdout, stderr: bytes of output; they are known at its end.
        unlogged: how many of these bytes are missing in the logs.
        again: whether it ended so that its job is to be run again.
        never_started: why it did not begin, or "".
        slots: the numbers of those that it was given on its node.
    """

    number: int
    run: str
    node: str
    index: int
    command: str
    repeats: int
    started: str
    pid: int | None = None
    ended: str | None = None
    outcome: Outcome | None = None
    exit_status: int | None = None
    exit_signal: str | None = None
    detail: str = ""
    stdout: int = 0
    stderr: int = 0
    unlogged: int = 0
    again: bool = False
    never_started: str = ""
    slots: tuple[int, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing tells of its end: it runs, or its run has died."""
        return self.outcome is None and not self.never_started

    @property
    def ending(self) -> Ending | None:
        """How it ended, or None."""
        if self.outcome is None:
            return None
        return Ending(self.outcome, self.exit_status, self.exit_signal, self.detail)

    @property
    def state(self) -> JobState:
        """Its outcome; or interrupted, where nobody tells of its end any more."""
        return JobState.INTERRUPTED if self.outcome is None else JobState(self.outcome.value)


class Taking(NamedTuple):
    """How a job was last taken: as what, by which run (its id, or ""), and when, in ISO 8601.

    The job's `attempts` are those before that. `is_undone` says whether it was put back since.
    """

    job: Job
    run: str
    at: str
    is_undone: bool = False


@dataclass(slots=True)
class JobHistory:
    """A job that was taken at least once.

    Attributes:
        taking: how it was last taken.
        attempts: all attempts it ever had, by number.
    """

    taking: Taking
    attempts: dict[int, AttemptHistory] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return self.taking.job.id

    @property
    def run(self) -> str:
        """The id of the run that took it last, or ""."""
        return self.taking.run

    @property
    def taken_at(self) -> str:
        """When it was last taken: local time in ISO 8601."""
        return self.taking.at

    @property
    def job(self) -> Job:
        """The job, with the highest number that an attempt of it has had."""
        taken = self.taking.job
        return replace(taken, attempts=max(taken.attempts, *self.attempts, 0))

    @property
    def latest(self) -> list[AttemptHistory]:
        """The attempts since it was last taken, in the order of their numbers."""
        before = self.taking.job.attempts
        return [self.attempts[number] for number in sorted(self.attempts) if number > before]

    @property
    def final(self) -> list[AttemptHistory]:
        """Those that say what became of it: they began, and no other has made them good."""
        begun = [attempt for attempt in self.latest if not attempt.never_started]
        superseded = {attempt.repeats for attempt in begun}
        return [attempt for attempt in begun if attempt.number not in superseded]

    def state(self, is_on: bool) -> JobState:
        """Return where the job stands; `is_on` says whether its run lives."""
        if self.taking.is_undone:
            return JobState.QUEUED
        final = self.final
        if is_on:
            if any(attempt.is_open for attempt in final):
                return JobState.RUNNING
            if not final or any(attempt.again for attempt in final):
                return JobState.TAKEN
        return min(_states(final), key=WORST_FIRST.index, default=JobState.INTERRUPTED)

    def decisive(self, state: JobState) -> AttemptHistory | None:
        """Return the first attempt that the job owes its state to; None where none has begun."""
        return next((one for one in self.final if one.state is state), None)


def _states(attempts: list[AttemptHistory]) -> Iterator[JobState]:
    return (attempt.state for attempt in attempts)
