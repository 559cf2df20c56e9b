"""Follow one running command: hand on its output as it comes, cancel it, notice its end.

Nothing here knows whether the command runs on this host or on another: that is a `Process`.
The loop sleeps until the process has something to say, and keeps no output.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh.base import OnAnnounced, OnOutput
from pegasus.ssh.running.opening import Opening
from pegasus.ssh.running.order import Order

#: How much is read at once, in bytes.
CHUNK = 256 * 1024

#: A child left in the background may hold the output open for ever. Once the command itself
#: has ended, what is still in the pipes is read until nothing comes for this long (seconds) and
#: the host says that it has nothing more, …
QUIET = 1.0
#: … but no longer than this (seconds), in case the child goes on writing; only the time in which
#: there was nothing to read counts, and what comes over a slow line earns more of it …
LINGER = 10.0
#: … at this rate (bytes a second), …
SLOW = 64 * 1024
#: … and no more than this (bytes): beyond what a command can have written before its end. An SSH
#: channel holds 2 MiB, and each of two pipes 1 MiB at most.
REMAINDER = 8 * 1024 * 1024

#: How long after the grace a cancelled command may take to be reported as ended, in seconds.
CONFIRMATION = 5.0

#: How long after its session was made a command may take to begin, in seconds.
BEGINNING = 60.0

_UNCONFIRMED = "the host has not confirmed that the command ended"


class NotBegunError(Exception):
    """The session ran something else than the command; the message says what is known of it."""


class Process(Protocol):
    """A running command under the watchdog."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will be learnt of how it ended. Output may still be unread."""

    @property
    def drained(self) -> bool:
        """Whether both outputs are closed and read."""

    def caught_up(self) -> bool:
        """Return whether all that had been written when this was first asked has been read.

        That is, asked since there was something to read. Where the host has to answer first,
        `wait` returns when it has.
        """

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
    """Calls who listens, and keeps the first exception for when the command has ended.

    A listener that fails must neither stop the reading, which would block the command, nor end
    it: what the command does may be worth more than what the listener shows.
    """

    def __init__(self, on_output: OnOutput, on_announced: OnAnnounced) -> None:
        self._on_output = on_output
        self._on_announced = on_announced
        self._error: Exception | None = None

    def __call__(self, stream: Stream, data: bytes) -> None:
        """Hand on output."""
        try:
            self._on_output(stream, data)
        except Exception as error:  # whatever the listener does wrong
            self._error = self._error or error

    def announce(self, group: int) -> None:
        """Tell that the command has begun, in a process group with this number."""
        try:
            self._on_announced(group)
        except Exception as error:
            self._error = self._error or error

    def raise_error(self) -> None:
        """Raise what the listener raised first, if it did."""
        if self._error is not None:
            raise self._error


class _Settling:
    """Decides how long to read on after the end."""

    def __init__(self) -> None:
        self.is_asking = False  # the host; a line that falters is not the silence of a command
        self._waited = self._silence = 0.0
        self._received = 0

    def note(self, waited: float, received: int) -> None:
        """Take account of a turn: the seconds it has waited, and the bytes that came."""
        waited = 0.0 if self.is_asking else waited
        self.is_asking = False
        self._waited += waited
        self._silence = 0.0 if received else self._silence + waited
        self._received += received

    def patience(self) -> float:
        """Return for how many seconds more to wait at all; 0 or less when it is enough."""
        if self._received > REMAINDER:
            return 0.0
        return LINGER + self._received / SLOW - self._waited

    def quiet(self, quiet: float) -> float:
        """Return how many seconds are left of the silence that is waited for."""
        return quiet - self._silence


class Follower:
    """Follows one process to its end, in the thread that calls `run`."""

    def __init__(self, process: Process, order: Order) -> None:
        """Prepare to follow the process of a command."""
        self._process = process
        self._delivery = Delivery(order.on_output, order.on_announced)
        self._cancellation = order.cancellation
        self._opening = Opening()
        self._patience = order.grace + CONFIRMATION
        self._begin_by = time.monotonic() + BEGINNING
        self._timeout = order.timeout
        self._end_by: float | None = None
        self._deadline: float | None = None
        self._settling: _Settling | None = None

    def run(self) -> Ending:
        """Return how the process ended, when its output is read.

        Raises:
            NotBegunError: the process ended and was not the command, or the command did not
                begin in time and was ended.
            Exception: what on_output raised first, after the process has ended.
        """
        self._cancellation.on_cancel(self._process.wake)
        timeout: float | None = BEGINNING
        while timeout is None or timeout > 0:
            before = time.monotonic()
            self._process.wait(timeout)
            timeout = self._turn(time.monotonic() - before)
        ending = self._ending()
        self._delivery.raise_error()
        return ending

    def _turn(self, waited: float) -> float | None:
        """Read what is there; return how long to wait now, None for ever, 0 to stop."""
        ended = self._process.ended  # looked at before reading: what came before it is read
        received = self._read()
        if ended:
            return self._settle(waited, received)
        if self._cancellation.outcome is not None or self._deadline is not None:
            return self._cancel()
        return self._await_end() if self._opening.is_over else self._await_beginning()

    def _read(self) -> int:
        """Hand on what is there; return how many bytes that was."""
        received = 0
        for stream, data in self._process.read():
            received += len(data)
            had_begun = self._opening.is_over
            own = self._opening.strip(stream, data)
            if self._opening.group is not None and not had_begun:
                self._delivery.announce(self._opening.group)
            if own:
                self._delivery(stream, own)
        return received

    def _settle(self, waited: float, received: int) -> float | None:
        if self._settling is None:
            self._settling = _Settling()
            waited = received = 0  # that was before the end
        self._settling.note(waited, received)
        patience = self._settling.patience()
        # Whether it has begun is not decided by a line that falters.
        quiet = self._settling.quiet(QUIET if self._opening.is_over else LINGER)
        if self._process.drained or patience <= 0:
            return 0.0
        if quiet > 0:
            return min(quiet, patience)
        if self._cancellation.outcome is not None or self._process.caught_up():
            return 0.0
        self._settling.is_asking = True
        return None  # a line that says nothing at all is dead, and ended as such

    def _await_beginning(self) -> float:
        remaining = self._begin_by - time.monotonic()
        return remaining if remaining > 0 else self._cancel()

    def _await_end(self) -> float | None:
        if self._timeout is None:
            return None
        now = time.monotonic()
        if self._end_by is None:
            self._end_by = now + self._timeout
        if now < self._end_by:
            return self._end_by - now
        self._cancellation.cancel(Outcome.TIMED_OUT)
        return self._cancel()

    def _cancel(self) -> float:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._patience
            self._process.let_go()
        return self._deadline - time.monotonic()

    def _ending(self) -> Ending:
        outcome = self._cancellation.outcome
        if self._deadline is not None and outcome is not None:
            return Ending(outcome, detail="" if self._process.ended else _UNCONFIRMED)
        if not self._opening.is_over:
            return self._explain_no_beginning()
        if self._deadline is not None:
            return Ending(Outcome.LOST, detail=f"it began after {BEGINNING:g} s, and was ended")
        return self._process.ending()

    def _explain_no_beginning(self) -> Ending:
        """Raise, or return the ending where the connection was lost: it may have begun."""
        how = f"nothing began within {BEGINNING:g} s"
        if self._deadline is None:
            ending = self._process.ending()
            if ending.outcome is Outcome.LOST:
                return ending
            how = f"it ended with status {ending.exit_status}"
            if ending.exit_status is None:
                how = f"it ended by signal {ending.exit_signal}"
        heard = self._opening.heard
        raise NotBegunError(how + (f" and said {heard!r}" if heard else ""))
