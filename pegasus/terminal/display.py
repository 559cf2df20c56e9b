"""What is shown of a run: lines for people, or JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pegasus.events import Event, RunStarted
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.statistics import Statistics
from pegasus.terminal.printer import Printer
from pegasus.terminal.progress import ProgressLine
from pegasus.terminal.rounds.results import Rounds
from pegasus.terminal.screen import Screen
from pegasus.terminal.summary import Circumstances, summarize


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
        self._settings = settings
        self._statistics = statistics
        self._folder = folder
        self._run = ""
        self._is_over = False
        self._screen = Screen()
        self._progress = ProgressLine(self._screen, statistics)
        self._printer = Printer(
            self._screen,
            settings.print_period,
            quiet=settings.quiet,
            group=settings.group,
            folder=folder,
        )
        self._rounds = Rounds(self._screen, self._printer, settings, folder)

    def __call__(self, event: Event) -> None:
        if self._is_over:
            return  # Of what a run has left running: what is held must not grow any more.
        if isinstance(event, RunStarted):
            self._run = event.run
            if self._settings.progress and not self._settings.quiet:
                self._progress.start()
        self._rounds(event)

    def say(self, message: str) -> None:
        self._printer.say(message)

    def end(self, result: RunResult) -> None:
        self._is_over = True
        self._rounds.release()
        self._printer.release()
        self._progress.stop()
        self._screen.end_output()
        headline, *more = summarize(result, self._circumstances())
        with self._screen.alone():
            self._printer.say(headline, alarming=bool(result.failed))
            if more:
                self.say("\n".join(more))

    def _circumstances(self) -> Circumstances:
        left = self._statistics.progress().queued
        times = self._statistics.times()
        return Circumstances(self._run, self._settings.queue_file, self._folder, times, left)


def display(settings: Settings, statistics: Statistics, folder: Path) -> Display:
    """Return what shows a run as its settings want it; see `TextDisplay` for the arguments."""
    if settings.output == "json":
        from pegasus.terminal.jsonlines import JsonDisplay

        return JsonDisplay(settings, statistics)
    return TextDisplay(settings, statistics, folder)
