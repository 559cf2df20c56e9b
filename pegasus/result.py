"""What a run came to: collected from its events, with the exit status that follows from it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pegasus.errors import NodeError
from pegasus.events import (
    Aborted,
    AttemptEnded,
    AttemptStarted,
    Event,
    JobRequeued,
    JobsUnfit,
    NeverStarted,
    NodeLost,
    NodeUnreachable,
    Unfit,
)
from pegasus.model import Attempt, Ending, Job, Node
from pegasus.statuses import SIGNALLED, SUCCESS, exit_status


@dataclass
class RunResult:
    """The result of `inv queue` or `inv broadcast`; it may be looked at while the run is on.

    Attributes:
        endings: every attempt that has ended, with how, in the order of ending.
        owed: jobs that never started and have not got back to the queue file.
        running: the attempts that have not ended, by key; after a run, those that were left.
        unreachable: nodes that could not be connected to, with why.
        lost: nodes whose connection broke and that were given up, with how.
        unfit: jobs that fit no node and stay in the queue file.
        aborted: whether a failed node ended a broadcast early.
        interrupted: the number of the signal that ended the run early, or None.
        exit_code: by which rule the exit status is found: kind, max or count.
    """

    endings: list[tuple[Attempt, Ending]] = field(default_factory=list)
    owed: list[Job] = field(default_factory=list)
    running: dict[tuple[int, int], Attempt] = field(default_factory=dict)
    unreachable: dict[Node, NodeError] = field(default_factory=dict)
    lost: dict[Node, str] = field(default_factory=dict)
    unfit: tuple[Unfit, ...] = ()
    aborted: bool = False
    interrupted: int | None = None
    exit_code: str = "kind"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __call__(self, event: Event) -> None:
        """Take notice of an event: a result is an event sink."""
        with self._lock:
            if isinstance(event, AttemptStarted):
                self.running[event.attempt.key] = event.attempt
            elif isinstance(event, NeverStarted):
                self.running.pop(event.attempt.key, None)
                self._owe(event.attempt)
            elif isinstance(event, JobRequeued):
                self.owed = [job for job in self.owed if job.id != event.job.id]
            elif isinstance(event, AttemptEnded):
                self.running.pop(event.attempt.key, None)
                self.endings.append((event.attempt, event.ending))
            else:
                self._note_trouble(event)

    def _note_trouble(self, event: Event) -> None:
        if isinstance(event, NodeUnreachable) and not event.skipped:
            self.unreachable[event.node] = event.error
        elif isinstance(event, NodeLost):
            self.lost[event.node] = event.detail
        elif isinstance(event, JobsUnfit):
            self.unfit = event.unfit
        elif isinstance(event, Aborted):
            self.aborted = True

    def _owe(self, attempt: Attempt) -> None:
        """Remember a job that must go back to the queue: one without any ending yet."""
        job = attempt.job  # In a broadcast, many attempts are one job.
        if not attempt.repeats and all(job.id != owed.id for owed in self.owed):
            self.owed.append(job)

    @property
    def left(self) -> list[Attempt]:
        """The attempts that have not ended; a copy, since other threads change what runs."""
        return [*self.running.copy().values()]  # The copy is made at once.

    @property
    def final(self) -> list[tuple[Attempt, Ending]]:
        """The attempts that count, in the order of ending: none that another one has made good."""
        superseded = {
            (attempt.job.id, attempt.repeats) for attempt, _ in self.endings if attempt.repeats
        }
        return [item for item in self.endings if item[0].key not in superseded]

    @property
    def failed(self) -> list[tuple[Attempt, Ending]]:
        """The attempts that count and did not succeed, in the order of ending."""
        return [(attempt, ending) for attempt, ending in self.final if not ending.succeeded]

    @property
    def ok(self) -> bool:
        """Whether all is well: the exit status is 0."""
        return self.exit_status == SUCCESS

    @property
    def exit_status(self) -> int:
        """0 all well, 128+n interrupted; else what the rule `exit_code` makes of what failed.

        By `kind` it is the first that applies in the order 3 a command timed out or was killed by
        a signal, 4 a node unreachable or lost, 5 a command failed, 1 jobs stay in the queue file
        since they fit no node. See docs/failure.md.
        """
        if self.interrupted is not None:
            return SIGNALLED + self.interrupted
        endings = [ending for _, ending in self.failed]
        nodes = len({*self.unreachable, *self.lost})
        return exit_status(self.exit_code, endings, nodes, sum(one.jobs for one in self.unfit))
