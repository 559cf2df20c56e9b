"""Prints the events of a run: output with its node in front, and our own messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import singledispatchmethod

from pegasus import events
from pegasus.events import Event, Stream
from pegasus.interrupts import is_at_terminal
from pegasus.model import Attempt
from pegasus.terminal.lines import LINE_END, LineSplitter
from pegasus.terminal.screen import Screen

#: What a terminal obeys instead of showing it; but for tabs and ends of lines.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


#: How many jobs are listed of those that a dead run has interrupted.
LISTED = 10


class _Output:
    """One stream of a running attempt: cuts it into lines and lets every Nth pass."""

    def __init__(self, period: int, write: Callable[[list[str]], None]) -> None:
        self._period = period
        self._write = write
        self._splitter = LineSplitter()
        self._count = 0

    def feed(self, data: bytes) -> None:
        self._pass(self._splitter.feed(data))

    def finish(self) -> None:
        self._pass(self._splitter.finish())

    def _pass(self, lines: list[str]) -> None:
        if not self._period or not lines:
            return
        first = (-self._count - 1) % self._period
        self._count += len(lines)
        kept = lines[first :: self._period]
        if kept:
            self._write(kept)


class Printer:
    """An event sink that writes to a screen.

    A job's stdout goes to stdout and its stderr to stderr, each line with `[node]` in front; so
    do the lines that frame a job. Our own messages go to stderr.

    Args:
        screen: where to write.
        print_period: every how many lines of each stream one is printed; 0 prints none.
    """

    def __init__(self, screen: Screen, print_period: int = 1) -> None:
        self._screen = screen
        self._period = print_period
        self._outputs: dict[tuple[tuple[int, int], Stream], _Output] = {}
        self._tries: dict[tuple[int, int], int] = {}

    def __call__(self, event: Event) -> None:
        self._show(event)

    def say(self, message: str) -> None:
        """Write a message of our own."""
        self._screen.err(f"[pegasus] {line}" for line in _harmless(message).split("\n"))

    @singledispatchmethod
    def _show(self, event: Event) -> None:
        """Show nothing: an event that has no method here is not for people."""

    @_show.register
    def _(self, event: events.Output) -> None:
        key = event.attempt.key, event.stream
        if key not in self._outputs:
            self._outputs[key] = self._open(event.attempt, event.stream)
        self._outputs[key].feed(event.data)

    def _open(self, attempt: Attempt, stream: Stream) -> _Output:
        prefix = f"[{attempt.node.label}] "
        write = self._screen.out if stream is Stream.STDOUT else self._screen.err
        return _Output(self._period, lambda lines: write(prefix + line for line in lines))

    @_show.register
    def _(self, event: events.AttemptStarted) -> None:
        attempt = event.attempt
        if attempt.repeats:
            before = self._tries.get((attempt.job.id, attempt.repeats), 1)
            self._tries[attempt.key] = before + 1
        self._frame(event.attempt, f"run '{event.attempt.command}'")

    @_show.register
    def _(self, event: events.AttemptEnded) -> None:
        self._finish(event.attempt)
        self._frame(event.attempt, f"done ({_harmless(str(event.ending))})")

    @_show.register
    def _(self, event: events.CancelCommandEnded) -> None:
        self._finish(event.attempt)
        label, number = event.attempt.node.label, event.attempt.job.id
        if event.problem:
            self.say(f"[{label}] job {number} may go on there: {event.problem}")
        else:
            self.say(f"[{label}] the cancel command of job {number} has been run")

    def _finish(self, attempt: Attempt) -> None:
        """Show what is left of an attempt's output."""
        for stream in Stream:
            output = self._outputs.pop((attempt.key, stream), None)
            if output:
                output.finish()

    def _frame(self, attempt: Attempt, text: str) -> None:
        # What the original prints, and behind it what it does not know.
        about = [f"job {attempt.job.id}"] if attempt.job.id else []
        if attempt.repeats:
            about.append(f"try {self._tries.get(attempt.key, 2)}")
        end = f" ({', '.join(about)})" if about else ""
        lines = LINE_END.split(f"=== {text} ==={end}")
        self._screen.out(f"[{attempt.node.label}] {line}" for line in lines)

    @_show.register
    def _(self, event: events.NodeConnected) -> None:
        how = "runs here, without SSH" if event.node.host.is_local else "connected"
        self._screen.err([f"[{event.node.label}] {how}"])

    @_show.register
    def _(self, event: events.NodeUnreachable) -> None:
        end = "; going on without it" if event.skipped else ""
        self.say(f"can't connect: {event.error}{end}")

    @_show.register
    def _(self, event: events.NodeDisconnected) -> None:
        self.say(f"lost: [{event.node.label}] {event.detail}; connecting again")

    @_show.register
    def _(self, event: events.NodeLost) -> None:
        self.say(f"lost: [{event.node.label}] {event.detail}")

    @_show.register
    def _(self, event: events.NeverStarted) -> None:
        self._frame(event.attempt, f"not started ({_harmless(event.error.problem)})")

    @_show.register
    def _(self, event: events.JobRequeued) -> None:
        self.say(f"back at the head of the queue: {event.job.template}")

    @_show.register
    def _(self, event: events.RunDied) -> None:
        lines = [f"  job {job.id}: {first_line(job.template)}" for job in event.interrupted]
        if not lines:
            self.say(f"run {event.run} has died; it was running no job")
            return
        head = f"run {event.run} has died, and interrupted {count(len(lines), 'job')}:"
        tail = "inv retry --interrupted puts them back into the queue"
        if len(lines) > LISTED:
            lines[LISTED:] = [f"  … and {len(lines) - LISTED} more (inv logs --failed shows them)"]
        self.say("\n".join([head, *lines, tail]))

    @_show.register
    def _(self, event: events.LockAwaited) -> None:
        self.say(f"waiting for the queue: it is locked by {event.holder}")

    @_show.register
    def _(self, event: events.QueueRefused) -> None:
        self.say(f"{event.error}\nno job is taken until this is mended; running jobs go on")

    @_show.register
    def _(self, event: events.QueueMended) -> None:
        self.say("the queue can be read again")

    @_show.register
    def _(self, event: events.Waiting) -> None:
        how = "Ctrl-C" if is_at_terminal() else "inv stop"
        self.say(f"the queue is empty; waiting for more ({how} ends)")

    @_show.register
    def _(self, event: events.Draining) -> None:
        if not event.running:
            self.say("taking no more jobs")
            return
        how = "the next Ctrl-C" if is_at_terminal() else "inv stop --now"
        running = count(event.running, "running command")
        self.say(f"taking no more jobs; waiting for {running} ({how} cancels)")

    @_show.register
    def _(self, event: events.Cancelling) -> None:
        running = count(event.running, "running command")
        self.say(f"cancelling {running}" if event.running else "ending; no command runs")

    @_show.register
    def _(self, event: events.NotBegun) -> None:
        self.say("not all nodes can be reached, so nothing is run (--skip-unreachable goes on)")

    @_show.register
    def _(self, event: events.Aborted) -> None:
        self.say("a node failed: aborting; what is left stays in the queue")


def _harmless(text: str) -> str:
    """Return a text in which others may have had a word, without control characters."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def first_line(text: str) -> str:
    """Return the first line of a text that is not blank, with `…` where there are more."""
    first, *more = [line for line in text.split("\n") if line.strip()] or [""]
    return first + (" …" if more else "")


def count(number: int, noun: str) -> str:
    """Return `3 nouns`, or `1 noun`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
