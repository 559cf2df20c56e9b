"""The nodes of queue mode: connected each on its own, and again when the connection breaks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from pegasus.errors import UnreachableError
from pegasus.events import NodeConnected, NodeDisconnected, NodeLost, NodeUnreachable, Sink
from pegasus.model import Node
from pegasus.modes.reconnect import Clock, reconnect, unreachable
from pegasus.ssh.base import Connection

#: A node on which this many attempts in a row broke with the connection takes no more jobs, so
#: that a broken node doesn't eat the queue.
STRIKES = 3


class Nodes:
    """The connections of a run. The scheduler's thread uses it; connecting has its own threads.

    Args:
        connections: one for each node, not yet open.
        reconnect_for: for how long one that broke is tried again, in seconds.
        emit: where events go.
        report: called from a thread of its own with each connection that was tried and whether
            it is open; the scheduler then counts down `connecting`.
        clock: the time between tries.

    Attributes:
        connecting: how many are being connected.
    """

    def __init__(
        self,
        connections: Iterable[Connection],
        reconnect_for: float,
        emit: Sink,
        report: Callable[[Connection, bool], None],
        clock: Clock,
    ) -> None:
        self.connecting = 0
        self._connections = [*connections]
        self._reconnect_for = reconnect_for
        self._emit = emit
        self._report = report
        self._clock = clock
        self._strikes: Counter[Node] = Counter()
        self._is_stopped = threading.Event()
        self._is_closed = threading.Event()

    def connect(self) -> None:
        """Begin to connect all."""
        for connection in self._connections:
            self._spawn(self._connect, connection)

    def stop(self) -> None:
        """Let the connections be that are broken."""
        self._is_stopped.set()

    def close(self) -> None:
        """Disconnect all."""
        self._is_stopped.set()
        self._is_closed.set()
        for connection in self._connections:
            connection.close()

    def forgive(self, node: Node) -> None:
        """Count anew on `node`, where an attempt has ended and the connection held."""
        del self._strikes[node]

    def restore(self, connection: Connection, detail: str) -> None:
        """Connect again to a node whose connection broke, unless it breaks all the time."""
        node = connection.node
        self._strikes[node] += 1
        if self._strikes[node] >= STRIKES:
            self._emit(NodeLost(node, f"{detail} ({STRIKES} times in a row)"))
        elif not self._reconnect_for:
            self._emit(NodeLost(node, detail))
        elif not self._is_stopped.is_set():
            self._emit(NodeDisconnected(node, detail))
            self._spawn(self._reconnect, connection)

    def _spawn(self, target: Callable[[Connection], bool], connection: Connection) -> None:
        self.connecting += 1
        # Daemon threads: the third Ctrl-C leaves without them.
        threading.Thread(target=self._bring, args=(target, connection), daemon=True).start()

    # Threads of their own, from here on.

    def _bring(self, target: Callable[[Connection], bool], connection: Connection) -> None:
        is_open = target(connection)
        if is_open and self._is_closed.is_set():
            connection.close()  # It came too late, and nobody else would close it.
            return
        if is_open:
            self._emit(NodeConnected(connection.node))
        self._report(connection, is_open)

    def _connect(self, connection: Connection) -> bool:
        try:
            connection.open()
        except Exception as problem:
            if not self._is_closed.is_set():  # That would be why.
                error = unreachable(connection.node, problem)
                self._emit(NodeUnreachable(connection.node, error))
            return False
        return True

    def _reconnect(self, connection: Connection) -> bool:
        try:
            return reconnect(connection, self._reconnect_for, self._is_stopped, self._clock)
        except UnreachableError as error:
            self._emit(NodeLost(connection.node, error.problem))
            return False
