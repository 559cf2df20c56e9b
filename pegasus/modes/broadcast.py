"""Broadcast mode: each job on every node, in rounds with a barrier at the end of each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pegasus.errors import NeverStartedError
from pegasus.events import (
    Aborted,
    AttemptEnded,
    Cancelling,
    Draining,
    NeverStarted,
    NodeLost,
    NodeUnreachable,
    NotBegun,
    Paused,
    Resumed,
    RoundEnded,
    Sink,
    Waiting,
)
from pegasus.files.outlook import Outlook
from pegasus.model import Attempt, Ending, Job, Node, Outcome
from pegasus.modes.attempts import Attempts
from pegasus.modes.broadcasting.participants import Participants
from pegasus.modes.broadcasting.rounds import Rounds
from pegasus.modes.feed import POLL, Feed
from pegasus.modes.unfit import UnfitJobs
from pegasus.plan import Plan


class BroadcastMode:
    """Runs each job of a queue on every node of a group, one job at a time.

    Args:
        feed: where jobs come from.
        participants: the nodes.
        attempts: makes attempts.
        emit: where events go.
        daemon: wait on an empty queue instead of ending.
        error_aborts: end after a round in which a node failed.
        skip_unreachable: go on without nodes that can't be reached, instead of ending.
    """

    def __init__(
        self,
        feed: Feed,
        participants: Participants,
        attempts: Attempts,
        emit: Sink,
        *,
        daemon: bool,
        error_aborts: bool,
        skip_unreachable: bool,
    ) -> None:
        self._feed = feed
        self._participants = participants
        self._attempts = attempts
        self._rounds = Rounds(participants.group, attempts, emit)
        self._unfit = UnfitJobs(participants.problem, lambda: participants.version, emit)
        self._emit = emit
        self._daemon = daemon
        self._error_aborts = error_aborts
        self._skip_unreachable = skip_unreachable
        self._idle = False
        self._wake = threading.Event()
        self._lock = threading.Lock()  # Guards what other threads touch, below.
        self._connecting = True
        self._draining = False
        self._paused = False

    def run(self) -> None:
        """Run to the end. Blocks; `drain` and `cancel` end it early."""
        try:
            if self._connect():
                while self._step():
                    pass
                self._rounds.settle()
        finally:
            self._participants.close()

    def drain(self) -> None:
        """Take no more jobs and let the running round end. Any thread may ask."""
        if self._stop():
            self._emit(Draining(self._rounds.running))

    def cancel(self) -> None:
        """Take no more jobs and cancel the running round. Any thread may ask."""
        self._stop()
        self._emit(Cancelling(self._rounds.cancel()))

    def cancel_job(self, number: int) -> bool:
        """Cancel the job with this id; any thread may ask. Returns whether it was running."""
        cancelled = self._rounds.cancel_job(number)
        if cancelled:
            self._emit(Cancelling(cancelled))
        return cancelled > 0

    def pause(self) -> None:
        """Begin no round until `resume`. Any thread may ask."""
        if self._set_paused(True):
            self._emit(Paused(self._rounds.running))

    def resume(self) -> None:
        """Begin rounds again. Any thread may ask."""
        if self._set_paused(False):
            self._emit(Resumed())
        self._wake.set()

    def drain_nodes(self, expression: str) -> list[Node]:
        """Have the nodes that an expression is for take part in no further round.

        Any thread may ask. Returns those that were not drained already.

        Raises:
            PegasusError: it is wrong, or for no node.
        """
        return self._participants.drain(expression)

    def undrain_nodes(self, expression: str) -> list[Node]:
        """Have nodes take part again; return those that were drained. See `drain_nodes`."""
        nodes = self._participants.undrain(expression)
        self._wake.set()
        return nodes

    def _set_paused(self, is_paused: bool) -> bool:
        """Return whether it was not so before."""
        with self._lock:
            before, self._paused = self._paused, is_paused
        return before != is_paused

    def _stop(self) -> bool:
        """Take no more jobs; return whether nobody has asked before."""
        with self._lock:
            already, self._draining = self._draining, True
            connecting = self._connecting
        self._rounds.stop()
        if connecting:
            self._participants.group.close()
        self._wake.set()
        return not already

    def _connect(self) -> bool:
        """Connect to all nodes; return whether there is something to run on."""
        results = self._participants.open()
        with self._lock:
            self._connecting = False
            if self._draining:
                return False
        reached = [node for node, error in results.items() if error is None]
        skip = self._skip_unreachable and bool(reached)
        for node, error in results.items():
            if error is not None:
                self._emit(NodeUnreachable(node, error, skipped=skip))
        if not skip and len(reached) < len(results):
            self._emit(NotBegun())
            return False
        self._participants.keep(reached)
        return True

    def _step(self) -> bool:
        """Run a round, or wait a little for one; return whether to go on."""
        if self._draining and not self._feed.owing:
            return False
        self._renew()
        taken = self._feed.take(self._choose, self._prepare)
        self._unfit.tell(self._feed.outlook)
        if taken:
            self._idle = False
            return self._round(*taken[0])
        if self._is_over():
            return False
        self._tell_when_idle()
        self._wake.wait(self._feed.interval)
        self._wake.clear()
        return True

    def _renew(self) -> None:
        """Between two rounds: let nodes come and go."""
        self._participants.look()
        leaving = self._participants.leaving()
        if leaving:
            self._rounds.settle(leaving)
        self._participants.change(leaving)

    def _choose(self, outlook: Outlook) -> list[tuple[int, None]]:
        """Return the position of the first job that some node takes part in, if any."""
        position, known = 0, dict[str, bool]()
        for need, jobs in () if self._draining or self._paused else outlook:
            if need.on not in known:
                known[need.on] = bool(self._participants.taking_part(need.on))
            if known[need.on]:
                return [(position, None)]
            if self._error_aborts and self._participants.problem(need):
                return []  # The run ends here, as after a failed round.
            position += jobs
        return []

    def _prepare(self, _: None, job: Job) -> dict[Node, Plan]:
        """Fill the templates for all nodes that take part, before the job starts on any."""
        nodes = self._participants.taking_part(job.need.on)
        return {
            node: self._attempts.plan(job, node, self._participants.slots(node)) for node in nodes
        }

    def _is_over(self) -> bool:
        outlook = self._feed.outlook
        if outlook is None or self._draining or self._paused or self._feed.owing:
            return False
        if self._error_aborts and outlook.jobs and self._participants.problem(outlook.needs[0]):
            self._emit(Aborted())
            return True
        return not self._daemon and self._unfit.are_all(outlook)

    def _tell_when_idle(self) -> None:
        outlook = self._feed.outlook
        is_empty = outlook is not None and self._unfit.are_all(outlook)
        if is_empty and not (self._idle or self._draining or self._paused):
            self._idle = True
            self._emit(Waiting())

    def _round(self, job: Job, plans: dict[Node, Plan]) -> bool:
        """Run a job on all nodes and return, behind the barrier, whether to go on."""
        with self._watching_the_queue():
            results = self._rounds.run(job, plans)
        refused = [
            (attempt, error) for attempt, error in results if isinstance(error, NeverStartedError)
        ]
        if len(refused) == len(results) and {*self._participants.taking_part()} <= {*plans}:
            return self._give_up(job, refused)
        for attempt, error in refused:
            self._emit(AttemptEnded(attempt, _unreachable(error)))
        endings = tuple((attempt, _ending(result)) for attempt, result in results)
        self._emit(RoundEnded(job, endings))
        return not self._aborts(ending for _, ending in endings)

    @contextmanager
    def _watching_the_queue(self) -> Iterator[None]:
        """Have mistakes in the files said while a round runs, which may take days.

        New nodes are connected meanwhile.
        """
        over = threading.Event()

        def watch() -> None:
            while not over.wait(POLL):
                self._participants.look()
                self._feed.take(lambda _: [], self._prepare)
                self._unfit.tell(self._feed.outlook)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _give_up(self, job: Job, refused: list[tuple[Attempt, NeverStartedError]]) -> bool:
        """End the run, for no node could begin: going on would only empty the queue."""
        for attempt, error in refused:
            self._emit(NeverStarted(attempt, error))
            self._emit(NodeLost(attempt.node, error.problem))
        self._emit(RoundEnded(job, ()))
        self._feed.put_back(self._attempts.counted(job), refused[0][1])
        with self._lock:
            self._draining = True
        return True

    def _aborts(self, endings: Iterable[Ending]) -> bool:
        failed = not all(ending.succeeded for ending in endings)
        if failed and self._error_aborts and not self._draining:
            self._emit(Aborted())
            return True
        return False


def _ending(result: Ending | NeverStartedError) -> Ending:
    return result if isinstance(result, Ending) else _unreachable(result)


def _unreachable(error: NeverStartedError) -> Ending:
    return Ending(Outcome.UNREACHABLE, detail=error.problem)
