"""Attempts on connections of any kind: their output, and threads that do something meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from project import PATIENCE

from pegasus.events import Stream
from pegasus.model import Ending, Host, Node
from pegasus.ssh.base import Cancellation, Connection


def node(name: str = "node-1", index: int = 0, **parts: object) -> Node:
    return Node(index, Host(name, name, **parts))  # type: ignore[arg-type]


class Listener:
    """Collects output, and can be waited on for some of it."""

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""
        self._changed = threading.Condition()

    def __call__(self, stream: Stream, data: bytes) -> None:
        with self._changed:
            if stream is Stream.STDOUT:
                self.stdout += data
            else:
                self.stderr += data
            self._changed.notify_all()

    def wait_for(self, text: bytes) -> None:
        """Wait until `text` stands in the standard output."""
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.stdout, PATIENCE)


def run(connection: Connection, command: str) -> tuple[Ending, bytes, bytes]:
    """Run a command; return how it ended and both of its outputs."""
    listener = Listener()
    ending = connection.attempt(command, listener, Cancellation())
    return ending, listener.stdout, listener.stderr


def in_background(function: Callable[[], object]) -> threading.Thread:
    """Call a function in a thread of its own, which is returned."""
    thread = threading.Thread(target=function)
    thread.start()
    return thread
