"""The logs of the attempts of one run: opened, written, tried again, and closed."""

from __future__ import annotations

import threading
from typing import NamedTuple

from pegasus.errors import PegasusError
from pegasus.events import Stream
from pegasus.journal.logs import AttemptLogs, Key, Logs
from pegasus.journal.trouble import Trouble

#: How much output is held in memory, in all, of attempts that have ended, in bytes.
HELD_LATE = 64 << 20


class Amounts(NamedTuple):
    """How many bytes of output an attempt had, and how many are not in its logs."""

    stdout: int
    stderr: int
    missing: int


class _Open:
    """The logs of an attempt; `is_over` says that it has ended, and only what is held is left."""

    def __init__(self, logs: AttemptLogs) -> None:
        self.logs = logs
        self.is_over = False
        self.lock = threading.Lock()  # Guards the logs.


class RunLogs:
    """The logs that a run writes. Any thread may use it, for an attempt one at a time.

    Args:
        logs: of the queue file.
        trouble: is told what can't be written.
    """

    def __init__(self, logs: Logs, trouble: Trouble) -> None:
        self._logs = logs
        self._trouble = trouble
        self._lock = threading.Lock()  # Guards what follows.
        self._open: dict[Key, _Open] = {}
        self._missing = 0

    def open(self, key: Key) -> None:
        """Open the logs of an attempt.

        Raises:
            StorageError: they can't be, as people have been told.
        """
        one = self._of(key)
        with one.lock:
            try:
                one.logs.open()
            except PegasusError as error:
                self._trouble.begins(key, error)
                raise
            self._tell(key, one.logs)

    def write(self, key: Key, stream: Stream, data: bytes) -> None:
        """Add output of an attempt; one that has ended may have more."""
        one = self._of(key)
        with one.lock:
            one.logs.write(stream, data)
            self._tell(key, one.logs)

    def end(self, key: Key) -> Amounts:
        """Close the logs of an attempt; what can't be written yet waits on."""
        one = self._of(key)
        with one.lock:
            one.logs.flush()
            sizes = one.logs.size(Stream.STDOUT), one.logs.size(Stream.STDERR)
            amounts = Amounts(*sizes, one.logs.missing)
        with self._lock:
            one.is_over = True
            is_late = one.logs.held > 0 and self._held_late() <= HELD_LATE
        if not is_late:
            self._close(key, one)
        return amounts

    def flush(self) -> None:
        """Try now to write what waits."""
        for key, one in self._all():
            if one.logs.held:
                with one.lock:
                    one.logs.flush()
                    self._tell(key, one.logs)
            if one.is_over and not one.logs.held:
                self._close(key, one)

    def close(self) -> int:
        """Try a last time; return how many bytes of output are in no log."""
        self.flush()
        return self._missing + sum(one.logs.missing for _, one in self._all())

    def _of(self, key: Key) -> _Open:
        one = self._open.get(key)
        if one is None or one.is_over:
            with self._lock:
                one = self._open.setdefault(key, _Open(self._logs.of(key)))
                one.is_over = False
        return one

    def _all(self) -> list[tuple[Key, _Open]]:
        with self._lock:
            return [*self._open.items()]

    def _held_late(self) -> int:
        return sum(one.logs.held for one in self._open.values() if one.is_over)

    def _close(self, key: Key, one: _Open) -> None:
        with self._lock:
            if not one.is_over or self._open.get(key) is not one:
                return  # More has come, or another thread was faster.
            del self._open[key]
        with one.lock:
            one.logs.close()
        with self._lock:
            self._missing += one.logs.missing
        self._trouble.drop(key) if one.logs.problem else self._trouble.ends(key)

    def _tell(self, key: Key, logs: AttemptLogs) -> None:
        if logs.problem:
            self._trouble.begins(key, logs.problem)
        else:
            self._trouble.ends(key)
