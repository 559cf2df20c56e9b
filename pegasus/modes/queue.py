"""Queue mode: each job once, on the next free node.

The scheduler owns all state and runs in one thread; everything else sends it a message, which
is a function that it calls. Connecting and running block, so each has a thread of its own.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue

from pegasus.errors import NeverStartedError
from pegasus.events import (
    AttemptEnded,
    AttemptStarted,
    Cancelling,
    Draining,
    NeverStarted,
    NodeConnected,
    NodeLost,
    NodeUnreachable,
    Sink,
    Waiting,
)
from pegasus.model import Attempt, Ending, Job, Node, Outcome
from pegasus.modes.attempts import execute, unreachable
from pegasus.modes.feed import Feed
from pegasus.ssh.base import Cancellation, Connect, Connection
from pegasus.template import render

#: A node on which this many attempts in a row broke with the connection takes no more jobs, so
#: that a broken node doesn't eat the queue.
STRIKES = 3


@dataclass(frozen=True)
class _Running:
    attempt: Attempt
    connection: Connection
    cancellation: Cancellation


class QueueMode:
    """Runs the jobs of a queue on nodes, until the queue is empty and every job has ended.

    Args:
        feed: where jobs come from.
        nodes: the nodes to use.
        connect: makes a node's connection.
        emit: where events go.
        daemon: wait on an empty queue instead of ending.
    """

    def __init__(
        self, feed: Feed, nodes: Iterable[Node], connect: Connect, emit: Sink, *, daemon: bool
    ) -> None:
        self._feed = feed
        self._connections = [connect(node) for node in nodes]
        self._emit = emit
        self._daemon = daemon
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._opening = 0
        self._free: deque[Connection] = deque()
        self._running: dict[int, _Running] = {}
        self._strikes: Counter[Node] = Counter()
        self._attempts = 0
        self._draining = False
        self._idle = False
        self._over = False

    def run(self) -> None:
        """Run to the end. Blocks; `drain` and `cancel` end it early."""
        for connection in self._connections:
            self._open(connection)
        try:
            while True:
                self._dispatch()
                if self._is_over():
                    break
                self._receive()
        finally:
            self._over = True
            _close_all(self._connections)

    def drain(self) -> None:
        """Take no more jobs and let the running ones end. Any thread may ask."""
        self._inbox.put(self._drain)

    def cancel(self) -> None:
        """Take no more jobs and cancel the running ones. Any thread may ask."""
        self._inbox.put(self._cancel)

    # The scheduler's own thread, from here on.

    def _is_over(self) -> bool:
        if self._running or self._feed.owing:
            return False
        if self._draining or not (self._opening or self._free):
            return True
        return self._feed.empty and not self._daemon

    def _receive(self) -> None:
        """Handle the next message, or return when it is time to look at the queue again.

        It is looked at while all nodes are busy, too: mistakes in it are to be said at once.
        """
        watching = self._feed.owing or not self._draining
        try:
            message = self._inbox.get(timeout=self._feed.interval if watching else None)
        except Empty:
            return
        message()

    def _dispatch(self) -> None:
        """Give jobs to the free nodes, as long as there are both."""
        if self._draining and not self._feed.owing:
            return
        wanted = 0 if self._draining else len(self._free)
        for job, command in self._feed.take(wanted, self._prepare):
            self._start(self._free.popleft(), job, command)
        self._tell_when_idle()

    def _prepare(self, position: int, job: Job) -> tuple[Job, str]:
        node = self._free[position].node
        return job, render(job.template, job.variables(node))

    def _tell_when_idle(self) -> None:
        idle = self._daemon and self._feed.empty and not self._running and not self._draining
        if idle and not self._idle:
            self._emit(Waiting())
        self._idle = idle

    def _start(self, connection: Connection, job: Job, command: str) -> None:
        self._attempts += 1
        attempt = Attempt(self._attempts, job, connection.node, command)
        running = _Running(attempt, connection, Cancellation())
        self._running[attempt.number] = running
        _spawn(self._attempt, running)

    def _opened(self, connection: Connection) -> None:
        self._opening -= 1
        self._free.append(connection)

    def _not_opened(self) -> None:
        self._opening -= 1

    def _ended(self, running: _Running, ending: Ending) -> None:
        del self._running[running.attempt.number]
        node = running.attempt.node
        if ending.outcome is Outcome.LOST:
            self._strike(running.connection, ending.detail)
        else:
            del self._strikes[node]
            self._free.append(running.connection)

    def _never_started(self, running: _Running, error: NeverStartedError) -> None:
        del self._running[running.attempt.number]
        self._feed.put_back(running.attempt.job, error)
        self._strike(running.connection, error.problem)

    def _strike(self, connection: Connection, detail: str) -> None:
        """Open a connection that broke again, unless it breaks all the time."""
        node = connection.node
        self._strikes[node] += 1
        if self._strikes[node] >= STRIKES:
            self._emit(NodeLost(node, f"{detail} ({STRIKES} times in a row)"))
        elif not self._draining:
            self._open(connection)

    def _drain(self) -> None:
        if not self._draining:
            self._draining = True
            self._emit(Draining(len(self._running)))

    def _cancel(self) -> None:
        self._draining = True
        for running in self._running.values():
            running.cancellation.cancel()
        self._emit(Cancelling(len(self._running)))

    def _open(self, connection: Connection) -> None:
        self._opening += 1
        _spawn(self._connect, connection, self._strikes[connection.node] > 0)

    # Threads of their own: they may block, touch no state, and send a message when they end.

    def _connect(self, connection: Connection, again: bool) -> None:
        node = connection.node
        try:
            connection.open()
        except Exception as problem:
            error = unreachable(node, problem)
            self._emit(NodeLost(node, error.problem) if again else NodeUnreachable(node, error))
            self._inbox.put(self._not_opened)
        else:
            if self._over:  # It came too late, and nobody else would close it.
                connection.close()
                return
            self._emit(NodeConnected(node))
            self._inbox.put(partial(self._opened, connection))

    def _attempt(self, running: _Running) -> None:
        self._emit(AttemptStarted(running.attempt))
        ending = execute(running.attempt, running.connection, self._emit, running.cancellation)
        if isinstance(ending, NeverStartedError):
            self._emit(NeverStarted(running.attempt, ending))
            self._inbox.put(partial(self._never_started, running, ending))
        else:
            self._emit(AttemptEnded(running.attempt, ending))
            self._inbox.put(partial(self._ended, running, ending))


def _spawn(target: Callable[..., None], *args: object) -> None:
    # Daemon threads: the third Ctrl-C leaves without them.
    threading.Thread(target=target, args=args, daemon=True).start()


def _close_all(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.close()
