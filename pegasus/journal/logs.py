"""The logs of attempts: `logs/<job>.<attempt>.out` and `.err`, the raw bytes as they came.

A log that can't be written now, because the disk is full, holds up no job: what comes is kept in
memory as far as there is room, and tried again. What is too much is counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from pegasus.errors import StorageError
from pegasus.events import Stream
from pegasus.locking import make_folder
from pegasus.storage import failure

#: How much of an output is held in memory while its log can't be written, in bytes.
HELD = 1 << 20

#: How long it is not tried again after a log could not be written, in seconds.
RETRY = 0.5

#: How long after its last change a log that ends is as old as it should be, in seconds.
FRESH = 1.0

_NAME = re.compile(r"([1-9][0-9]{0,17})\.([1-9][0-9]{0,17})\.(?:out|err)")
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
SUFFIXES = {Stream.STDOUT: "out", Stream.STDERR: "err"}

#: A job's id, and the number of its attempt.
Key = tuple[int, int]


def logs_folder(folder: Path) -> Path:
    """Return where the logs are in `.pegasus/<queue file name>`."""
    return folder / "logs"


def log_path(folder: Path, job: int, attempt: int, stream: str) -> Path:
    """Return where the log of an attempt is; `stream` is out or err."""
    return logs_folder(folder) / f"{job}.{attempt}.{stream}"


def key_of(name: str) -> Key | None:
    """Return which attempt's log has a name in the folder of logs, or None where it is no log."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def last_job(folder: Path) -> int:
    """Return the highest id of a job that has a log, or 0."""
    try:
        names = os.listdir(logs_folder(folder))
    except OSError:
        return 0
    return max((key[0] for key in map(key_of, names) if key), default=0)


class Log:
    """One output of an attempt, on disk. One thread at a time uses it.

    Attributes:
        size: how many bytes of output there were.
        lost: how many of them could not be kept.
        problem: why it can't be written now, or None.
    """

    def __init__(self, path: str | Path) -> None:
        self.size = self.lost = 0
        self.problem: StorageError | None = None
        self._path = path
        self._descriptor: int | None = None
        self._held = bytearray()
        self._retry_at = 0.0
        self._changed_at = float("-inf")  # What was there before may be of any age.

    def open(self) -> None:
        """Open it, unless that is done; what is in it already stays.

        Raises:
            StorageError: it can't be opened.
        """
        try:
            self._open()
        except OSError as error:
            self.problem = failure(Path(self._path), "written", error)
            raise self.problem from error
        self.problem = None

    def write(self, data: bytes) -> None:
        """Add output, at once if that can be."""
        self.size += len(data)
        if not self._held:
            data = self._put(data)
        if data:
            self._hold(data)
            if time.monotonic() >= self._retry_at:
                self._put_held()

    @property
    def held(self) -> int:
        """How many bytes wait in memory until they can be written."""
        return len(self._held)

    def flush(self) -> None:
        """Try now to write what is held."""
        if self._held:
            self._put_held()

    def close(self) -> None:
        """Try a last time to write what is held, and let go of the file."""
        self.flush()
        self.lost += len(self._held)
        self._held.clear()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            if time.monotonic() - self._changed_at > FRESH:
                with contextlib.suppress(OSError):
                    os.utime(descriptor)  # How old it is counts from the end of the attempt.
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self._descriptor = self._make()
            except FileExistsError:
                self._descriptor = os.open(self._path, _FLAGS)
            except FileNotFoundError:
                make_folder(Path(self._path).parent)
                self._descriptor = self._make()
        return self._descriptor

    def _make(self) -> int:
        descriptor = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        self._changed_at = time.monotonic()
        return descriptor

    def _put(self, data: bytes) -> bytes:
        """Write; return what could not be written."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._open(), rest) :]
            self.problem = None
            self._changed_at = time.monotonic()
        except OSError as error:
            self.problem = failure(Path(self._path), "written", error)
            self._retry_at = time.monotonic() + RETRY
        return bytes(rest)

    def _hold(self, data: bytes) -> None:
        room = HELD - len(self._held)
        self._held += data[:room]
        self.lost += max(len(data) - room, 0)

    def _put_held(self) -> None:
        self._held = bytearray(self._put(bytes(self._held)))


class AttemptLogs:
    """The logs of an attempt; what is said of `Log` is said of both together.

    Args:
        stem: their path, but for the suffix.
    """

    def __init__(self, stem: str) -> None:
        self._out, self._err = (Log(f"{stem}.{suffix}") for suffix in SUFFIXES.values())

    def open(self) -> None:
        """Open both; see `Log.open`."""
        self._out.open()
        self._err.open()

    def write(self, stream: Stream, data: bytes) -> None:
        """Add to one of them; see `Log.write`."""
        self._of(stream).write(data)

    def flush(self) -> None:
        """Flush both; see `Log.flush`."""
        self._out.flush()
        self._err.flush()

    def close(self) -> None:
        """Close both; see `Log.close`."""
        self._out.close()
        self._err.close()

    def size(self, stream: Stream) -> int:
        """Return how many bytes of a stream there were."""
        return self._of(stream).size

    @property
    def held(self) -> int:
        """How many bytes wait in memory."""
        return self._out.held + self._err.held

    @property
    def missing(self) -> int:
        """How many bytes are not in the logs: they could not be kept, or wait."""
        return self._out.lost + self._err.lost + self.held

    @property
    def problem(self) -> StorageError | None:
        """Why one of them can't be written now, or None."""
        return self._out.problem or self._err.problem

    def _of(self, stream: Stream) -> Log:
        return self._out if stream is Stream.STDOUT else self._err


class Logs:
    """The logs of the attempts of a queue file.

    Args:
        folder: `.pegasus/<queue file name>`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(logs_folder(folder))

    def of(self, key: Key) -> AttemptLogs:
        """Return the logs of an attempt; they are opened by `open`, or by what is written."""
        job, attempt = key
        return AttemptLogs(f"{self._folder}/{job}.{attempt}")
