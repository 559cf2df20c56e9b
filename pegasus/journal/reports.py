"""What callers from Python are told of jobs: values that don't change when the history goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pegasus.journal.jobs import AttemptHistory, JobHistory, JobState
from pegasus.model import Job, Outcome


@dataclass(frozen=True)
class AttemptReport:
    """One execution of a job.

    Attributes:
        number: counts the attempts of the job from 1.
        node: where, as people see it.
        command: what was run.
        outcome: how it ended; None while it runs, if it never began, and where its run died.
        exit_status, exit_signal: the number or the name it ended with, or None.
        started, ended: local time in ISO 8601; None where it has not ended.
        slots: the numbers of the slots that it was given on its node.
    """

    number: int
    node: str
    command: str
    outcome: Outcome | None
    exit_status: int | None
    exit_signal: str | None
    started: str
    ended: str | None
    slots: tuple[int, ...] = ()

    @classmethod
    def of(cls, attempt: AttemptHistory) -> AttemptReport:
        return cls(
            attempt.number,
            attempt.node,
            attempt.command,
            attempt.outcome,
            attempt.exit_status,
            attempt.exit_signal,
            attempt.started,
            attempt.ended,
            attempt.slots,
        )


@dataclass(frozen=True)
class JobReport:
    """A job that stands in the queue file, or was taken from it.

    Attributes:
        id: its number; None while it has not been taken for the first time.
        template: its command, not filled.
        params: what fills the template, beside the parameters of the node.
        state: where it stands.
        node: where it ran last, or None.
        attempts: all it ever had, in their order.
    """

    id: int | None
    template: str
    params: Mapping[str, str]
    state: JobState
    node: str | None = None
    attempts: tuple[AttemptReport, ...] = ()

    @classmethod
    def of(cls, history: JobHistory, state: JobState) -> JobReport:
        """Return what is known of a job that was taken."""
        job = history.taking.job
        attempts = tuple(
            AttemptReport.of(history.attempts[key]) for key in sorted(history.attempts)
        )
        node = attempts[-1].node if attempts else None
        return cls(job.id, job.template, _params(job), state, node, attempts)

    @classmethod
    def new(cls, job: Job) -> JobReport:
        """Return what is known of a job that was never taken."""
        return cls(None, job.template, _params(job), JobState.QUEUED)


def _params(job: Job) -> Mapping[str, str]:
    return MappingProxyType(dict(job.params))
