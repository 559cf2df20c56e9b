"""What a round of a broadcast came to: a line for each distinct result, with its nodes folded."""

from __future__ import annotations

from pathlib import Path

from pegasus import events
from pegasus.events import Event, RoundEnded
from pegasus.model import Ending, printable
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer
from pegasus.terminal.rounds.folding import folded, grouped
from pegasus.terminal.rounds.gathering import Gathering
from pegasus.terminal.screen import Screen

#: How many results that are no successes are told apart, in a round.
LISTED = 20


class Rounds:
    """An event sink in front of a printer: it tells of rounds, and gathers their output if wanted.

    Args:
        screen: where to write.
        printer: shows everything else.
        settings: of the run.
        folder: where the journal and the logs are.
    """

    def __init__(self, screen: Screen, printer: Printer, settings: Settings, folder: Path) -> None:
        self._screen = screen
        self._printer = printer
        self._settings = settings
        self._folder = folder
        self._gathering: Gathering | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, events.RunStarted):
            self._begin(event)
        if self._gathering is None or not self._gathering.takes(event):
            self._printer(event)
        if isinstance(event, RoundEnded):
            self._tell(event)

    def release(self) -> None:
        """Show what was gathered in a round that does not end any more."""
        if self._gathering:
            self._gathering.release()

    def _begin(self, event: events.RunStarted) -> None:
        settings = self._settings
        if event.mode == "broadcast" and (settings.gather or settings.diff):
            self._gathering = Gathering(
                self._screen, self._printer, settings, self._folder, event.nodes
            )

    def _tell(self, event: RoundEnded) -> None:
        is_told = len(event.endings) < 2 and self._gathering is None  # By the lines of its frame.
        has_failed = not all(ending.succeeded for _, ending in event.endings)
        is_wanted = has_failed or not self._settings.quiet
        if event.endings and is_wanted and not is_told:
            lines = results(event)
            good = len({str(ending) for _, ending in event.endings if ending.succeeded})
            for part, is_bad in ((lines[:good], False), (lines[good:], True)):
                if part:
                    self._printer.say("\n".join(part), alarming=is_bad)


def results(event: RoundEnded) -> list[str]:
    """Return a line for each distinct result of a round.

    Success comes first, then whatever else the nodes came to, what is commonest first. Where that
    is too much, results of the same kind are one.
    """
    nodes = [(ending, attempt.node) for attempt, ending in event.endings]
    alike = grouped((str(ending), node) for ending, node in nodes)
    if len(alike) > LISTED:
        alike = grouped((_kind(ending), node) for ending, node in nodes)
    good = {str(ending) for ending, _ in nodes if ending.succeeded}
    ordered = sorted(alike.items(), key=lambda item: (item[0] not in good, -len(item[1])))
    job = f"job {event.job.id}: " if event.job.id else ""
    return [f"{job}{folded(members)}: {printable(result)}" for result, members in ordered]


def _kind(ending: Ending) -> str:
    """Return a result in few words: what it was, without how it came to that."""
    return str(ending) if ending.exit_status is not None else ending.outcome.value
