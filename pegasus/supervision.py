"""What the runs of both modes have in common: their files, who listens, and who may end them."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol

from pegasus.checking import check_queue
from pegasus.control.lease import is_alive
from pegasus.control.record import Record
from pegasus.control.server import Control
from pegasus.errors import PegasusError, StorageError
from pegasus.events import Event, LockAwaited, RunDied, RunEnded, Sink
from pegasus.helpers.registry import REGISTRY
from pegasus.hooks.checks import check as check_hooks
from pegasus.hooks.sink import Hooks
from pegasus.inputs import (
    Choice,
    check_consumed,
    check_names,
    defaults,
    load_nodes,
    open_queue,
    runs_folder,
)
from pegasus.interrupts import Interrupts
from pegasus.interrupts import Mode as Interruptible
from pegasus.journal.file import Journal
from pegasus.journal.logs import Logs
from pegasus.journal.pruning import Keep, Pruner
from pegasus.journal.recorder import Recorder
from pegasus.lint import Linter
from pegasus.model import Attempt, Job, Node
from pegasus.modes.feed import Feed
from pegasus.registration import Registration
from pegasus.result import RunResult
from pegasus.roster import Roster
from pegasus.settings import Settings
from pegasus.statistics import Statistics
from pegasus.terminal.display import display

#: What goes away by itself, or when somebody makes room.
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: How often a run that can't begin on a full disk tries again, in seconds.
RETRY = 0.5


class _Mode(Interruptible, Protocol):
    def cancel_job(self, number: int, /) -> bool: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def drain_nodes(self, expression: str, /) -> list[Node]: ...
    def undrain_nodes(self, expression: str, /) -> list[Node]: ...


class Run:
    """What both modes begin with: checked files, somebody who listens, and who can end it.

    Attributes:
        nodes: those that it begins with.
        feed: where jobs come from.
        roster: watches hosts.yaml.
    """

    def __init__(self, settings: Settings, listeners: Iterable[Sink], name: str) -> None:
        self.result = RunResult(exit_code=settings.exit_code)
        self.options = defaults(settings)
        self._name = name
        self._interrupts = Interrupts()
        self._lock = threading.Lock()  # Guards the next two.
        self._mode: _Mode | None = None
        self._is_paused = False
        self._settings = settings
        REGISTRY.use(settings.helpers)
        check_names(settings)
        check_consumed(settings)
        choice = Choice(settings)
        self.nodes = load_nodes(settings, choice)
        self._record = Record.of_this_process(name)
        self._queue_file = open_queue(settings, self.nodes, self._record.id)
        self._journal = Journal(self._queue_file.lock.folder)
        self._folder = runs_folder(self._queue_file.lock)
        self._registration = Registration(self._folder, self._record, self._journal)
        statistics = Statistics()
        self._display = display(settings, statistics, self._journal.folder)
        self.recorder, self._pruner = self._keep_records()
        # What is shown is in the journal already, and counted.
        sinks = (self.result, self.recorder, self._pruner, statistics, self._display)
        self._hooks = Hooks(settings, self.result, self._journal.folder, self._display.say)
        self._sinks: list[Sink] = [*sinks, self._hooks, *listeners]
        self.feed = Feed(self._queue_file, self.emit, f"inv {name}")
        self.roster = Roster(
            choice,
            self.nodes,
            self._queue_file,
            self.emit,
            linter=partial(Linter, allocation=settings.allocation),
            relint=self.feed.lint_with,
        )

    def _keep_records(self) -> tuple[Recorder, Pruner]:
        folder, say = self._journal.folder, self._display.say
        keep = Keep(*self._settings.kept_logs)
        pruner = Pruner(folder, keep, lambda run: is_alive(self._folder, run), say)
        return Recorder(self._journal, self._record.id, Logs(folder), say), pruner

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)

    def supervise(self, mode: _Mode) -> RunResult:
        """Run `mode` until it ends or is told to; say what it came to, and return that."""
        try:
            with Control(self._folder, self._record, self, self._display.say), self._registered():
                self._begin(mode)
                with self._pruner, self._interrupts:
                    try:
                        self._interrupts.supervise(mode)
                    finally:
                        self.result.interrupted = self._interrupts.received
                        self.emit(self._end())
                        self._display.end(self.result)
        finally:
            # What they run finds this run over: it may begin the next one.
            self._hooks.finish()
        return self.result

    def _begin(self, mode: _Mode) -> None:
        """Have others reach the mode; it begins paused if somebody has said so before."""
        with self._lock:
            self._mode = mode
            if self._is_paused:
                mode.pause()

    @contextlib.contextmanager
    def _registered(self) -> Iterator[None]:
        """Be known to other runs; what is wrong is said before, and nothing is contacted then."""
        try:
            self._register()
            yield
        finally:
            self.recorder.close()
            self._leave()

    def _register(self) -> None:
        """Enter among the runs, and say which of them have died; on a full disk, wait for room."""
        is_told = False
        while not self._interrupts.is_pending:
            try:
                died = self._enter()
            except StorageError as error:
                if error.errno not in _FULL:
                    raise
                if not is_told:
                    self._display.say(f"{error}\nthe run begins when there is room")
                is_told = True
                time.sleep(RETRY)
                continue
            if died is None:
                return
            self.emit(self._registration.beginning(self._settings, self.nodes))
            for notice in self._registration.notices:
                self._display.say(notice)
            for run, jobs in died.items():
                self.emit(RunDied(run, tuple(jobs)))
            return

    def _enter(self) -> dict[str, list[Job]] | None:
        """Enter among the runs, unless told to end before; return the jobs that dead ones left."""
        lock = self._queue_file.lock
        is_held = lock.acquire(
            f"inv {self._name}",
            lambda holder: self.emit(LockAwaited(str(holder))),
            stop=lambda: self._interrupts.is_pending,
        )
        if not is_held:
            return None
        try:
            checked = check_queue(self.nodes, self._queue_file, self._settings.allocation)
            checked.require()
            check_hooks(self._settings, self.nodes, checked.entries)
            self._queue_file.settle()
            return self._registration.enter(self._settings, self.nodes)
        finally:
            lock.release()

    def _leave(self) -> None:
        try:
            self._registration.leave(self.result.exit_status, self.result.interrupted)
        except PegasusError as error:
            self._display.say(f"{error}\nthe journal does not say how this run has ended")

    def _end(self) -> RunEnded:
        return RunEnded(self._record.id, self.result.exit_status, self.result.interrupted)

    # What other threads ask for: a run is a `pegasus.control.server.Run`.

    def drain(self) -> None:
        self._interrupts.drain()

    def cancel(self) -> None:
        self._interrupts.cancel()

    def cancel_job(self, number: int, /) -> bool:
        return self._mode is not None and self._mode.cancel_job(number)

    def running(self) -> list[Attempt]:
        return self.result.left

    def pause(self) -> bool:
        return self._set_paused(True)

    def resume(self) -> bool:
        return self._set_paused(False)

    def drain_nodes(self, expression: str, /) -> list[Node]:
        return self._begun().drain_nodes(expression)

    def undrain_nodes(self, expression: str, /) -> list[Node]:
        return self._begun().undrain_nodes(expression)

    def _set_paused(self, is_paused: bool) -> bool:
        """Have it paused or not; return whether that was not so before."""
        with self._lock:
            if self._is_paused == is_paused:
                return False
            self._is_paused = is_paused
            if self._mode is not None:
                (self._mode.pause if is_paused else self._mode.resume)()
            return True

    def _begun(self) -> _Mode:
        """Return the mode that runs.

        Raises:
            ValueError: it has not begun.
        """
        with self._lock:
            if self._mode is None:
                raise ValueError("it waits for the queue file, and has no node yet; ask it later")
            return self._mode
