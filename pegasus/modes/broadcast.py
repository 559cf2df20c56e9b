"""Broadcast mode: each job on every node, in rounds with a barrier at the end of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import (
    Aborted,
    AttemptEnded,
    AttemptStarted,
    Cancelling,
    Draining,
    NeverStarted,
    NodeConnected,
    NodeLost,
    NodeUnreachable,
    NotBegun,
    Sink,
    Waiting,
)
from pegasus.model import Attempt, Ending, Job, Node, Outcome
from pegasus.modes.attempts import execute, unreachable
from pegasus.modes.feed import POLL, Feed
from pegasus.ssh.base import Cancellation, Connection
from pegasus.template import render

T = TypeVar("T")


class Results(Protocol[T]):
    """What a function returned, by node."""

    @property
    def values(self) -> dict[Node, T]: ...


class Group(Protocol):
    """Connections that do one thing at the same time: a `pegasus.ssh.group.BroadcastGroup`."""

    def __iter__(self) -> Iterator[Connection]: ...

    def each(self, function: Callable[[Connection], T]) -> Results[T]:
        """Call `function` with every connection at once; return when all calls have ended."""

    def keep(self, nodes: Sequence[Node]) -> None:
        """Forget the connections of all other nodes."""

    def close(self) -> None: ...


class BroadcastMode:
    """Runs each job of a queue on every node of a group, one job at a time.

    Args:
        feed: where jobs come from.
        group: the connections.
        emit: where events go.
        daemon: wait on an empty queue instead of ending.
        error_aborts: end after a round in which a node failed.
        skip_unreachable: go on without nodes that can't be reached, instead of ending.
    """

    def __init__(
        self,
        feed: Feed,
        group: Group,
        emit: Sink,
        *,
        daemon: bool,
        error_aborts: bool,
        skip_unreachable: bool,
    ) -> None:
        self._feed = feed
        self._group = group
        self._emit = emit
        self._daemon = daemon
        self._error_aborts = error_aborts
        self._skip_unreachable = skip_unreachable
        self._attempts = 0
        self._idle = False
        self._wake = threading.Event()
        self._lock = threading.Lock()  # Guards what drain and cancel touch, below.
        self._connecting = True
        self._draining = False
        self._cancelled = False
        self._running: list[Cancellation] = []

    def run(self) -> None:
        """Run to the end. Blocks; `drain` and `cancel` end it early."""
        try:
            if self._connect():
                while self._step():
                    pass
        finally:
            self._group.close()

    def drain(self) -> None:
        """Take no more jobs and let the running round end. Any thread may ask."""
        with self._lock:
            already, self._draining = self._draining, True
            connecting, running = self._connecting, len(self._running)
        if not already:
            self._emit(Draining(running))
        if connecting:
            self._group.close()
        self._wake.set()

    def cancel(self) -> None:
        """Take no more jobs and cancel the running round. Any thread may ask."""
        with self._lock:
            self._draining = self._cancelled = True
            connecting, running = self._connecting, list(self._running)
        for cancellation in running:
            cancellation.cancel()
        self._emit(Cancelling(len(running)))
        if connecting:
            self._group.close()
        self._wake.set()

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

    def _prepare(self, _: int, job: Job) -> tuple[Job, dict[Node, str]]:
        """Fill the template for all nodes, before it starts on any."""
        nodes = [connection.node for connection in self._group]
        return job, {node: render(job.template, job.variables(node)) for node in nodes}

    def _tell_when_idle(self) -> None:
        if self._feed.empty and not self._idle and not self._draining:
            self._idle = True
            self._emit(Waiting())

    def _round(self, job: Job, commands: dict[Node, str]) -> bool:
        """Run a job on all nodes and return, behind the barrier, whether to go on."""
        attempts = self._begin(job, commands)
        cancellations = {node: Cancellation() for node in commands}
        self._watch(list(cancellations.values()))
        with self._watching_the_queue():
            endings = self._group.each(
                lambda connection: self._attempt(
                    connection, attempts[connection.node], cancellations[connection.node]
                )
            ).values
        self._watch([])
        errors = {
            node: ending
            for node, ending in endings.items()
            if isinstance(ending, NeverStartedError)
        }
        if len(errors) == len(endings):
            return self._give_up(job, attempts, errors)
        for node, error in errors.items():
            ending = Ending(Outcome.UNREACHABLE, detail=error.problem)
            self._emit(AttemptEnded(attempts[node], ending))
        return not self._aborts(endings.values())

    def _begin(self, job: Job, commands: dict[Node, str]) -> dict[Node, Attempt]:
        attempts = {}
        for node, command in commands.items():
            self._attempts += 1
            attempts[node] = Attempt(self._attempts, job, node, command)
        return attempts

    def _watch(self, cancellations: list[Cancellation]) -> None:
        """Let `cancel` reach these attempts, now or if it came already."""
        with self._lock:
            self._running = cancellations
            cancelled = self._cancelled
        if cancelled:
            for cancellation in cancellations:
                cancellation.cancel()

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

    def _attempt(
        self, connection: Connection, attempt: Attempt, cancellation: Cancellation
    ) -> Ending | NeverStartedError:
        self._emit(AttemptStarted(attempt))
        ending = execute(attempt, connection, self._emit, cancellation)
        if isinstance(ending, Ending):
            self._emit(AttemptEnded(attempt, ending))
        return ending

    def _give_up(
        self,
        job: Job,
        attempts: Mapping[Node, Attempt],
        errors: Mapping[Node, NeverStartedError],
    ) -> bool:
        """End the run, for no node could begin: going on would only empty the queue."""
        for node, error in errors.items():
            self._emit(NeverStarted(attempts[node], error))
            self._emit(NodeLost(node, error.problem))
        self._feed.put_back(job, next(iter(errors.values())))
        with self._lock:
            self._draining = True
        return True

    def _aborts(self, endings: Iterable[Ending | NeverStartedError]) -> bool:
        failed = any(not (isinstance(end, Ending) and end.succeeded) for end in endings)
        if failed and self._error_aborts and not self._draining:
            self._emit(Aborted())
            return True
        return False
