"""Connecting again to a node whose connection broke: patiently, and not all nodes at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.base import Connection

#: The first pause between two tries, and the longest, in seconds: each is up to twice as long as
#: the one before. Half of a pause is random, for nodes that are lost together.
FIRST, LONGEST = 1.0, 60.0


class Clock:
    """The time that passes between tries; tests have a faster one."""

    def now(self) -> float:
        """Return the time in seconds since some moment."""
        return time.monotonic()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for `stop`, but not longer than this."""
        stop.wait(seconds)


def reconnect(
    connection: Connection,
    within: float,
    stop: threading.Event,
    clock: Clock,
    pause: float = FIRST,
    then: Callable[[], object] = lambda: None,
) -> bool:
    """Open a connection, and try again for `within` seconds.

    Args:
        pause: what to wait at most before the first try, in seconds.
        then: called when it is open; where this raises, it is as if it could not be opened.

    Returns:
        Whether it is open: it isn't when `stop` was set before.

    Raises:
        UnreachableError: it could not be opened in that time. A host that shows a key it did
            not have before is not tried again.
    """
    end = clock.now() + within
    while True:
        half = min(pause, max(end - clock.now(), 0)) / 2
        clock.wait(stop, half + random.uniform(0, half))  # noqa: S311
        if stop.is_set():
            return False
        try:
            connection.open()
            then()
            return True
        except Exception as problem:
            error = unreachable(connection.node, problem)
            is_last = error.step == "host key" or clock.now() >= end
            if is_last and not stop.is_set():
                raise error from problem
        pause = min(max(2 * pause, FIRST), LONGEST)


def unreachable(node: Node, problem: Exception) -> UnreachableError:
    """Return `problem`, raised while connecting, as the error that the modes report."""
    if isinstance(problem, UnreachableError):
        return problem
    return UnreachableError(node, "connect", f"internal error: {problem!r}")
