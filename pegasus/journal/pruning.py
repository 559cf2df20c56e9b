"""Removes logs that are too old, or too many, while runs go on."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pegasus.errors import PegasusError
from pegasus.events import AttemptEnded, Event
from pegasus.journal.file import JournalReader
from pegasus.journal.logs import Key, key_of, logs_folder
from pegasus.journal.records import (
    ATTEMPT_ENDED,
    ATTEMPT_STARTED,
    NEVER_STARTED,
    RUN_DIED,
    RUN_ENDED,
)
from pegasus.storage import failure

#: How much time is between two prunings of a run, in seconds.
EVERY = 60.0

#: How long the end of a run waits for the last one, in seconds.
PATIENCE = 5.0


@dataclass(frozen=True)
class Keep:
    """Which logs are kept of attempts that have ended; None sets no limit.

    Attributes:
        count: the logs of how many attempts, those that ended last.
        age: for how many seconds after the end.
    """

    count: int | None = None
    age: float | None = None


class RunningAttempts:
    """Finds out which attempts are running, in whatever run. One thread uses it.

    Args:
        folder: `.pegasus/<queue file name>`.
        is_alive: says of the id of a run whether it lives.
    """

    def __init__(self, folder: Path, is_alive: Callable[[str], bool]) -> None:
        events = (ATTEMPT_STARTED, ATTEMPT_ENDED, NEVER_STARTED, RUN_ENDED, RUN_DIED)
        self._reader = JournalReader(folder, *events)
        self._is_alive = is_alive
        self._open: defaultdict[str, set[Key]] = defaultdict(set)

    def now(self) -> set[Key]:
        """Return those that have started and not ended, of runs that live.

        Raises:
            StorageError: the journal can't be read.
            JournalError: it is of another version.
        """
        if self._reader.begins_anew():
            self._open.clear()
        for record in self._reader.read():
            with contextlib.suppress(LookupError, TypeError, ValueError):  # A broken one.
                self._note(record)
        alive = [keys for run, keys in self._open.items() if keys and self._is_alive(run)]
        return set().union(*alive)

    def _note(self, record: dict[str, Any]) -> None:
        event, run = record["event"], str(record["run"])
        if event in (RUN_ENDED, RUN_DIED):
            self._open.pop(run, None)
            return
        key = int(record["job"]), int(record["attempt"])
        if event == ATTEMPT_STARTED:
            self._open[run].add(key)
        else:
            self._open[run].discard(key)


def prune(folder: Path, keep: Keep, running: Callable[[], Collection[Key]]) -> None:
    """Remove the logs that are not to be kept. What has no name of a log is never touched.

    Args:
        folder: `.pegasus/<queue file name>`.
        running: returns the attempts whose logs must stay. It is asked once it is known which
            logs there are: an attempt is on record before it has a log, so that none is missed.

    Raises:
        StorageError: one can't be removed; the others are.
        PegasusError: what `running` raises; nothing was removed.
    """
    found = _ended_by_log(folder)
    kept = running()
    ended = {key: log for key, log in found.items() if key not in kept}
    problem: OSError | None = None
    for key in _surplus(ended, keep):
        for path in ended[key].paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                problem = error
    if problem:
        raise failure(logs_folder(folder), "pruned", problem) from problem


class _Found(NamedTuple):
    """The logs of an attempt: both, as far as they are there, and when the last was written."""

    paths: list[Path]
    modified: float


def _ended_by_log(folder: Path) -> dict[Key, _Found]:
    found: dict[Key, _Found] = {}
    try:
        entries = [*os.scandir(logs_folder(folder))]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise failure(logs_folder(folder), "read", error) from error
    for entry in entries:
        key = key_of(entry.name)
        if key and not entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(OSError):  # Somebody else has removed it.
                modified = entry.stat(follow_symlinks=False).st_mtime
                before = found.get(key, _Found([], modified))
                latest = max(before.modified, modified)
                found[key] = _Found([*before.paths, Path(entry.path)], latest)
    return found


def _surplus(found: dict[Key, _Found], keep: Keep) -> list[Key]:
    """Return the attempts whose logs are not to be kept."""
    newest = sorted(found, key=lambda key: (found[key].modified, key), reverse=True)
    since = float("-inf") if keep.age is None else time.time() - keep.age
    return [
        key
        for place, key in enumerate(newest)
        if (keep.count is not None and place >= keep.count) or found[key].modified < since
    ]


class Pruner:
    """Prunes logs in a thread of its own: at a run's beginning, now and then, and at its end.

    It is an event sink. Use it in a `with` block.

    Args:
        folder: `.pegasus/<queue file name>`.
        keep: what is kept.
        is_alive: says of the id of a run whether it lives.
        tell: takes a message for people; it is called once, if logs can't be pruned.
    """

    def __init__(
        self,
        folder: Path,
        keep: Keep,
        is_alive: Callable[[str], bool],
        tell: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._running = RunningAttempts(folder, is_alive)
        self._tell = tell
        self._is_due = threading.Event()
        self._is_over = threading.Event()
        self._has_told = False
        self._thread = threading.Thread(target=self._work, name="pegasus-pruner", daemon=True)

    def __call__(self, event: Event) -> None:
        """Take notice of an event."""
        if isinstance(event, AttemptEnded):
            self._is_due.set()

    def __enter__(self) -> Pruner:
        """Begin; nothing is done where all is kept."""
        if self._keep != Keep():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Prune a last time."""
        if self._thread.ident is not None:
            self._is_over.set()
            self._is_due.set()
            self._thread.join(PATIENCE)

    def _work(self) -> None:
        while not self._is_over.is_set():
            self._prune()
            self._is_over.wait(EVERY)
            self._is_due.wait()
            self._is_due.clear()
        self._prune()

    def _prune(self) -> None:
        try:
            prune(self._folder, self._keep, self._running.now)
        except PegasusError as error:
            if not self._has_told:
                self._has_told = True
                self._tell(f"{error}\nold logs stay; jobs go on")
