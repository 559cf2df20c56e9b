"""Turns signals, and what another shell asks for, into what a run does about them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import threading
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Protocol

#: How far a run has been told to end: it takes no more jobs, it cancels those that run, and
#: it waits for nothing.
DRAIN, CANCEL, LEAVE = 1, 2, 3

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
        self._bell: _Bell | None = None

    def __enter__(self) -> Interrupts:
        self._bell = _Bell()
        if threading.current_thread() is threading.main_thread():
            self._bell.hear_signals()
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
        if self._bell is not None:
            self._bell.close()

    @property
    def is_pending(self) -> bool:
        """Whether somebody has asked for something that `supervise` has not answered yet."""
        return not self._requests.empty()

    def drain(self) -> None:
        """Have the mode take no more jobs."""
        self._ask(_TO_DRAIN)

    def cancel(self) -> None:
        """Have the mode cancel what runs."""
        self._ask(_TO_CANCEL)

    def supervise(self, mode: Mode) -> None:
        """Run `mode` to its end, and raise what it raises, within the `with` block.

        What was to end before is not begun.
        """
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
                return self._requests.get_nowait()
            if self._bell is None:
                raise RuntimeError("supervise belongs into the with block")
            self._bell.wait()

    def _run(self, mode: Mode, failures: list[BaseException]) -> None:
        try:
            mode.run()
        except BaseException as error:
            failures.append(error)
        finally:
            self._ask(None)

    def _handle(self, number: int, _: FrameType | None) -> None:
        # Only this much is safe in a handler: the waiting thread does the rest.
        self.received = self.received or number
        self._ask(_request(number))

    def _ask(self, request: _Request | None) -> None:
        self._requests.put(request)
        if self._bell is not None:
            self._bell.ring()


class _Bell:
    """What a thread waits for that signals are to wake, too.

    Waiting for a queue or a lock won't do: a signal that comes in the instant before such a wait
    begins does not end it. The system writes to our socket itself when one comes.
    """

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()
        self._rung.setblocking(False)
        self._before: int | None = None

    def hear_signals(self) -> None:
        """Ring at each signal that has a handler. For the main thread alone."""
        self._before = signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)

    def ring(self) -> None:
        """End a wait, or the next one. Any thread may, and a signal handler."""
        with contextlib.suppress(OSError):  # Full: it is ringing. Closed: nobody waits.
            self._rung.send(b"!")

    def wait(self) -> None:
        """Wait for the next ring."""
        self._heard.recv(4096)

    def close(self) -> None:
        """Hear no more; signals wake whatever they woke before."""
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
        self._heard.close()
        self._rung.close()


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
