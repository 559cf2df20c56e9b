"""What the modes need to know of a connection: this, and not how it is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pegasus.events import Stream
from pegasus.model import NO_SURROUNDINGS, Ending, Node, Outcome, Surroundings

#: Called with the bytes of a command's output as they arrive, from the thread that reads them.
OnOutput = Callable[[Stream, bytes], None]

#: Called once when a command has certainly begun, before any of its standard output, from the
#: same thread: with the number of its process group on its host, or None where it has none.
OnAnnounced = Callable[[int | None], None]


def nobody(_: int | None) -> None:
    """Take no notice: the OnAnnounced of those who need not know."""


class GivenUpError(Exception):
    """Nobody wants the connection any more that is being made; no caller of `open` sees this."""


class Cancellation:
    """A request to end one attempt, which may come before, while or after it runs.

    Any thread may ask; the first request decides the outcome and later ones change nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[], None]] = []

    @property
    def outcome(self) -> Outcome | None:
        """What the attempt shall end as, or None when nobody has asked."""
        return self._outcome

    def cancel(self, outcome: Outcome = Outcome.CANCELLED) -> None:
        """Ask for the attempt to be ended as `outcome`."""
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome = outcome
            callbacks = self._callbacks
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the request comes, or now if it has come already.

        It runs in the thread that asks, so it must neither block nor raise.
        """
        with self._lock:
            if self._outcome is None:
                self._callbacks.append(callback)
                return
        callback()


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a connection.

    Attributes:
        user: as whom commands are run.
        server: what the SSH server calls itself, such as `OpenSSH_9.2p1`; "" where there is none.
    """

    user: str
    server: str = ""


class Connection(Protocol):
    """A way to run commands on one node, several at a time.

    `open` and `attempt` block, each in a thread of its own; `close` may be called from another
    one. `open` is not called twice at the same time.
    """

    node: Node

    def open(self) -> None:
        """Connect.

        Raises:
            UnreachableError: the node can't be connected to.
        """

    def attempt(
        self,
        command: str,
        on_output: OnOutput,
        cancellation: Cancellation,
        timeout: float | None = None,
        on_announced: OnAnnounced = nobody,
        surroundings: Surroundings = NO_SURROUNDINGS,
    ) -> Ending:
        """Run `command` with `sh -c` and return how it ended, when all of its output is read.

        stdin is /dev/null. It finds `surroundings`; where its directory can't be entered, it ends
        with status 1 and says so on stderr, and is not begun. When `cancellation` comes, the
        command's process group gets TERM and, after the grace, KILL. When it has run for
        `timeout` seconds (None: for ever), `cancellation` is made to come, as TIMED_OUT.

        Raises:
            NeverStartedError: it certainly did not begin; another node may run it.
        """

    @property
    def peer(self) -> Peer:
        """Who is at the other end. To be asked while the connection is open."""

    def close(self) -> None:
        """Disconnect. What still runs on the node is ended. Closing twice is harmless."""


#: Makes the connection of a node; nothing is contacted before `open`.
Connect = Callable[[Node], Connection]
