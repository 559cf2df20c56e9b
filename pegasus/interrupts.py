"""Turns signals, and what another shell asks for, into what a run does about them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Protocol

#: How far a run has been told to end: it takes no more jobs, it cancels those that run, and
#: it waits for nothing.
DRAIN, CANCEL, LEAVE = 1, 2, 3

#: A signal that comes in the instant before a wait begins does not end it, so that waits are
#: short; in seconds.
PULSE = 0.2

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Mode(Protocol):
    """What can be run and ended early."""

    def run(self) -> None: ...
    def drain(self) -> None: ...
    def cancel(self) -> None: ...


class _Request(NamedTuple):
    """Go on to the next step, but at least to `least` and at most to `most`."""

    least: int
    most: int

    def after(self, urgency: int) -> int:
        return max(urgency, min(max(urgency + 1, self.least), self.most))


_TERMINAL_INTERRUPT = _Request(DRAIN, LEAVE)
_TERMINATION = _Request(CANCEL, LEAVE)
_TO_DRAIN = _Request(DRAIN, DRAIN)
_TO_CANCEL = _Request(CANCEL, CANCEL)


class Interrupts:
    """Runs a mode in a thread while this one waits for its end, or for requests to end it.

    Each Ctrl-C goes one step further: drain, cancel, leave without waiting for anything; what
    then still runs is ended by its watchdog. SIGTERM cancels, and a second one leaves; so does
    a SIGINT that no Ctrl-C can have sent, for there is nobody at a terminal to send the next.
    SIGHUP drains, however often it comes: a terminal that is closed sends it twice. So do and
    so count `drain` and `cancel`, which other threads may call.

    A signal that is ignored stays so, as under nohup. Outside of the main thread, where Python
    has no signal handlers, only requests are heard. Afterwards the handlers are what they were
    before; but when there was a signal, the next Ctrl-C ends the process at once instead of with
    a KeyboardInterrupt, whose traceback nobody wants to see.

    Args:
        signals: the signals to catch.
    """

    def __init__(self, signals: Iterable[int] = SIGNALS) -> None:
        #: The first signal that came, or None.
        self.received: int | None = None
        self._signals = tuple(signals)
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._replaced: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                # None is a handler that is not Python's, and could not be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._replaced[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._replaced.items():
            if self.received and handler is signal.default_int_handler:
                handler = signal.SIG_DFL
            signal.signal(number, handler)

    @property
    def is_pending(self) -> bool:
        """Whether somebody has asked for something that `supervise` has not answered yet."""
        return not self._requests.empty()

    def drain(self) -> None:
        """Have the mode take no more jobs."""
        self._requests.put(_TO_DRAIN)

    def cancel(self) -> None:
        """Have the mode cancel what runs."""
        self._requests.put(_TO_CANCEL)

    def supervise(self, mode: Mode) -> None:
        """Run `mode` to its end, and raise what it raises. What was to end before is not begun."""
        if self.is_pending:
            return
        failures: list[BaseException] = []
        threading.Thread(target=self._run, args=(mode, failures), daemon=True).start()
        urgency = 0
        while (request := self._next()) is not None:
            before, urgency = urgency, request.after(urgency)
            if urgency == LEAVE:
                return
            if urgency == before:
                continue
            if urgency == CANCEL:
                mode.cancel()
            else:
                mode.drain()
        if failures:
            raise failures[0]

    def _next(self) -> _Request | None:
        """Wait for a request, or for the end of the mode."""
        while True:
            with contextlib.suppress(Empty):
                return self._requests.get(timeout=PULSE)

    def _run(self, mode: Mode, failures: list[BaseException]) -> None:
        try:
            mode.run()
        except BaseException as error:
            failures.append(error)
        finally:
            self._requests.put(None)

    def _handle(self, number: int, _: FrameType | None) -> None:
        # Only this much is safe in a handler: the waiting thread does the rest.
        self.received = self.received or number
        self._requests.put(_request(number))


def _request(number: int) -> _Request:
    if number == signal.SIGHUP:
        return _TO_DRAIN
    if number == signal.SIGINT and is_at_terminal():
        return _TERMINAL_INTERRUPT
    return _TERMINATION


def is_at_terminal() -> bool:
    """Whether a Ctrl-C can reach this process: it is in the foreground of its terminal.

    Safe in a signal handler.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # Too many open files say nothing: then the milder answer.
        return error.errno in (errno.EMFILE, errno.ENFILE)
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # The terminal has been closed.
        return False
    finally:
        os.close(terminal)
