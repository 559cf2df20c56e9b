"""Holds what the nodes of a broadcast write in a round, to print the same output once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pegasus import events
from pegasus.events import Event, Output
from pegasus.model import Attempt, Ending, Node
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer
from pegasus.terminal.rounds.gathered import Gathered, Picture
from pegasus.terminal.rounds.spooling import Spool
from pegasus.terminal.screen import OURS, Screen


class Gathering:
    """What is held of the round that is on. Any thread may use it.

    Of a job whose output can't be held, as on a full disk, the printer shows what comes.

    Args:
        screen: where to write.
        printer: shows what is not held.
        settings: of the run.
        folder: where the journal and the logs are, and a file for what is too much for memory.
        nodes: of the run.
    """

    def __init__(
        self,
        screen: Screen,
        printer: Printer,
        settings: Settings,
        folder: Path,
        nodes: Iterable[Node],
    ) -> None:
        self._screen = screen
        self._printer = printer
        self._settings = settings
        self._folder = folder
        self._lock = threading.Lock()  # Guards what follows.
        self._members = set(nodes)  # On which each job is run.
        self._spool = Spool(folder)
        self._open: dict[tuple[int, int], Gathered] = {}
        self._round: dict[tuple[int, int], Gathered] = {}
        self._unframed: list[Attempt] = []  # Begun, and nothing has told yet.
        self._is_over = False
        self._takers: dict[type[Event], Callable[[Any], bool]] = {
            Output: self._output,
            events.NodeUnreachable: self._node_unreachable,
            events.AttemptStarted: self._attempt_started,
            events.AttemptEnded: self._attempt_ended,
            events.NeverStarted: self._never_started,
            events.RoundEnded: self._round_ended,
        }

    def takes(self, event: Event) -> bool:
        """Take notice of an event; return whether nobody else is to show it."""
        take = self._takers.get(type(event))
        return take is not None and take(event)

    def release(self) -> None:
        """Show what is held, as its round does not end any more, and hold nothing from now on."""
        with self._lock:
            self._is_over = True
        self._show()

    def _node_unreachable(self, event: events.NodeUnreachable) -> bool:
        with self._lock:
            self._members.discard(event.node)
        return False

    def _attempt_started(self, event: events.AttemptStarted) -> bool:
        attempt = event.attempt
        with self._lock:
            if self._is_over:
                return False
            before = self._round.get((attempt.job.id, attempt.repeats))
            one = Gathered(attempt, before.attempt_of_node + 1 if before else 1, self._spool)
            self._open[attempt.key] = self._round[attempt.key] = one
            if before is None and not self._settings.quiet:
                self._unframed.append(attempt)
            is_complete = len(self._unframed) >= len(self._members)
        if is_complete:
            self._frame()
        return True

    def _output(self, event: Output) -> bool:
        one = self._open.get(event.attempt.key)
        if one is None:
            return False
        if self._settings.quiet:
            return True
        try:
            return one.add(event.stream, event.data)
        except OSError:
            self._give_up(one)
            return True

    def _attempt_ended(self, event: events.AttemptEnded) -> bool:
        return self._end(event.attempt, event.ending)

    def _never_started(self, event: events.NeverStarted) -> bool:
        return self._end(event.attempt, None, event.error.problem)

    def _end(self, attempt: Attempt, ending: Ending | None, problem: str = "") -> bool:
        with self._lock:
            one = self._open.pop(attempt.key, None)
        if one is not None:
            one.ending, one.problem = ending, problem
        return one is not None

    def _round_ended(self, event: events.RoundEnded) -> bool:
        self._show()
        return False

    def _give_up(self, one: Gathered) -> None:
        """Have the printer show the output of an attempt, now and from now on."""
        with self._lock:
            if self._open.pop(one.attempt.key, None) is None:
                return  # The other stream has failed, too.
            del self._round[one.attempt.key]
            self._unframed = [other for other in self._unframed if other != one.attempt]
        self._printer(events.AttemptStarted(one.attempt))
        for stream, output in one.close():
            for chunk in output.chunks():
                self._printer(Output(one.attempt, stream, chunk))

    def _frame(self) -> None:
        """Show what is run, the same command once."""
        with self._lock:
            attempts, self._unframed = self._unframed, []
        self._picture([]).commands(attempts)

    def _show(self) -> None:
        """Show what is held, and forget it."""
        with self._lock:
            gathered, spool = [*self._round.values()], self._spool
            self._round, self._open, self._spool = {}, {}, Spool(self._folder)
        repeated = {(one.attempt.job.id, one.attempt.repeats) for one in gathered}
        for one in gathered:
            one.close()
            one.counts = one.attempt.key not in repeated
        try:
            self._show_all(gathered)
        except OSError as error:
            lost = f"the output that was held can't be read ({error}); inv logs can"
            self._screen.err([lost], OURS)
        finally:
            spool.close()

    def _show_all(self, gathered: list[Gathered]) -> None:
        picture = self._picture(gathered)
        if self._settings.quiet:
            picture.commands(one.attempt for one in gathered if one.counts and not one.succeeded)
        else:
            self._frame()
        picture.not_started()
        picture.outputs()

    def _picture(self, gathered: list[Gathered]) -> Picture:
        return Picture(self._screen, self._settings, self._folder, gathered)
