"""A run for programs: one event an object, one object a line, and nothing else on stdout.

docs/json.md describes the objects. Their `VERSION` stands in the first one, and grows when a
reader of the old ones would be misled; events and fields may be added without.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from json.encoder import encode_basestring_ascii  # What `_encode` does with a text, and no more.
from typing import Any, TextIO

from pegasus import events
from pegasus.events import Event, Stream
from pegasus.journal.describing import Description, describe, name_fields
from pegasus.journal.records import now, record
from pegasus.model import Attempt
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.statistics import Statistics
from pegasus.terminal.jsonevents import summary, told
from pegasus.terminal.lines.sequences import harmless
from pegasus.terminal.lines.thinning import EveryNth
from pegasus.terminal.lines.verbatim import VerbatimSplitter
from pegasus.terminal.messages import message as message_of
from pegasus.terminal.screen import OURS, Screen, write

VERSION = 1
OUTPUT = "output"

# Pure ASCII: it is the same in every locale, and no terminal obeys anything in it.
_encode = json.JSONEncoder().encode


class JsonDisplay:
    """A `pegasus.terminal.display.Display` for programs. Any thread may use it.

    The first line is the run's beginning, and the last one its end. What is for people alone goes
    to stderr, as text.

    Args:
        settings: of the run.
        statistics: hears of each event before this does.
        out, err: where to write, instead of stdout and stderr.
    """

    def __init__(
        self,
        settings: Settings,
        statistics: Statistics,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self._screen = Screen(out, err)
        self._statistics = statistics
        self._period = 0 if settings.quiet else settings.print_period
        self._attempts: dict[tuple[int, int], _Attempt] = {}
        self._run = ""  # Until it has begun.
        self._end: Description | None = None
        self._lock = threading.Lock()  # Guards what follows.
        self._out: TextIO | None = out or sys.stdout  # Until the last line, or nobody reads.
        self._notes: dict[type[Event], Callable[[Any], None]] = {
            events.Output: self._output,
            events.RunStarted: self._run_started,
            events.RunEnded: self._run_ended,
            events.RunDied: self._run_died,
            events.LockAwaited: self._lock_awaited,
            events.AttemptStarted: self._attempt_started,
            events.AttemptEnded: self._attempt_ended,
            events.NeverStarted: self._attempt_over,
            events.CancelCommandEnded: self._attempt_over,
        }

    def __call__(self, event: Event) -> None:
        self._notes.get(type(event), self._tell)(event)

    def say(self, message: str) -> None:
        self._screen.err(harmless(message).split("\n"), OURS)

    def end(self, result: RunResult) -> None:
        """Write what is left: output of what still runs, the summary, and the end of the run."""
        if not self._run:
            return  # It was interrupted before it began.
        for attempt in [*self._attempts.values()]:
            self._write(attempt.finish())
        last = [summary(result, self._statistics.times())]
        last += [self._end] if self._end else []
        self._write([_encode(one.record(self._run)) for one in last], is_last=True)

    def _run_started(self, event: events.RunStarted) -> None:
        self._run = event.run
        beginning = describe(event)
        fields = {"version": VERSION, **beginning.fields}
        self._write([_encode(record(beginning.event, event.run, **fields))])

    def _run_ended(self, event: events.RunEnded) -> None:
        self._end = describe(event)  # The last of all lines.

    def _run_died(self, event: events.RunDied) -> None:
        self._tell(event, run=event.run)  # As in the journal: the run that it is about.

    def _lock_awaited(self, event: events.LockAwaited) -> None:
        if self._run:
            self._tell(event)
        else:
            self.say(message_of(event))

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        self._of(event.attempt).started = self._tell(event)

    def _output(self, event: events.Output) -> None:
        self._write(self._of(event.attempt).feed(event.stream, event.data))

    def _attempt_ended(self, event: events.AttemptEnded) -> None:
        attempt = self._close(event.attempt)
        out, err = (attempt.sizes[stream] for stream in (Stream.STDOUT, Stream.STDERR))
        self._tell(event, started=attempt.started, stdout=out, stderr=err)

    def _attempt_over(self, event: events.NeverStarted | events.CancelCommandEnded) -> None:
        self._close(event.attempt)
        self._tell(event)

    def _of(self, attempt: Attempt) -> _Attempt:
        known = self._attempts.get(attempt.key)
        return known or self._attempts.setdefault(attempt.key, self._new(attempt))

    def _new(self, attempt: Attempt) -> _Attempt:
        return _Attempt(self._run, attempt, self._period)

    def _close(self, attempt: Attempt) -> _Attempt:
        """Write what is left of the output of an attempt, and forget it."""
        known = self._attempts.pop(attempt.key, None) or self._new(attempt)
        self._write(known.finish())
        return known

    def _tell(self, event: Event, run: str | None = None, **measured: Any) -> str:
        """Write an event, and return the time that stands in it."""
        description = told(event, **measured)
        if description is None:
            return ""
        one = description.record(self._run if run is None else run)
        self._write([_encode(one)])
        return str(one["at"])

    def _write(self, lines: list[str], *, is_last: bool = False) -> None:
        """Write lines to stdout, whole and in one go; not through a screen, which would fit them.

        A run goes on without its reader.
        """
        if not lines:
            return
        with self._lock:
            lost = write(self._out, lines)
            if lost or is_last:
                self._out = None
        if lost:
            self.say(f"stdout can't be written to ({lost}); jobs go on without it")


class _Attempt:
    """What is known of an attempt: when it started, and its output so far.

    Attributes:
        started: when, or "".
        sizes: how many bytes it has written.
    """

    def __init__(self, run: str, attempt: Attempt, period: int) -> None:
        self.started = ""
        self.sizes = dict.fromkeys(Stream, 0)
        job, number = attempt.key
        name = name_fields(attempt.node)
        #: What is the same in all lines of an attempt's output.
        self._same = _encode({"run": run, "job": job, "attempt": number, **name})[1:-1]
        self._splitters = {stream: VerbatimSplitter() for stream in Stream}
        self._passing = {stream: EveryNth(period) for stream in Stream}

    def feed(self, stream: Stream, data: bytes) -> list[str]:
        """Take output; return the JSON lines that it completes."""
        self.sizes[stream] += len(data)
        if not self._passing[stream].period:
            return []
        return self._encoded(stream, self._splitters[stream].feed(data))

    def finish(self) -> list[str]:
        """Return JSON lines of what is left, as nothing follows."""
        return [
            line
            for stream, splitter in self._splitters.items()
            for line in self._encoded(stream, splitter.finish())
        ]

    def _encoded(self, stream: Stream, texts: list[str]) -> list[str]:
        passed = self._passing[stream].of(texts)
        if not passed:
            return []
        stands = f'{self._same}, "stream": "{stream.value}"'
        head = f'{{"event": "{OUTPUT}", "at": "{now()}", {stands}, "text": '
        return [f"{head}{encode_basestring_ascii(text)}}}" for text in passed]
