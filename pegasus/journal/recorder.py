"""Writes down what happens in a run: an event sink that fills the journal and the logs.

What runs is worth more than what is known of it: a disk that is full holds up no running job. What
can't be written waits in memory, in its order. But nothing *begins* that is not written down, since
after a crash nobody would know of it.

Records are written by whoever has them, and with them those of others that have come meanwhile. An
announcement is not waited for while another thread is writing: that one takes it along.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pegasus import events
from pegasus.errors import PegasusError
from pegasus.events import Event
from pegasus.journal.describing import describe
from pegasus.journal.file import Journal
from pegasus.journal.logs import RETRY, Key, Logs
from pegasus.journal.records import Record
from pegasus.journal.runlogs import RunLogs
from pegasus.journal.trouble import Trouble
from pegasus.model import Attempt

#: Events that are written down without more.
_AS_THEY_ARE: tuple[type[Event], ...] = (
    events.NodeConnected,
    events.NodeUnreachable,
    events.NodeDisconnected,
    events.NodeLost,
    events.NodeAdded,
    events.NodeDrained,
    events.NodeUndrained,
    events.JobsUnfit,
    events.Paused,
    events.Resumed,
)


class Recorder:
    """Records the nodes and attempts of one run. Any thread may use it.

    It takes events, of which those of an attempt come one at a time; and it is a
    `pegasus.modes.attempts.Keeper`.

    Args:
        journal: of the queue file.
        run: the id of the run.
        logs: of the queue file.
        tell: takes a message for people.
    """

    def __init__(self, journal: Journal, run: str, logs: Logs, tell: Callable[[str], None]) -> None:
        self._journal = journal
        self._run = run
        self._tell = tell
        self._trouble = Trouble(tell, self.flush)
        self._logs = RunLogs(logs, self._trouble)
        self._started: dict[Key, str] = {}  # Since when the attempts are on record.
        self._pending: deque[Record] = deque()  # Any thread adds to it, the one that writes takes.
        self._writing = threading.Lock()  # Guards what follows, and the order of the records.
        self._error: PegasusError | None = None
        self._retry_at = 0.0
        self._notes: dict[type[Event], Callable[[Any], None]] = {
            events.Output: self._output,
            events.AttemptStarted: self._attempt_started,
            events.AttemptAnnounced: self._attempt_announced,
            events.AttemptEnded: self._attempt_ended,
            events.NeverStarted: self._never_started,
            events.CancelCommandEnded: self._cancel_command_ended,
            **dict.fromkeys(_AS_THEY_ARE, self._note),
        }

    def note_starts(self, attempts: Sequence[Attempt]) -> None:
        """Have the starts of attempts in the journal, if that can be done now; see `begin`."""
        with contextlib.suppress(PegasusError):
            self._start(attempts)

    def begin(self, attempt: Attempt) -> None:
        """Have the start of an attempt in the journal, and its logs open.

        Raises:
            PegasusError: that can't be done now, as people have been told. What was done stays
                done: ask again.
        """
        # First of all: who prunes logs sees from the journal whose attempts are running.
        self._start([attempt])
        self._logs.open(attempt.key)

    def __call__(self, event: Event) -> None:
        """Take notice of an event, if it is one that is recorded."""
        note = self._notes.get(type(event))
        if note:
            note(event)

    def flush(self) -> None:
        """Try again to write what could not be written."""
        with self._writing:
            if self._pending:
                self._try()
        self._write_unless_busy()
        self._logs.flush()

    def close(self) -> None:
        """Try a last time, have all of it on the disk, and say what is missing."""
        self._trouble.close()
        unlogged = self._logs.close()
        with self._writing:
            missing = len(self._pending)
            try:
                self._journal.append(*self._pending, sync=True)
            except PegasusError as error:
                lines = [str(error)]
                if missing:
                    lines.append(f"records of this run that are missing in the journal: {missing}")
                self._tell("\n".join(lines))
            else:
                self._pending.clear()
                self._trouble.ends(self)
        if unlogged:
            self._tell(
                f"{unlogged} bytes of output could not be kept in the logs"
                " (the journal says of which attempts: unlogged)"
            )

    def _output(self, event: events.Output) -> None:
        self._logs.write(event.attempt.key, event.stream, event.data)

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        key = event.attempt.key
        if key not in self._started:  # It could not begin, and is not to any more.
            started = self._record(event)
            self._started[key] = started["at"]
            self._write(started)

    def _attempt_ended(self, event: events.AttemptEnded) -> None:
        key = event.attempt.key
        amounts = self._logs.end(key)
        self._note(
            event,
            started=self._started.pop(key, ""),
            stdout=amounts.stdout,
            stderr=amounts.stderr,
            unlogged=amounts.missing,
        )

    def _never_started(self, event: events.NeverStarted) -> None:
        self._logs.end(event.attempt.key)
        self._started.pop(event.attempt.key, None)
        self._note(event)

    def _cancel_command_ended(self, event: events.CancelCommandEnded) -> None:
        self._logs.end(event.attempt.key)
        self._note(event)

    def _attempt_announced(self, event: events.AttemptAnnounced) -> None:
        self._pending.append(self._record(event))
        self._write_unless_busy()

    def _note(self, event: Event, **measured: Any) -> None:
        self._write(self._record(event, **measured))

    def _record(self, event: Event, **measured: Any) -> dict[str, Any]:
        return describe(event, **measured).record(self._run)

    def _start(self, attempts: Sequence[Attempt]) -> None:
        """Add the starts of attempts that are not in the journal, and before them what waits.

        Raises:
            PegasusError: they can't be, and do not wait either.
        """
        new = [one for one in attempts if one.key not in self._started]
        if not new:
            return
        records = [self._record(events.AttemptStarted(one)) for one in new]
        with self._writing:
            error = self._try(*records)
        if error:
            raise error.with_traceback(None)
        self._started.update(
            (one.key, record["at"]) for one, record in zip(new, records, strict=True)
        )
        self._write_unless_busy()

    def _write(self, one: Record) -> None:
        """Have a record in the journal, or among those that wait since they can't be written."""
        self._pending.append(one)
        with self._writing:
            if self._pending:  # If not, another thread has written it.
                self._try()
        self._write_unless_busy()

    def _write_unless_busy(self) -> None:
        """Write what waits, unless another thread is writing: that one looks here when it has."""
        error = None
        while self._pending and not error and self._writing.acquire(blocking=False):
            try:
                error = self._try()
            finally:
                self._writing.release()

    def _try(self, *more: Record) -> PegasusError | None:
        """Write the records that wait, and more; return why that can't be done."""
        if self._error and time.monotonic() < self._retry_at:
            return self._error
        waiting = [*self._pending]
        try:
            self._journal.append(*waiting, *more)
        except PegasusError as error:
            self._error, self._retry_at = error, time.monotonic() + RETRY
            self._trouble.begins(self, error)
            return error
        for _ in waiting:
            self._pending.popleft()
        self._error = None
        self._trouble.ends(self)
        return None
