"""Queue mode: each job once, on the next free node.

The scheduler owns all state and runs in one thread; everything else sends it a message, which
is a function that it calls. Connecting and running block, so each has a thread of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue

from pegasus.errors import NeverStartedError, PegasusError
from pegasus.events import Cancelling, Draining, NeverStarted, Sink, Waiting
from pegasus.model import Ending, Job, Node, Outcome
from pegasus.modes.attempts import Attempts, Running
from pegasus.modes.feed import POLL, Feed
from pegasus.modes.nodes import Nodes
from pegasus.plan import Plan
from pegasus.ssh.base import Connection


class QueueMode:
    """Runs the jobs of a queue on nodes, until the queue is empty and every job has ended.

    Args:
        feed: where jobs come from.
        nodes: the nodes to use.
        attempts: makes connections and attempts.
        emit: where events go.
        daemon: wait on an empty queue instead of ending.
        reconnect_for: for how long a node whose connection broke is tried again, in seconds.
    """

    def __init__(
        self,
        feed: Feed,
        nodes: Iterable[Node],
        attempts: Attempts,
        emit: Sink,
        *,
        daemon: bool,
        reconnect_for: float,
    ) -> None:
        self._feed = feed
        self._attempts = attempts
        self._emit = emit
        self._daemon = daemon
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        connections = [attempts.connect(node) for node in nodes]
        self._nodes = Nodes(connections, reconnect_for, emit, self._tried, attempts.clock)
        self._free: deque[Connection] = deque()
        self._running: dict[tuple[int, int], Running] = {}
        self._failed: deque[Running] = deque()  # Their jobs are to be run again.
        self._owing: dict[Node, Running] = {}  # Lost, and their cancel commands not yet run.
        self._settling: dict[Node, Connection | None] = {}  # What is free when that is done.
        self._draining = False
        self._idle = False
        self._is_running = threading.Event()

    def run(self) -> None:
        """Run to the end. Blocks; `drain` and `cancel` end it early."""
        self._is_running.set()
        self._nodes.connect()
        try:
            while True:
                self._dispatch()
                if self._is_over() and not self._settle_all():
                    break
                self._receive()
        finally:
            self._is_running.clear()
            self._nodes.close()

    def drain(self) -> None:
        """Take no more jobs and let the running ones end. Any thread may ask."""
        self._inbox.put(self._drain)

    def cancel(self) -> None:
        """Take no more jobs and cancel the running ones. Any thread may ask."""
        self._inbox.put(self._cancel)

    def cancel_job(self, number: int) -> bool:
        """Cancel the job with this id; any thread may ask.

        Returns whether there is one that is running, or waits to be run again.
        """
        answer: SimpleQueue[bool] = SimpleQueue()
        self._inbox.put(lambda: answer.put(self._cancel_job(number)))
        while self._is_running.is_set():
            try:
                return answer.get(timeout=POLL)
            except Empty:
                continue
        return not answer.empty() and answer.get()

    # The scheduler's own thread, from here on.

    def _is_over(self) -> bool:
        if self._running or self._feed.owing:
            return False
        if self._draining or not (self._nodes.connecting or self._free):
            return True
        if self._failed and self._nodes.connecting:
            return False
        # What has failed and still waits can't be filled for any free node, and stays failed.
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
        if self._draining:
            self._failed.clear()  # They stay failed.
            if not self._feed.owing:
                return
        self._failed = deque([failed for failed in self._failed if not self._repeat(failed)])
        wanted = 0 if self._draining else len(self._free)
        for job, plan in self._feed.take(wanted, self._prepare):
            self._start(self._free.popleft(), job, plan)
        self._tell_when_idle()

    def _prepare(self, position: int, job: Job) -> Plan:
        return self._attempts.plan(job, self._free[position].node)

    def _repeat(self, failed: Running) -> bool:
        """Run a job again, on another node where one is free; return whether it could be."""
        job, before = failed.attempt.job, failed.attempt.node
        for connection in sorted(self._free, key=lambda free: free.node == before):
            try:
                plan = self._attempts.plan(job, connection.node)
            except PegasusError:
                continue  # A value that only this node has: another one may do.
            self._free.remove(connection)
            self._start(connection, job, plan, failed)
            return True
        return False

    def _start(
        self, connection: Connection, job: Job, plan: Plan, after: Running | None = None
    ) -> None:
        running = self._attempts.prepare(job, plan, connection, after)
        self._running[running.attempt.key] = running
        _spawn(self._attempt, running)

    def _tell_when_idle(self) -> None:
        is_busy = self._running or self._failed or self._draining
        idle = self._daemon and self._feed.empty and not is_busy
        if idle and not self._idle:
            self._emit(Waiting())
        self._idle = idle

    def _arrived(self, connection: Connection, is_open: bool) -> None:
        self._nodes.connecting -= 1
        if is_open:
            self._settle(connection.node, connection)

    def _settle_all(self) -> bool:
        """Try the cancel commands that are owed a last time; return whether there are any."""
        for node in list(self._owing):
            self._settle(node)
        return bool(self._settling)

    def _settle(self, node: Node, connection: Connection | None = None) -> None:
        """Run the cancel command that is owed on `node`, before `connection` takes jobs."""
        if node in self._owing:
            _spawn(self._make_up, self._owing.pop(node))
        elif node not in self._settling:
            self._add_free(connection)
            return
        self._settling[node] = connection

    def _settled(self, node: Node) -> None:
        self._add_free(self._settling.pop(node))

    def _add_free(self, connection: Connection | None) -> None:
        if connection is not None:
            self._free.append(connection)

    def _ended(self, running: Running, ending: Ending) -> None:
        del self._running[running.attempt.key]
        node = running.attempt.node
        if running.owes_cancel:
            self._owing[node] = running
        if ending.outcome is Outcome.LOST:
            self._nodes.restore(running.connection, ending.detail)
        else:
            self._nodes.forgive(node)
            self._free.append(running.connection)
        if running.may_repeat(ending):
            self._failed.append(running)

    def _never_started(self, running: Running, error: NeverStartedError) -> None:
        del self._running[running.attempt.key]
        if running.is_unwanted:
            self._attempts.forgo(running)
        else:
            self._emit(NeverStarted(running.attempt, error))
            self._give_back(running, error)
        self._nodes.restore(running.connection, error.problem)

    def _give_back(self, running: Running, error: NeverStartedError) -> None:
        if running.after is None:
            self._feed.put_back(self._attempts.counted(running.attempt.job), error)
        else:
            self._failed.appendleft(running.after)

    def _drain(self) -> None:
        if not self._draining:
            self._stop()
            self._emit(Draining(len(self._running)))

    def _cancel(self) -> None:
        self._stop()
        for running in self._running.values():
            running.cancel()
        self._emit(Cancelling(len(self._running)))

    def _stop(self) -> None:
        self._draining = True
        self._attempts.stop()
        self._nodes.stop()

    def _cancel_job(self, number: int) -> bool:
        running = [one for one in self._running.values() if one.attempt.job.id == number]
        waiting = [one for one in self._failed if one.attempt.job.id == number]
        for one in running:
            one.cancel()
        for one in waiting:
            self._failed.remove(one)
        if running:
            self._emit(Cancelling(len(running)))
        return bool(running or waiting)

    # Threads of their own: they may block, touch no state, and send a message when they end.

    def _tried(self, connection: Connection, is_open: bool) -> None:
        self._inbox.put(partial(self._arrived, connection, is_open))

    def _make_up(self, running: Running) -> None:
        self._attempts.make_up(running)
        self._inbox.put(partial(self._settled, running.attempt.node))

    def _attempt(self, running: Running) -> None:
        ending = self._attempts.run(running)
        if isinstance(ending, NeverStartedError):
            self._inbox.put(partial(self._never_started, running, ending))
        else:
            self._inbox.put(partial(self._ended, running, ending))


def _spawn(target: Callable[..., None], *args: object) -> None:
    # Daemon threads: the third Ctrl-C leaves without them.
    threading.Thread(target=target, args=args, daemon=True).start()
