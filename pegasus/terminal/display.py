"""What is shown of a run: lines for people, or JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pegasus.events import Event
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.statistics import Statistics
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen
from pegasus.terminal.summary import summarize


class Display(Protocol):
    """An event sink that somebody reads."""

    def __call__(self, event: Event, /) -> None: ...

    def say(self, message: str) -> None:
        """Show a message of our own, of one line or several."""

    def end(self, result: RunResult) -> None:
        """Show what the run came to; no event follows."""


class TextDisplay:
    """Lines for people: output and messages as they come, and a summary.

    Args:
        settings: of the run.
        statistics: hears of each event before this does.
        folder: where the journal and the logs are.
    """

    def __init__(self, settings: Settings, statistics: Statistics, folder: Path) -> None:
        self._printer = Printer(Screen(), settings.print_period)

    def __call__(self, event: Event) -> None:
        self._printer(event)

    def say(self, message: str) -> None:
        self._printer.say(message)

    def end(self, result: RunResult) -> None:
        self.say("\n".join(summarize(result)))


def display(settings: Settings, statistics: Statistics, folder: Path) -> Display:
    """Return what shows a run as its settings want it; see `TextDisplay` for the arguments."""
    return TextDisplay(settings, statistics, folder)
