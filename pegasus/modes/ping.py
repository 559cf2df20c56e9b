"""Who answers: every node is connected to, and runs a command that does nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from pegasus.errors import NodeError
from pegasus.events import Stream
from pegasus.model import Node
from pegasus.modes.reconnect import unreachable
from pegasus.ssh.base import Cancellation, Connection, Peer

#: What is run, and for how long at most, in seconds: a shell may hang in a file system.
_COMMAND, _PATIENCE = "true", 30.0


@dataclass(frozen=True)
class Ping:
    """What came of a node.

    Attributes:
        seconds: how long it took to connect, log in and run a command, with the wait for other
            handshakes.
        peer: who answered, or None.
        error: why nobody did, or None.
    """

    node: Node
    seconds: float
    peer: Peer | None = None
    error: NodeError | None = None


def ping(connections: Sequence[Connection]) -> Iterator[Ping]:
    """Yield what comes of each connection, as it comes.

    Each is closed behind its answer, so that many nodes need few open files; and in any case.
    """
    answers: SimpleQueue[Ping] = SimpleQueue()
    for connection in connections:
        # Daemon threads: Ctrl-C leaves without them.
        threading.Thread(target=_ask, args=(connection, answers), daemon=True).start()
    try:
        for _ in connections:
            yield answers.get()
    finally:
        for connection in connections:
            connection.close()


def _ask(connection: Connection, answers: SimpleQueue[Ping]) -> None:
    node, begun = connection.node, time.monotonic()
    peer, error = _answer(connection)
    seconds = time.monotonic() - begun
    try:
        connection.close()
    finally:
        answers.put(Ping(node, seconds, peer, error))


def _answer(connection: Connection) -> tuple[Peer | None, NodeError | None]:
    node = connection.node
    try:
        connection.open()
        ending = connection.attempt(_COMMAND, _ignore, Cancellation(), _PATIENCE)
        if ending.succeeded:
            return connection.peer, None
        problem = f"`{_COMMAND}` must succeed there: {ending}"
        return None, NodeError(node, "session", problem)
    except NodeError as error:
        return None, error
    except Exception as problem:
        return None, unreachable(node, problem)


def _ignore(_: Stream, __: bytes) -> None:
    """Have no use for output."""
