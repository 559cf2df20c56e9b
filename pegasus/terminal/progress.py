"""How far a run has come, in one line at the bottom of the terminal, drawn by a thread."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from pegasus.statistics import Statistics
from pegasus.terminal.screen import Screen

if TYPE_CHECKING:
    from pegasus.terminal.gauge import Gauge

#: How often it is looked whether there is something new to show, in seconds.
PERIOD = 0.25


class ProgressLine:
    """Shows the progress of a run while it is on, where stderr is a terminal.

    A run that others have sent into the background shows none: the line is the shell's then.

    Args:
        screen: whose last line it is.
        statistics: how far the run has come.
    """

    def __init__(self, screen: Screen, statistics: Statistics) -> None:
        self._screen = screen
        self._statistics = statistics
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._gauge: Gauge | None = None
        self._drawn: object = None
        self._drawn_at = 0.0
        self._line = ""

    def start(self) -> None:
        """Begin to show it, unless it is shown already, or can't be."""
        if self._thread is None and self._screen.has_bottom:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take the line away, for good."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    # The thread, from here on.

    def _run(self) -> None:
        # What is over in a moment shows nothing.
        while not self._over.wait(PERIOD):
            if not is_in_foreground():
                self._take_away()
            elif self._screen.bottom is None:
                self._screen.bottom = self._text
                self._screen.redraw()
            elif self._news() != self._drawn:
                self._screen.redraw()
        self._take_away()

    def _take_away(self) -> None:
        if self._screen.bottom is not None:
            self._screen.bottom = None
            self._screen.redraw()

    def _news(self) -> tuple[int, int]:
        """Return what is another whenever there is something new to show."""
        return self._statistics.version, int(time.monotonic())

    def _text(self, width: int) -> str:
        """Return the line; whoever draws it calls this, under the lock of the screen.

        It is made anew so often as `PERIOD` says, and no oftener however much is written above it.
        """
        news, now = self._news(), time.monotonic()
        is_due = news != self._drawn and now - self._drawn_at > PERIOD / 2
        if self._gauge is None or width != self._gauge.width:
            from pegasus.terminal.gauge import Gauge

            self._gauge, is_due = Gauge(width), True
        if is_due:
            self._drawn, self._drawn_at = news, now
            self._line = self._gauge.draw(self._statistics.progress())
        return self._line


def is_in_foreground() -> bool:
    """Whether this process is what the terminal behind stderr is for; one that is not ours is."""
    try:
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):
        return True
