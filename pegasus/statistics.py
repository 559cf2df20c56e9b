"""How far a run has come, in numbers: collected from its events, with the times they came at."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from pegasus.capacity import Nodes
from pegasus.estimate import Estimate, Ran, Room, remaining
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
    Paused,
    QueueCounted,
    Resumed,
    RoundEnded,
    RunEnded,
    RunStarted,
)
from pegasus.measures import Progress, Times
from pegasus.model import Attempt, Node, Outcome
from pegasus.selection import matching
from pegasus.tally import REMEMBERED, Jobs, Round

#: An attempt has no connection any more, or had none.
_UNCONNECTED = frozenset({Outcome.LOST, Outcome.UNREACHABLE})


class _Running(NamedTuple):
    """An attempt that runs, and since when."""

    attempt: Attempt
    since: float

    @property
    def slots(self) -> int:
        return len(self.attempt.slots)

    def ran(self, now: float) -> Ran:
        """Return for how long it has run."""
        return Ran(now - self.since, self.slots)


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
        self._is_broadcast = self._is_daemon = self._is_draining = self._is_paused = False
        self._zero_slot_jobs = 0  # At most, on a node.
        self._jobs = Jobs()
        self._nodes = Nodes()
        self._round: Round | None = None
        self._members: dict[int, Node] = {}  # On which nodes a broadcast runs jobs.
        self._running: dict[tuple[int, int], _Running] = {}
        self._attempts: dict[tuple[int, int], float] = {}
        self._busy = 0.0  # Slots times seconds, of attempts that have ended.
        self._durations: deque[Ran] = deque(maxlen=REMEMBERED)
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
            return Progress(
                done=self._jobs.done,
                failed=self._jobs.failed,
                total=self._total(),
                queued=self._jobs.queued,
                unfit=self._jobs.stuck,
                running=len(self._running),
                connected=self._nodes.connected,
                slots=self._nodes.slots,
                free=self._nodes.free,
                is_paused=self._is_paused,
                elapsed=now - self._began,
                remaining=self._remaining(now),
                on_nodes=(self._round.ended, self._round.nodes) if self._round else None,
            )

    def times(self) -> Times:
        """Return what the run has taken by now."""
        with self._lock:
            now = self._now()
            ran = [one.ran(now) for one in self._running.values()]
            return Times(
                wall=now - self._began,
                jobs=sum(self._attempts.values()) + sum(one.seconds for one in ran),
                busy=self._busy + sum(one.seconds * one.slots for one in ran),
                available=self._nodes.available(now),
                attempts=dict(self._attempts),
                has_slots=self._nodes.have_slots,
            )

    # With the lock held, from here on.

    def _now(self) -> float:
        return self._clock() if self._ended is None else self._ended

    def _total(self) -> int | None:
        left = 0 if self._is_draining else self._jobs.left
        if left is None:
            return None
        running = 1 if self._round else 0 if self._is_broadcast else len(self._running)
        return self._jobs.done + running + self._jobs.waiting + left

    def _remaining(self, now: float) -> float | None:
        if self._is_daemon or self._is_paused or self._jobs.queued is None:
            return None
        news = (self._jobs.done, self._total())
        return self._estimate.remaining(now, news, lambda: self._estimated(now))

    def _estimated(self, now: float) -> float | None:
        if self._is_broadcast:
            begun = [Ran(now - self._round.began)] if self._round else []
            left = 0 if self._is_draining else self._jobs.left or 0
            return remaining(self._durations, begun, {None: left}, Room(1))
        running: list[Ran] = []
        leaving: list[Ran] = []
        for one in self._running.values():
            stays = self._nodes.takes_jobs(one.attempt.node.index)
            (running if stays else leaving).append(one.ran(now))
        wait = self._nodes.wait
        ended = [Ran(seconds + wait, slots) for seconds, slots in self._durations]
        waiting = self._jobs.needed(with_left=not self._is_draining)
        return remaining(ended, running, waiting, self._nodes.room(self._zero_slot_jobs), leaving)

    def _run_started(self, event: RunStarted) -> None:
        self._began = self._clock()
        self._is_broadcast = event.mode == "broadcast"
        self._is_daemon = bool(event.settings.get("daemon"))
        self._zero_slot_jobs = int(str(event.settings.get("zero_slot_jobs", 1)))
        self._members = {node.index: node for node in event.nodes}

    def _run_ended(self, event: RunEnded) -> None:
        self._ended = self._clock()

    def _node_connected(self, event: NodeConnected) -> None:
        self._nodes.connect(event.node.index, self._clock(), len(event.slots))

    def _node_left(self, event: NodeDisconnected | NodeLost) -> None:
        self._nodes.disconnect(event.node.index, self._clock())

    def _node_unreachable(self, event: NodeUnreachable) -> None:
        self._members.pop(event.node.index, None)

    def _node_joined(self, event: NodeAdded | NodeUndrained) -> None:
        self._members[event.node.index] = event.node
        self._nodes.drain(event.node.index, self._clock(), is_drained=False)

    def _node_drained(self, event: NodeDrained) -> None:
        self._members.pop(event.node.index, None)
        self._nodes.drain(event.node.index, self._clock())

    def _paused(self, event: Paused | Resumed) -> None:
        self._is_paused = isinstance(event, Paused)
        self._nodes.pause(self._clock(), is_paused=self._is_paused)

    def _queue_counted(self, event: QueueCounted) -> None:
        self._jobs.queued, self._jobs.needs = event.jobs, event.needs
        self._tell_when_idle()

    def _jobs_unfit(self, event: JobsUnfit) -> None:
        self._jobs.unfit = event.unfit
        self._tell_when_idle()

    def _tell_when_idle(self) -> None:
        if self._jobs.left == 0:
            self._nodes.idle()

    def _jobs_taken(self, event: JobsTaken) -> None:
        if self._is_broadcast:
            on = event.jobs[0].need.on if event.jobs else ""
            nodes = matching([*self._members.values()], on)
            self._round = Round(self._clock(), len(nodes))
        else:
            self._jobs.take(event.jobs)

    def _job_requeued(self, event: JobRequeued) -> None:
        self._jobs.give_back(event.job.id)

    def _attempt_started(self, event: AttemptStarted) -> None:
        attempt = event.attempt
        now = self._clock()
        self._running[attempt.key] = _Running(attempt, now)
        self._nodes.begin(attempt.node.index, attempt.slots, now)
        self._jobs.begin(attempt.job.id)

    def _attempt_announced(self, event: AttemptAnnounced) -> None:
        # A broadcast connects again with the next attempt, and says so by nothing else.
        if self._is_broadcast:
            self._nodes.connect(event.attempt.node.index, self._clock())

    def _attempt_ended(self, event: AttemptEnded) -> None:
        attempt, ending = event.attempt, event.ending
        ran = self._leave(attempt, is_gone=ending.outcome in _UNCONNECTED)
        if ran is not None and ending.outcome is not Outcome.UNREACHABLE:
            self._attempts[attempt.key] = ran.seconds
            self._busy += ran.seconds * ran.slots
        if self._is_broadcast:
            self._count_in_round(event)
            return
        if ran is not None and ending.outcome is not Outcome.CANCELLED:
            self._durations.append(ran)
        if event.again and not self._is_draining:
            self._jobs.repeat(attempt.job)
        else:
            self._jobs.end(ending.succeeded)

    def _leave(self, attempt: Attempt, *, is_gone: bool) -> Ran | None:
        """Count an attempt as one that does not run any more; return for how long it has.

        `is_gone`: it has no connection. Its node may have another one, which is newer, or which
        others use.
        """
        now, node = self._clock(), attempt.node.index
        running = self._running.pop(attempt.key, None)
        if running is not None:
            self._nodes.end(node, attempt.slots, now, is_ready=not is_gone)
        if is_gone and all(one.attempt.node.index != node for one in self._running.values()):
            self._nodes.disconnect(node, now, running.since if running else now)
        return None if running is None else running.ran(now)

    def _count_in_round(self, event: AttemptEnded) -> None:
        if self._round and not event.again:
            self._round.ended += 1

    def _never_started(self, event: NeverStarted) -> None:
        attempt = event.attempt
        self._leave(attempt, is_gone=True)
        if self._is_broadcast:
            return
        if not attempt.repeats:
            self._jobs.take([attempt.job])  # It waits to stand in the file again.
        elif self._is_draining:
            self._jobs.end(succeeded=False)
        else:
            self._jobs.repeat(attempt.job)

    def _round_ended(self, event: RoundEnded) -> None:
        if self._round and event.endings:
            self._durations.append(Ran(self._clock() - self._round.began))
            self._jobs.end(all(ending.succeeded for _, ending in event.endings))
        self._round = None

    def _draining(self, event: Draining) -> None:
        self._is_draining = True
        self._jobs.give_up()


_NOTES: dict[type[Event], Callable[[Statistics, Any], None]] = {
    AttemptAnnounced: Statistics._attempt_announced,
    AttemptEnded: Statistics._attempt_ended,
    AttemptStarted: Statistics._attempt_started,
    Draining: Statistics._draining,
    JobRequeued: Statistics._job_requeued,
    JobsTaken: Statistics._jobs_taken,
    JobsUnfit: Statistics._jobs_unfit,
    NeverStarted: Statistics._never_started,
    NodeAdded: Statistics._node_joined,
    NodeConnected: Statistics._node_connected,
    NodeDisconnected: Statistics._node_left,
    NodeDrained: Statistics._node_drained,
    NodeLost: Statistics._node_left,
    NodeUndrained: Statistics._node_joined,
    NodeUnreachable: Statistics._node_unreachable,
    Paused: Statistics._paused,
    QueueCounted: Statistics._queue_counted,
    Resumed: Statistics._paused,
    RoundEnded: Statistics._round_ended,
    RunEnded: Statistics._run_ended,
    RunStarted: Statistics._run_started,
}
