"""A terminal as people look at one: what a program writes to it, as it stands on the screen."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pexpect
import pyte
from project import PATIENCE, read_some


class _Screen(pyte.Screen):
    """A screen to which characters come one at a time.

    pyte leaves out what comes behind one that takes no column, as long as it comes at once.
    """

    def draw(self, data: str) -> None:
        for character in data:
            super().draw(character)


class Emulator:
    """A program in a terminal of its own, whose screen is as high as the output is long.

    Args:
        arguments: of Python.
        columns, rows: of the terminal.
        term: the kind of the terminal.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 300,
        cwd: Path | None = None,
        term: str = "xterm-256color",
        env: dict[str, str] | None = None,
        is_drawn: bool = True,
    ) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES")
        }
        self._child = pexpect.spawn(
            sys.executable,
            list(arguments),
            cwd=str(cwd) if cwd else None,
            env={**kept, "TERM": term, "PYTHONUTF8": "1", **(env or {})},
            dimensions=(rows, columns),
            echo=False,
        )
        self.screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._is_drawn = is_drawn
        #: All that came, as it came.
        self.raw = bytearray()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without blanks at the ends of lines, to the last line."""
        shown = [line.rstrip() for line in self.screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    def resize(self, columns: int, rows: int = 300) -> None:
        """Make the terminal wider or narrower, which the program gets a SIGWINCH for."""
        self.screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until what is shown meets a condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "\n".join(["waited in vain:", *self.lines])
            assert self._read(), "\n".join(["it has ended:", *self.lines])

    def wait_for_text(self, text: str) -> None:
        self.wait_for(lambda: any(text in line for line in self.lines))

    def type(self, keys: str) -> None:
        self._child.send(keys)

    def signal(self, number: signal.Signals) -> None:
        self._child.kill(number)

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, "\n".join(["no end:", *self.lines])
        self._child.wait()
        status = self._child.exitstatus
        return 128 + self._child.signalstatus if status is None else int(status)

    def kill(self) -> None:
        if self._child.isalive():
            self._child.kill(signal.SIGKILL)
            self._child.wait()
        self._child.close()

    def _read(self) -> bool:
        data = read_some(self._child)
        if data:
            self.raw += data
            if self._is_drawn:
                self._stream.feed(data)
        return data is not None
