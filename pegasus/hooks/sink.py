"""The hooks of a run: an event sink that has them called, and the end that waits for them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pegasus.events import (
    AttemptEnded,
    Event,
    JobsTaken,
    QueueCounted,
    RunEnded,
    RunStarted,
)
from pegasus.hooks import facts
from pegasus.hooks.caller import Caller, Failures
from pegasus.hooks.calls import GRACE, LIMIT, CommandCall, FunctionCall, Say
from pegasus.hooks.facts import Facts
from pegasus.interrupts import Interrupts, is_at_terminal
from pegasus.model import Attempt, Ending, Outcome
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.terminal.words import count

#: How long the end of a run waits for hooks that were called before, in seconds.
PATIENCE = 30.0
#: After how long it says so, in seconds.
QUIETLY = 1.0


class Hooks:
    """Calls the hooks of a run as its events come, in a thread of its own.

    Args:
        settings: of the run; they say what the hooks are.
        result: what the run comes to; it hears of each event before this does.
        folder: where the journal and the logs are.
        say: where to tell what went wrong, and what commands write.
    """

    def __init__(self, settings: Settings, result: RunResult, folder: Path, say: Say) -> None:
        self._settings = settings
        self._result = result
        self._folder = folder
        self._say = say
        self._failures = Failures(say)
        self._caller = Caller(say, self._failures.tell)
        self._run: RunStarted | None = None
        self._began = 0.0
        self._queued: int | None = None
        self._is_filled = False  # Whether the queue has had a job since it was empty.
        self._failed: set[tuple[int, int]] = set()
        self._last: Callable[[], Facts] | None = None  # What `on_finish` is told, in the end.
        self._is_left = False
        self._interrupts: Interrupts | None = None

    def __call__(self, event: Event) -> None:
        """Take notice of an event: this is an event sink."""
        if isinstance(event, AttemptEnded):
            if not event.again:
                self._fail(event.attempt, event.ending)
        elif isinstance(event, JobsTaken):
            self._is_filled = True
        elif isinstance(event, QueueCounted):
            self._count(event.jobs)
        elif isinstance(event, RunStarted):
            self._run, self._began = event, time.monotonic()
        elif isinstance(event, RunEnded):
            self._end(event)

    def finish(self) -> None:
        """Wait for hooks that were called, and call `on_finish`; the run is over by now.

        A signal ends the waiting, but for SIGHUP.
        """
        if self._has_last or self._caller.pending:
            with Interrupts() as self._interrupts:
                self._interrupts.supervise(self)
        self._failures.sum_up()

    # What is done while the end waits: this is a `pegasus.interrupts.Mode`.

    def run(self) -> None:
        """Wait for what was called, then call `on_finish` and wait for that."""
        # Who has left commands running does not want to wait for long.
        self._settle(QUIETLY if self._result.running else PATIENCE)
        if self._has_last and self._last:
            # Not behind a function that does not return.
            self._caller = Caller(self._say, self._failures.tell)
            self._call("on_finish", self._last, (self._result,))
            self._settle(LIMIT + 3 * GRACE)

    def drain(self) -> None:
        """End the waiting; not when a terminal is closed, as nobody means it like that."""
        if self._interrupts is None or self._interrupts.received != signal.SIGHUP:
            self.cancel()

    def cancel(self) -> None:
        """End the waiting."""
        self._is_left = True
        self._caller.give_up()

    @property
    def _has_last(self) -> bool:
        return bool(self._last and self._settings.on_finish and not self._is_left)

    def _settle(self, patience: float) -> None:
        """Wait for the calls that are made or wait; give up those that take too long."""
        patience = 0 if self._is_left else patience
        begun = time.monotonic()
        if not self._caller.wait(min(QUIETLY, patience)) and patience > QUIETLY:
            how = " (Ctrl-C leaves)" if is_at_terminal() else ""
            self._say(f"waiting for {', '.join(self._caller.pending)}{how}")
            self._caller.wait(max(0.0, begun + patience - time.monotonic()))
        self._caller.give_up()
        if not self._caller.join(3 * GRACE):
            self._say(f"{', '.join(self._caller.pending)} does not return, and is left")
        if forgotten := self._caller.forgotten:
            were = "was" if forgotten == 1 else "were"
            self._say(f"{count(forgotten, 'call')} of hooks {were} not made any more")

    def _count(self, jobs: int) -> None:
        self._queued = jobs
        if jobs:
            self._is_filled = True
        elif self._is_filled and self._run:
            self._is_filled = False
            self._call("on_empty", self._progress(self._run), ())

    def _fail(self, attempt: Attempt, ending: Ending) -> None:
        """Call the hook for an attempt that counts; not for what somebody has cancelled."""
        if ending.outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED) or not self._run:
            return
        self._failed.add(attempt.key)
        file = self._settings.queue_file
        told = partial(facts.of_failure, self._run, file, self._folder, attempt, ending)
        self._call("on_fail", told, (attempt, ending), f"for job {attempt.job.id}")

    def _end(self, event: RunEnded) -> None:
        """Note how the run ended; what was to be run again then, and was not, has failed."""
        if self._run is None:
            return
        for attempt, ending in self._result.failed:
            if attempt.key not in self._failed:
                self._fail(attempt, ending)
        progress = self._progress(self._run)
        self._last = lambda: facts.of_end(progress(), event.exit_status, event.interrupted)

    def _progress(self, run: RunStarted) -> Callable[[], Facts]:
        file, elapsed = self._settings.queue_file, time.monotonic() - self._began
        return partial(facts.of_progress, run, file, self._result, self._queued, elapsed)

    def _call(
        self, name: str, told: Callable[[], Facts], arguments: tuple[object, ...], about: str = ""
    ) -> None:
        hook = getattr(self._settings, name)
        if callable(hook):
            self._caller.add(FunctionCall(name, hook, arguments, about))
        elif hook:
            self._caller.add(CommandCall(name, hook, told(), self._say, about))
