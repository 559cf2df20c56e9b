"""Say how things stand in a queue: what runs, what is left, what came of the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pegasus.errors import PegasusError, SettingsError
from pegasus.files.queuefile import QueueFile, Signature
from pegasus.inputs import history_of
from pegasus.journal.history import History
from pegasus.journal.standing import Queue, Standing
from pegasus.settings import Settings
from pegasus.terminal.errands import status as terminal

#: How often it is looked again, in seconds.
PERIOD = 1.0
#: A queue that takes long to be counted is counted less often: this many times as long passes.
PATIENCE = 10


def status(settings: Settings, *, as_json: bool = False, watch: bool = False) -> None:
    """Show how things stand. No run is asked, no lock is taken, and nothing is changed.

    Args:
        settings: which queue file.
        as_json: show it as JSON.
        watch: show it again and again, until somebody interrupts it.

    Raises:
        SettingsError: it is to be watched, and JSON.
        JournalError: the journal is of another version.
        StorageError: it can't be read, or stdout can't be written to.
    """
    if as_json and watch:
        raise SettingsError("--json writes one document, and --watch many texts; choose one")
    counter = _Counter(settings)
    standings = _standings(history_of(counter.lock), counter)
    if not watch:
        terminal.show(next(standings), as_json=as_json)
        return
    terminal.watch(standings)


class _Counter:
    """Counts the jobs of the queue file, and again when it has changed."""

    def __init__(self, settings: Settings) -> None:
        self._file = QueueFile(Path(settings.queue_file), settings.consumed_path)
        self.lock = self._file.lock
        self._last: Queue | None = None
        self._signature: Signature | None = None
        self._next = 0.0

    def count(self) -> Queue:
        """Return what stands in the queue file."""
        if self._last and (self._is_unchanged() or time.monotonic() < self._next):
            return self._last
        begun = time.monotonic()
        self._last = self._count()
        self._next = begun + (1 + PATIENCE) * (time.monotonic() - begun)
        return self._last

    def _is_unchanged(self) -> bool:
        with suppress(PegasusError):
            return not self._file.changed_since(self._signature)
        return False

    def _count(self) -> Queue:
        problems: list[PegasusError] = []
        jobs: int | None = 0
        try:
            self._signature = self._file.signature()
            groups = self._file.alike(problems.append)
            jobs = sum(len(alike) * next(iter(alike)).size for alike in groups)
        except PegasusError as error:
            problems.append(error)
            jobs = None
        more = f" (and {len(problems) - 1} more: inv check lists them)" if problems[1:] else ""
        return Queue(str(self._file.path), jobs, f"{problems[0]}{more}" if problems else "")


def _standings(history: History, counter: _Counter) -> Iterator[Standing]:
    """Yield how things stand, again and again; the same one while nothing has changed."""
    standing: Standing | None = None
    while True:
        is_new, queue = history.catch_up(), counter.count()
        if standing is None or is_new or queue != standing.queue:
            standing = Standing.of(history, queue)
        yield standing
        time.sleep(PERIOD)
