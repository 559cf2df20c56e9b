"""How far a run has come, in numbers: collected from its events, with the times they came at."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pegasus.estimate import Estimate, remaining
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
    QueueCounted,
    RoundEnded,
    RunEnded,
    RunStarted,
)
from pegasus.model import Outcome
from pegasus.tally import REMEMBERED, Jobs, Nodes

#: An attempt has no connection any more, or had none.
_UNCONNECTED = frozenset({Outcome.LOST, Outcome.UNREACHABLE})


@dataclass(frozen=True)
class Progress:
    """How far a run has come. In a broadcast a job is a round: it is done on all nodes.

    Attributes:
        done: how many jobs have come to their end, well or not.
        failed: how many of them not well.
        total: those, what runs, what waits to be run again, and what is left in the queue file
            for this run or another; None while the file has not been looked at.
        queued: how many are left in the queue file; None while it has not been looked at.
        running: how many attempts run; in a broadcast, on as many nodes.
        free: how many nodes are connected and run nothing.
        connected: how many are connected.
        elapsed: seconds since the run began.
        remaining: in how many seconds it is going to end, or None where that can't be said.
        on_nodes: broadcast: on how many nodes the job of this round has ended, and on how many it
            is run; None between rounds.
    """

    done: int
    failed: int
    total: int | None
    queued: int | None
    running: int
    free: int
    connected: int
    elapsed: float
    remaining: float | None
    on_nodes: tuple[int, int] | None


@dataclass(frozen=True)
class Times:
    """What a run took, in seconds.

    Attributes:
        wall: from its beginning to its end, or until now.
        jobs: the time of all attempts together, repeated ones too. Nodes were busy for so long.
        available: for how long nodes were connected, all of them together.
        attempts: of each attempt that has ended and had begun, by its key.
    """

    wall: float
    jobs: float
    available: float
    attempts: Mapping[tuple[int, int], float]

    @property
    def utilisation(self) -> float | None:
        """The share of their time in which nodes were busy; None where there was no node."""
        return min(self.jobs / self.available, 1.0) if self.available else None


class Statistics:
    """Counts what a run has done, and adds up the time that it took. Any thread may use it.

    Args:
        clock: returns seconds.

    Attributes:
        version: grows with all that changes a number, but for the time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.version = 0
        self._lock = threading.Lock()
        self._began = clock()
        self._ended: float | None = None
        self._is_broadcast = self._is_daemon = self._is_draining = False
        self._jobs = Jobs()
        self._nodes = Nodes()
        self._round: _Round | None = None
        self._members: set[int] = set()  # On which nodes a broadcast runs each job.
        self._running: dict[tuple[int, int], tuple[int, float]] = {}  # Node, and since when.
        self._attempts: dict[tuple[int, int], float] = {}
        self._durations: deque[float] = deque(maxlen=REMEMBERED)
        self._estimate = Estimate()

    def __call__(self, event: Event) -> None:
        """Take notice of an event: this is an event sink."""
        note = _NOTES.get(type(event))
        if note is not None:  # Output, of which there is most, costs no more than this.
            with self._lock:
                note(self, event)
                self.version += 1

    def progress(self) -> Progress:
        """Return how far the run has come by now."""
        with self._lock:
            now = self._now()
            busy = {node for node, _ in self._running.values()}
            return Progress(
                self._jobs.done,
                self._jobs.failed,
                self._total(),
                self._jobs.queued,
                len(self._running),
                len(self._nodes.connected.keys() - busy),
                len(self._nodes.connected),
                now - self._began,
                self._remaining(now),
                (self._round.ended, len(self._members)) if self._round else None,
            )

    def times(self) -> Times:
        """Return what the run has taken by now."""
        with self._lock:
            now = self._now()
            jobs = sum(self._attempts.values())
            jobs += sum(now - since for _, since in self._running.values())
            available = self._nodes.available(now)
            return Times(now - self._began, jobs, available, dict(self._attempts))

    # With the lock held, from here on.

    def _now(self) -> float:
        return self._clock() if self._ended is None else self._ended

    def _total(self) -> int | None:
        left = 0 if self._is_draining else self._jobs.queued
        if left is None:
            return None
        running = 1 if self._round else 0 if self._is_broadcast else len(self._running)
        return self._jobs.done + running + self._jobs.waiting + left

    def _remaining(self, now: float) -> float | None:
        if self._is_daemon or self._jobs.queued is None:
            return None
        news = (self._jobs.done, self._total())
        return self._estimate.remaining(now, news, lambda: self._estimated(now))

    def _estimated(self, now: float) -> float | None:
        if self._is_broadcast:
            running, nodes = [now - self._round.began] if self._round else [], 1
        else:
            running = [now - since for _, since in self._running.values()]
            nodes = len(self._nodes.connected)
        left = 0 if self._is_draining else self._jobs.queued or 0
        wait = self._nodes.wait
        ended = [seconds + wait for seconds in self._durations]
        return remaining(ended, running, left + self._jobs.waiting, nodes)

    def _run_started(self, event: RunStarted) -> None:
        self._began = self._clock()
        self._is_broadcast = event.mode == "broadcast"
        self._is_daemon = bool(event.settings.get("daemon"))
        self._members = {node.index for node in event.nodes}

    def _run_ended(self, event: RunEnded) -> None:
        self._ended = self._clock()

    def _node_connected(self, event: NodeConnected) -> None:
        self._nodes.connect(event.node.index, self._clock())

    def _node_left(self, event: NodeDisconnected | NodeLost) -> None:
        self._nodes.disconnect(event.node.index, self._clock())

    def _node_unreachable(self, event: NodeUnreachable) -> None:
        self._members.discard(event.node.index)

    def _queue_counted(self, event: QueueCounted) -> None:
        self._jobs.queued = event.jobs
        if not event.jobs:
            self._nodes.idle()

    def _jobs_taken(self, event: JobsTaken) -> None:
        if self._is_broadcast:
            self._round = _Round(self._clock())
        else:
            self._jobs.take(job.id for job in event.jobs)

    def _job_requeued(self, event: JobRequeued) -> None:
        self._jobs.give_back(event.job.id)

    def _attempt_started(self, event: AttemptStarted) -> None:
        attempt = event.attempt
        now = self._clock()
        self._running[attempt.key] = attempt.node.index, now
        self._nodes.begin(attempt.node.index, now)
        self._jobs.begin(attempt.job.id)

    def _attempt_announced(self, event: AttemptAnnounced) -> None:
        # A broadcast connects again with the next attempt, and says so by nothing else.
        self._nodes.connect(event.attempt.node.index, self._clock())

    def _attempt_ended(self, event: AttemptEnded) -> None:
        attempt, ending = event.attempt, event.ending
        now = self._clock()
        _, since = self._running.pop(attempt.key, (0, None))
        if ending.outcome in _UNCONNECTED:
            self._nodes.disconnect(attempt.node.index, now)
        if since is not None and ending.outcome is not Outcome.UNREACHABLE:
            self._attempts[attempt.key] = now - since
        if self._is_broadcast:
            self._count_in_round(event)
            return
        self._nodes.end(attempt.node.index, now)
        if since is not None and ending.outcome is not Outcome.CANCELLED:
            self._durations.append(now - since)
        if event.again and not self._is_draining:
            self._jobs.repeat(attempt.job.id)
        else:
            self._jobs.end(ending.succeeded)

    def _count_in_round(self, event: AttemptEnded) -> None:
        if self._round and not event.again:
            self._round.ended += 1

    def _never_started(self, event: NeverStarted) -> None:
        attempt = event.attempt
        self._running.pop(attempt.key, None)
        self._nodes.disconnect(attempt.node.index, self._clock())
        if self._is_broadcast:
            return
        if not attempt.repeats:
            self._jobs.take([attempt.job.id])  # It waits to stand in the file again.
        elif self._is_draining:
            self._jobs.end(succeeded=False)
        else:
            self._jobs.repeat(attempt.job.id)

    def _round_ended(self, event: RoundEnded) -> None:
        if self._round and event.endings:
            self._durations.append(self._clock() - self._round.began)
            self._jobs.end(all(ending.succeeded for _, ending in event.endings))
        self._round = None

    def _draining(self, event: Draining) -> None:
        self._is_draining = True
        self._jobs.give_up()


@dataclass
class _Round:
    """A job of a broadcast: when it began, and on how many nodes it has ended."""

    began: float
    ended: int = 0


_NOTES: dict[type[Event], Callable[[Statistics, Any], None]] = {
    AttemptAnnounced: Statistics._attempt_announced,
    AttemptEnded: Statistics._attempt_ended,
    AttemptStarted: Statistics._attempt_started,
    Draining: Statistics._draining,
    JobRequeued: Statistics._job_requeued,
    JobsTaken: Statistics._jobs_taken,
    NeverStarted: Statistics._never_started,
    NodeConnected: Statistics._node_connected,
    NodeDisconnected: Statistics._node_left,
    NodeLost: Statistics._node_left,
    NodeUnreachable: Statistics._node_unreachable,
    QueueCounted: Statistics._queue_counted,
    RoundEnded: Statistics._round_ended,
    RunEnded: Statistics._run_ended,
    RunStarted: Statistics._run_started,
}
