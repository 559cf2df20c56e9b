"""Broadcast mode: each job on every node, in rounds with a barrier at the end of each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import (
    Aborted,
    AttemptEnded,
    Cancelling,
    Draining,
    NeverStarted,
    NodeConnected,
    NodeLost,
    NodeUnreachable,
    NotBegun,
    RoundEnded,
    Sink,
    Waiting,
)
from pegasus.model import Attempt, Ending, Job, Node, Outcome
from pegasus.modes.attempts import Attempts
from pegasus.modes.feed import POLL, Feed
from pegasus.modes.reconnect import unreachable
from pegasus.modes.rounds import Group, Rounds
from pegasus.plan import Plan
from pegasus.ssh.base import Connection


class BroadcastMode:
    """Runs each job of a queue on every node of a group, one job at a time.

    Args:
        feed: where jobs come from.
        group: the connections.
        attempts: makes attempts.
        emit: where events go.
        daemon: wait on an empty queue instead of ending.
        error_aborts: end after a round in which a node failed.
        skip_unreachable: go on without nodes that can't be reached, instead of ending.
    """

    def __init__(
        self,
        feed: Feed,
        group: Group,
        attempts: Attempts,
        emit: Sink,
        *,
        daemon: bool,
        error_aborts: bool,
        skip_unreachable: bool,
    ) -> None:
        self._feed = feed
        self._group = group
        self._attempts = attempts
        self._rounds = Rounds(group, attempts, emit)
        self._emit = emit
        self._daemon = daemon
        self._error_aborts = error_aborts
        self._skip_unreachable = skip_unreachable
        self._idle = False
        self._wake = threading.Event()
        self._lock = threading.Lock()  # Guards what drain and cancel touch, below.
        self._connecting = True
        self._draining = False

    def run(self) -> None:
        """Run to the end. Blocks; `drain` and `cancel` end it early."""
        try:
            if self._connect():
                while self._step():
                    pass
                self._rounds.settle()
        finally:
            self._group.close()

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

    def _stop(self) -> bool:
        """Take no more jobs; return whether nobody has asked before."""
        with self._lock:
            already, self._draining = self._draining, True
            connecting = self._connecting
        self._rounds.stop()
        if connecting:
            self._group.close()
        self._wake.set()
        return not already

    def _connect(self) -> bool:
        """Connect to all nodes; return whether there is something to run on."""
        results = self._group.each(self._open).values
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
        self._group.keep(reached)
        return True

    def _open(self, connection: Connection) -> UnreachableError | None:
        try:
            connection.open()
        except Exception as problem:
            return unreachable(connection.node, problem)
        self._emit(NodeConnected(connection.node))
        return None

    def _step(self) -> bool:
        """Run a round, or wait a little for one; return whether to go on."""
        if self._draining and not self._feed.owing:
            return False
        taken = self._feed.take(0 if self._draining else 1, self._prepare)
        if taken:
            self._idle = False
            return self._round(*taken[0])
        if self._feed.empty and not self._daemon and not self._feed.owing:
            return False
        self._tell_when_idle()
        self._wake.wait(self._feed.interval)
        self._wake.clear()
        return True

    def _prepare(self, _: int, job: Job) -> dict[Node, Plan]:
        """Fill the templates for all nodes, before the job starts on any."""
        nodes = [connection.node for connection in self._group]
        return {node: self._attempts.plan(job, node) for node in nodes}

    def _tell_when_idle(self) -> None:
        if self._feed.empty and not self._idle and not self._draining:
            self._idle = True
            self._emit(Waiting())

    def _round(self, job: Job, plans: dict[Node, Plan]) -> bool:
        """Run a job on all nodes and return, behind the barrier, whether to go on."""
        with self._watching_the_queue():
            results = self._rounds.run(job, plans)
        refused = [
            (attempt, error) for attempt, error in results if isinstance(error, NeverStartedError)
        ]
        if len(refused) == len(results):
            return self._give_up(job, refused)
        for attempt, error in refused:
            self._emit(AttemptEnded(attempt, _unreachable(error)))
        endings = tuple((attempt, _ending(result)) for attempt, result in results)
        self._emit(RoundEnded(job, endings))
        return not self._aborts(ending for _, ending in endings)

    @contextmanager
    def _watching_the_queue(self) -> Iterator[None]:
        """Have mistakes in the queue said while a round runs, which may take days."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(POLL):
                self._feed.take(0, self._prepare)

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
