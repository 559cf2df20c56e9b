"""How things stand in a queue, summed up from its history: what `inv status` tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pegasus.journal.history import History
from pegasus.journal.jobs import KINDS, AttemptHistory, JobHistory, JobState
from pegasus.journal.nodes import RunHistory

#: The kinds of jobs that somebody may want to look at, or put back.
TROUBLES = ("failed", "lost", "interrupted")

_KIND_OF = {state: kind for kind, states in KINDS.items() for state in states}


@dataclass(frozen=True)
class Execution:
    """An attempt that runs now."""

    job: JobHistory
    attempt: AttemptHistory


@dataclass(frozen=True)
class Trouble:
    """A job that failed, was lost or interrupted.

    Attributes:
        attempt: the one that it owes its state to, or None where none had begun.
        others: how many more attempts did not succeed, on other nodes of a broadcast.
    """

    job: JobHistory
    state: JobState
    attempt: AttemptHistory | None
    others: int

    @classmethod
    def of(cls, job: JobHistory, state: JobState) -> Trouble:
        bad = [one for one in job.final if one.state is not JobState.SUCCEEDED]
        return cls(job, state, job.decisive(state), max(0, len(bad) - 1))

    @property
    def kind(self) -> str:
        """One of `TROUBLES`."""
        return _KIND_OF[self.state]

    @property
    def command(self) -> str:
        """What was run; the template, where nothing was."""
        return self.attempt.command if self.attempt else self.job.taking.job.template

    @property
    def why(self) -> str:
        """What happened, in words."""
        if self.attempt is None:
            return f"{self.state.value} before it began"
        return str(self.attempt.ending or self.state.value)


@dataclass(frozen=True)
class Queue:
    """What stands in a queue file.

    Attributes:
        file: the file, as the user named it.
        jobs: how many jobs, as far as it can be read; None where it can't be at all.
        problem: what is wrong with it, or "".
    """

    file: str
    jobs: int | None
    problem: str = ""


@dataclass(frozen=True)
class Standing:
    """How things stand.

    Attributes:
        queue: what is still to be taken.
        runs: those that are on, or else the last one; there may be none.
        running: what runs now.
        counts: how many jobs of these runs are taken, running, done, failed, lost, interrupted or
            cancelled: a job is one of these. `taken` are those that wait to begin or to be
            repeated.
        troubles: the jobs of these runs that failed, were lost or interrupted.
        earlier: the same of all other runs.
    """

    queue: Queue
    runs: Sequence[RunHistory]
    running: Sequence[Execution]
    counts: Counter[str]
    troubles: Sequence[Trouble]
    earlier: Sequence[Trouble]

    @classmethod
    def of(cls, history: History, queue: Queue) -> Standing:
        """Return how things stand in a history that has caught up."""
        runs = [run for run in history.runs.values() if run.is_on]
        runs = runs or [*history.runs.values()][-1:]
        ids = {run.id for run in runs}
        running: list[Execution] = []
        counts: Counter[str] = Counter()
        troubles: list[Trouble] = []
        earlier: list[Trouble] = []
        for job in history.jobs.values():
            state = history.state(job)
            kind = _KIND_OF.get(state, state.value)
            if kind in TROUBLES:
                (troubles if job.run in ids else earlier).append(Trouble.of(job, state))
            if job.run in ids and state is not JobState.QUEUED:
                counts[kind] += 1
            if state is JobState.RUNNING:
                running += [Execution(job, one) for one in job.final if one.is_open]
        return cls(queue, runs, running, counts, troubles, earlier)

    def on(self, run: RunHistory) -> dict[int, list[Execution]]:
        """Return what runs on the nodes of a run, by their indices; of others there is nothing."""
        found: dict[int, list[Execution]] = {}
        for one in self.running:
            if one.attempt.run == run.id:
                found.setdefault(one.attempt.index, []).append(one)
        return found
