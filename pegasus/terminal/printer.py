"""Prints the events of a run: output with its node in front, and our own messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pegasus import events
from pegasus.events import Event
from pegasus.model import Attempt, Node
from pegasus.terminal.lines.sequences import harmless
from pegasus.terminal.lines.splitter import LINE_END
from pegasus.terminal.messages import is_trouble, message
from pegasus.terminal.outputs import Grouped, Live
from pegasus.terminal.screen import OURS, Screen
from pegasus.terminal.words import count


class Printer:
    """An event sink that writes to a screen.

    A job's stdout goes to stdout and its stderr to stderr, each line with `[node]` in front, or
    `[node job 7]` where others may run beside it; so do the lines that frame a job. Our own
    messages go to stderr.

    Args:
        screen: where to write.
        print_period: every how many lines of each stream one is printed; 0 prints none.
        quiet: print nothing of jobs but the frames of those that fail.
        group: hold what a job prints until it has ended.
        folder: where that is held, if it is much.
    """

    def __init__(
        self,
        screen: Screen,
        print_period: int = 1,
        *,
        quiet: bool = False,
        group: bool = False,
        folder: Path | None = None,
    ) -> None:
        self._screen = screen
        self._period = print_period
        self._quiet = quiet
        self._group = group
        self._folder = folder
        self._outputs: dict[tuple[int, int], Live] = {}
        self._tries: dict[tuple[int, int], int] = {}
        self._away: set[Node] = set()
        self._slots: dict[Node, int] = {}  # How many a node has.
        self._is_broadcast = False
        self._notes: dict[type[Event], Callable[[Any], None]] = {
            events.Output: self._output_came,
            events.RunStarted: self._run_started,
            events.NodeAdded: self._node_added,
            events.NodeConnected: self._node_connected,
            events.NodeDisconnected: self._node_disconnected,
            events.AttemptStarted: self._attempt_started,
            events.AttemptEnded: self._attempt_ended,
            events.NeverStarted: self._never_started,
            events.CancelCommandEnded: self._cancel_command_ended,
        }

    def __call__(self, event: Event) -> None:
        self._notes.get(type(event), self._say_of)(event)

    def say(self, message: str, *, alarming: bool = False) -> None:
        """Write a message of our own; one that is `alarming` stands out."""
        lines = harmless(message).split("\n")
        if alarming:
            lines = self._screen.alarming(lines, on_err=True)
        self._screen.err(lines, OURS)

    def release(self) -> None:
        """Show what is held of jobs that have not ended; what they still write is shown at once."""
        self._group = False
        for output in [*self._outputs.values()]:
            output.release()

    def _say_of(self, event: Event) -> None:
        """Say what there is to be said of an event; most events say nothing."""
        if (text := message(event)) and (is_trouble(event) or not self._quiet):
            self.say(text)

    def _run_started(self, event: events.RunStarted) -> None:
        self._is_broadcast = event.mode == "broadcast"
        self._screen.colours.assign(node.label for node in event.nodes)

    def _node_added(self, event: events.NodeAdded) -> None:
        self._screen.colours.assign([event.node.label])
        if self._is_broadcast:
            self.say(f"{message(event)} (what ran before is not run there)")
        else:
            self._say_of(event)

    def _node_connected(self, event: events.NodeConnected) -> None:
        node, slots = event.node, event.slots
        self._slots[node] = len(slots)
        if self._quiet and node not in self._away:
            return
        self._away.discard(node)
        how = "runs here, without SSH" if node.host.is_local else "connected"
        if slots.variable:
            how = f"{how}, {count(len(slots), 'GPU')}"
        elif len(slots) != 1:
            how = f"{how}, {count(len(slots), 'slot')}"
        self._screen.err([how], node.label)

    def _node_disconnected(self, event: events.NodeDisconnected) -> None:
        self._away.add(event.node)
        self.say(message(event))

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        attempt = event.attempt
        if attempt.repeats:
            before = self._tries.get((attempt.job.id, attempt.repeats), 1)
            self._tries[attempt.key] = before + 1
        if not self._quiet:
            self._output(attempt).frame(self._begun(attempt))

    def _output_came(self, event: events.Output) -> None:
        if not self._quiet:
            self._output(event.attempt).feed(event.stream, event.data)

    def _attempt_ended(self, event: events.AttemptEnded) -> None:
        self._end(
            event.attempt, f"done ({harmless(str(event.ending))})", succeeded=event.ending.succeeded
        )

    def _never_started(self, event: events.NeverStarted) -> None:
        self._end(event.attempt, f"not started ({harmless(event.error.problem)})", succeeded=False)

    def _cancel_command_ended(self, event: events.CancelCommandEnded) -> None:
        self._close(event.attempt, [])
        if not self._quiet or is_trouble(event):
            self.say(message(event))

    def _output(self, attempt: Attempt) -> Live:
        """Return what takes the output of an attempt, from now on if not already."""
        if (output := self._outputs.get(attempt.key)) is not None:
            return output
        whose = attempt.node.label, f"job {attempt.job.id}" if self._has_others(attempt) else ""
        screen, period = self._screen, self._period
        new = Grouped(screen, whose, period, self._folder) if self._group else None
        return self._outputs.setdefault(attempt.key, new or Live(screen, whose, period))

    def _has_others(self, attempt: Attempt) -> bool:
        """Whether other jobs may run beside one, so that its node alone does not say whose line.

        On a node of one slot, these are the jobs that need none. A broadcast has one at a time.
        """
        if self._is_broadcast:
            return False
        return not attempt.slots or self._slots.get(attempt.node, 1) != 1

    def _end(self, attempt: Attempt, text: str, *, succeeded: bool) -> None:
        lines = self._frame(attempt, text)
        if not succeeded:
            lines = self._screen.alarming(lines)
        if not self._quiet:
            self._close(attempt, lines)
        elif not succeeded:  # Nothing has told yet that it was run.
            self._close(attempt, self._begun(attempt) + lines)

    def _close(self, attempt: Attempt, lines: list[str]) -> None:
        """Show what is left of an attempt's output, and the lines below it."""
        output = self._output(attempt)
        output.finish()
        output.frame(lines)
        output.release()
        self._outputs.pop(attempt.key, None)

    def _begun(self, attempt: Attempt) -> list[str]:
        return self._frame(attempt, f"run '{attempt.command}'")

    def _frame(self, attempt: Attempt, text: str) -> list[str]:
        # What the original prints, and behind it what it does not know.
        about = [f"job {attempt.job.id}"] if attempt.job.id else []
        if self._has_others(attempt):
            about.append(_slots(attempt))
        if attempt.repeats:
            about.append(f"try {self._tries.get(attempt.key, 2)}")
        end = f" ({', '.join(about)})" if about else ""
        return [harmless(line) for line in LINE_END.split(f"=== {text} ==={end}")]


def _slots(attempt: Attempt) -> str:
    """Return which slots of its node an attempt has: `slot 3`, `slots 0,1`, or `no slot`."""
    number = len(attempt.slots)
    return f"{'slot' if number == 1 else 'slots'} {attempt.slots}" if number else "no slot"
