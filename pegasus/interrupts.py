"""Turns signals into what a run does about them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, Protocol

#: How urgent a request is: the first Ctrl-C drains, the second cancels, and more leaves.
CANCEL = 2


class Mode(Protocol):
    """What can be run and ended early."""

    def run(self) -> None: ...
    def drain(self) -> None: ...
    def cancel(self) -> None: ...


class Interrupts:
    """Runs a mode in a thread while this one waits for its end, or for signals.

    SIGINT (Ctrl-C) drains the first time, cancels the second, and leaves the third time without
    waiting for anything; what then still runs is ended by its watchdog. SIGTERM cancels, and a
    second one leaves. A signal that is ignored stays so, as in a job in the background.
    Outside of the main thread, where Python has no signal handlers, it only waits. Afterwards the
    handlers are what they were before; but when there was a signal, the next Ctrl-C ends the
    process at once instead of with a KeyboardInterrupt, whose traceback nobody wants to see.

    Args:
        signals: the signals to catch.
    """

    def __init__(self, signals: Iterable[int] = (signal.SIGINT, signal.SIGTERM)) -> None:
        #: The first signal that came, or None.
        self.received: int | None = None
        self._signals = tuple(signals)
        self._requests: SimpleQueue[int | None] = SimpleQueue()
        self._replaced: dict[int, Any] = {}
        self._is_leaving = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._replaced[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._replaced.items():
            if self._is_leaving and handler is signal.default_int_handler:
                handler = signal.SIG_DFL
            signal.signal(number, handler)

    def supervise(self, mode: Mode) -> None:
        """Run `mode` to its end, and raise what it raises."""
        failures: list[BaseException] = []
        threading.Thread(target=self._run, args=(mode, failures), daemon=True).start()
        urgency = 0
        while (number := self._requests.get()) is not None:
            self._is_leaving = True
            urgency = urgency + 1 if number == signal.SIGINT else max(urgency + 1, CANCEL)
            if urgency > CANCEL:
                return
            if urgency == CANCEL:
                mode.cancel()
            else:
                mode.drain()
        if failures:
            raise failures[0]

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
        self._requests.put(number)
