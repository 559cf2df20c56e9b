"""Whether a run is on: it holds a lock on its *lease*, `runs/<id>.lease`, as long as it lives.

The kernel frees the lock when the run ends, however it does; over NFSv4, so does the server for a
machine that is gone. Unlike a process id, it can't be somebody else's by now. The file has in it
what `runs/<id>.json` has.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pegasus import storage
from pegasus.control.record import Record, lease_path
from pegasus.locking import make_folder

_NAME = re.compile(r"([0-9a-f]{8})\.lease")


@dataclass(frozen=True)
class Lease:
    """A run's hold on its lease; `release` ends it. A process that ends does so, too."""

    path: Path
    _descriptor: int

    #: Those of this process: it would lose the lock by opening and closing the file.
    _own: ClassVar[dict[Path, Record]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def take(cls, folder: Path, run: Record) -> Lease:
        """Return the lease of a new run; `folder` is that of the records of runs.

        Whoever calls holds the lock of the queue file, so that nobody takes the run for dead
        in the moment before the lease is locked.

        Raises:
            StorageError: there can be none.
        """
        path = lease_path(folder, run.id)
        with storage.failing(path, "written"):
            make_folder(folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            lease = cls(path, descriptor)
            try:
                os.write(descriptor, run.encoded())
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
            except OSError:
                lease.release()
                raise
        with cls._lock:
            cls._own[path] = run
        return lease

    def release(self) -> None:
        """Give it back, for all to see."""
        with self._lock:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._descriptor)
            self._own.pop(self.path, None)

    @classmethod
    def own(cls, path: Path) -> Record | None:
        """Return the run of this process that has the lease at `path`, or None."""
        with cls._lock:
            return cls._own.get(path)


def is_alive(folder: Path, run: str) -> bool:
    """Return whether the run with an id holds its lease; `folder` is that of the records of runs.

    Where it can't be told, because somebody has taken away the rights, it is taken to live.
    """
    path = lease_path(folder, run)
    if Lease.own(path):
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        # Shared: two who look at the same time must not take each other for the run.
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def living(folder: Path) -> list[Record]:
    """Return the runs that hold their leases, the oldest first; leases of dead ones are removed.

    Whoever calls holds the lock of the queue file.
    """
    found: list[Record] = []
    for run in _leases(folder):
        path = lease_path(folder, run)
        with contextlib.suppress(OSError):
            if not is_alive(folder, run):
                path.unlink()
            elif record := Lease.own(path) or Record.decoded(path.read_bytes(), run):
                found.append(record)
    return sorted(found, key=lambda record: (record.started, record.id))


def _leases(folder: Path) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [found[1] for found in map(_NAME.fullmatch, names) if found]
