"""One call of a hook: a command that is run here, or a function."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from pegasus.errors import TemplateError
from pegasus.hooks.facts import Facts
from pegasus.template import render
from pegasus.terminal.lines.splitter import LineSplitter

Say = Callable[[str], None]

#: How long a command may run, in seconds.
LIMIT = 30.0
#: The time between TERM and KILL for one that took too long, in seconds.
GRACE = 1.0
#: How often it is looked whether a command is to be ended, in seconds.
POLL = 0.05
#: How many lines that a command writes are shown, and how many characters of each.
LINES, WIDTH = 100, 1000
#: How long the rest of the output is waited for: what a command leaves running may hold it open.
REST = 0.2


class Call(Protocol):
    """A call that is made once, by one thread.

    Attributes:
        name: of the hook.
        about: for which job it is, or "".
    """

    name: str
    about: str

    def make(self) -> str:
        """Make it; return what went wrong, in one line, or ""."""

    def end(self) -> None:
        """Have it end now, if that can be. Any thread may ask."""


@dataclass
class FunctionCall:
    """A call of a function; that can't be ended from outside."""

    name: str
    function: Callable[..., object]
    arguments: tuple[object, ...]
    about: str = ""

    def make(self) -> str:
        """See `Call.make`."""
        try:
            self.function(*self.arguments)
        except BaseException as error:  # such as a SystemExit: it is the hook alone that ends.
            return _line(f"{type(error).__name__}: {error}")
        return ""

    def end(self) -> None:
        """Do nothing; see `Call.end`."""


@dataclass
class CommandCall:
    """A command in a session of its own, so that no Ctrl-C reaches it; what it writes is shown."""

    name: str
    template: str
    facts: Facts
    say: Say
    about: str = ""
    _is_unwanted: threading.Event = field(default_factory=threading.Event)

    def make(self) -> str:
        """See `Call.make`."""
        try:
            process = self._start()
        except TemplateError as error:
            return _line(str(error))
        except (OSError, ValueError) as error:  # such as a text that is too long, or has a NUL
            return _line(f"it can't be run: {error}")
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        problem = self._see_through(process)
        reader.join(REST)
        return problem

    def end(self) -> None:
        """See `Call.end`."""
        self._is_unwanted.set()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["sh", "-c", render(self.template, self.facts.variables())],
            env=self.facts.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )

    def _see_through(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for the end, or bring it about; return what went wrong."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline and not self._is_unwanted.is_set():
            with suppress(subprocess.TimeoutExpired):
                return _failure(process.wait(POLL))
        is_late = not self._is_unwanted.is_set()
        _kill(process)
        return f"killed, since it took longer than {LIMIT:g} s" if is_late else "killed"

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Show what the command writes, and what runs on behind it; but not without end."""
        pipe, lines, left = process.stdout, LineSplitter(), LINES
        if pipe is None:
            return
        with pipe:
            while data := pipe.read(65536):
                left -= self._show(lines.feed(data), left)
            self._show(lines.finish(), left)

    def _show(self, lines: list[str], left: int) -> int:
        """Show up to so many lines; return how many they were."""
        shown = lines[: max(0, left)]
        if len(lines) > left >= 0:
            shown.append("… (more is not shown)")
        if shown:
            self.say("\n".join(f"{self.name}: {_cut(line)}" for line in shown))
        return len(lines)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the group of a command; its number is nobody else's as long as nobody has waited."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(status: int) -> str:
    if status < 0:
        names = {one.value: one.name for one in signal.Signals}  # Few of the real-time ones.
        return f"killed by signal {names.get(-status, -status)}"
    return f"exit status {status}" if status else ""


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}…"


def _line(text: str) -> str:
    return " ".join(text.split())[:500]
