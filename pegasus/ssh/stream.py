"""Follow one running command: hand on its output as it comes, cancel it, notice its end.

Nothing here knows whether the command runs on this host or on another: that is a `Process`.
The loop sleeps until the process has something to say, and keeps no output.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from pegasus.events import Stream
from pegasus.model import Ending
from pegasus.ssh.base import Cancellation, OnOutput

#: How much is read at once, in bytes.
CHUNK = 32768

#: A child left in the background may hold the output open for ever. Once the command itself
#: has ended, what is still in the pipes is read until nothing comes for this long (seconds), …
QUIET = 1.0
#: … but no longer than this (seconds), in case the child goes on writing, …
LINGER = 10.0
#: … and no more than this (bytes): twice what an SSH channel can hold in flight.
REMAINDER = 4 * 1024 * 1024

#: How long after the grace a cancelled command may take to be reported as ended, in seconds.
CONFIRMATION = 5.0

_UNCONFIRMED = "the host has not confirmed that the command ended"


class Process(Protocol):
    """A running command under the watchdog."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will be learnt of how it ended. Output may still be unread."""

    @property
    def drained(self) -> bool:
        """Whether both outputs are closed and read."""

    def wait(self, timeout: float | None) -> None:
        """Sleep until something has changed, `wake` is called, or `timeout` seconds are over."""

    def wake(self) -> None:
        """Have `wait` return. Any thread may call it, after the end too; it never blocks."""

    def read(self) -> Iterable[tuple[Stream, bytes]]:
        """Return what can be read now without waiting, a chunk of each output at most."""

    def let_go(self) -> None:
        """Let go of the leash: the watchdog ends the process group."""

    def ending(self) -> Ending:
        """Return how it ended, once it has."""

    def dispose(self) -> None:
        """Close everything; a command that still runs loses its leash."""


class Delivery:
    """Calls on_output, and keeps the first exception for when the command has ended.

    A listener that fails must neither stop the reading, which would block the command, nor end
    it: what the command does may be worth more than what the listener shows.
    """

    def __init__(self, on_output: OnOutput) -> None:
        self._on_output = on_output
        self._error: Exception | None = None
        self.count = 0

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.count += len(data)
        try:
            self._on_output(stream, data)
        except Exception as error:  # whatever the listener does wrong
            self._error = self._error or error

    def raise_error(self) -> None:
        """Raise what the listener raised first, if it did."""
        if self._error is not None:
            raise self._error


class _Settling:
    """Decides how long to read on after the end."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._start = self._last = time.monotonic()
        self._first_count = self._count = delivery.count

    def remaining(self) -> float:
        """Return for how many seconds more to wait for output; 0 or less when it is enough."""
        now, count = time.monotonic(), self._delivery.count
        if count != self._count:
            self._count, self._last = count, now
        if count - self._first_count > REMAINDER:
            return 0.0
        return min(self._last + QUIET, self._start + LINGER) - now


class Follower:
    """Follows one process to its end, in the thread that calls `run`."""

    def __init__(
        self, process: Process, on_output: OnOutput, cancellation: Cancellation, grace: float
    ) -> None:
        self._process = process
        self._delivery = Delivery(on_output)
        self._cancellation = cancellation
        self._patience = grace + CONFIRMATION
        self._deadline: float | None = None
        self._settling: _Settling | None = None

    def run(self) -> Ending:
        """Return how the process ended, when its output is read.

        Raises:
            Exception: what on_output raised first, after the process has ended.
        """
        self._cancellation.on_cancel(self._process.wake)
        timeout: float | None = None
        while timeout is None or timeout > 0:
            self._process.wait(timeout)
            timeout = self._turn()
        self._delivery.raise_error()
        return self._ending()

    def _turn(self) -> float | None:
        """Read what is there; return how long to wait now, None for ever, 0 to stop."""
        ended = self._process.ended  # looked at before reading: what came before it is read
        for stream, data in self._process.read():
            self._delivery(stream, data)
        if ended:
            return self._settle()
        if self._cancellation.outcome is None:
            return None
        return self._cancel()

    def _settle(self) -> float:
        if self._settling is None:
            self._settling = _Settling(self._delivery)
        return 0.0 if self._process.drained else self._settling.remaining()

    def _cancel(self) -> float:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._patience
            self._process.let_go()
        return self._deadline - time.monotonic()

    def _ending(self) -> Ending:
        outcome = self._cancellation.outcome
        if self._deadline is None or outcome is None:
            return self._process.ending()
        return Ending(outcome, detail="" if self._process.ended else _UNCONFIRMED)
