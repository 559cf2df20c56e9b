"""consumed.yaml: every job that was taken, in canonical form, the latest at the end.

Several queue files may share one, so it has a lock of its own, which is only ever taken after
the queue's.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from errno import ENOENT
from pathlib import Path
from typing import Any

from pegasus import storage
from pegasus.errors import StorageError
from pegasus.files.canonical import Writer
from pegasus.locking import FileLock
from pegasus.model import Job

#: The mark of what is staged to replace the file.
REWRITE = "rewrite"

#: How long to wait for another process that is writing, in seconds: it may have been stopped.
PATIENCE = 5.0

#: What may follow a record: it must not be cut out of a longer one.
_RECORD_END = re.compile(rb"\s*(?:(?<=\n)[-#]|\Z)")


class ConsumedFile:
    """The record of the jobs that were taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock.of(path)

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which the file is ours. It is not reentrant.

        Raises:
            StorageError: there can be no lock beside the file, or another process keeps it.
        """
        return self._lock.hold("consumed jobs", within=PATIENCE)

    def state(self) -> dict[str, Any]:
        """Return where the file is, its size and its inode, both None where there is none.

        Raises:
            StorageError: it can't be looked at.
        """
        found = storage.signature(self.path)
        size, inode = (found.size, found.inode) if found else (None, None)
        return {"path": os.path.realpath(self.path), "size": size, "inode": inode}

    def add(self, jobs: Sequence[Job]) -> None:
        """Append jobs, while the file is held.

        Raises:
            StorageError: they can't be written; none was.
        """
        storage.append(self.path, _records(jobs))

    def take_back(self, size: int, jobs: Sequence[Job]) -> None:
        """Remove what `add` has written of jobs since the file had `size` bytes, if anything.

        What others have added behind it stays; so does everything if somebody has changed what
        was there.

        Raises:
            StorageError: the file can't be written.
        """
        with self.held():
            before = self._read()
            if before[size:]:
                self._cut_out(before, size, jobs)
            elif self.state()["size"] is not None:
                # It was taken back already, but a power loss might bring it again.
                storage.truncate(self.path, len(before))

    def _cut_out(self, before: bytes, size: int, jobs: Sequence[Job]) -> None:
        written = before[size:]
        for ours in (b"\n" + _records(jobs), _records(jobs)):
            if not _is_what_is_left(written[: len(ours)], ours):
                continue
            if others := written[len(ours) :]:
                self._rewrite(before[:size] + others)
            else:
                storage.truncate(self.path, size)
            break

    def forget(self, jobs: Sequence[Job]) -> None:
        """Remove the latest record of each job; one that is not there is none to remove.

        Raises:
            StorageError: the file can't be written.
        """
        with self.held():
            before = after = self._read()
            for record in Writer().entries(jobs):
                after = _without(after, record.encode())
            if after != before:
                self._rewrite(after)

    def sweep(self) -> None:
        """Remove what somebody who was killed has staged.

        Raises:
            StorageError: there can be no lock beside the file, or it can't be removed.
        """
        place = storage.staged_place(self.path, REWRITE)
        if os.path.lexists(place):
            with self.held(), storage.failing(place, "removed"):
                place.unlink(missing_ok=True)

    def _rewrite(self, data: bytes) -> None:
        storage.replace(self.path, data, mark=REWRITE)

    def _read(self) -> bytes:
        try:
            return storage.read(self.path)
        except StorageError as error:
            if error.errno == ENOENT:
                return b""
            raise


def _records(jobs: Sequence[Job]) -> bytes:
    return "".join(Writer().entries(jobs)).encode()


def _is_what_is_left(data: bytes, written: bytes) -> bool:
    """Whether `data` may be what became of `written`: a power loss leaves zeros, or cuts it."""
    return all(byte in (was, 0) for byte, was in zip(data, written, strict=False))


def _without(data: bytes, record: bytes) -> bytes:
    at = len(data)
    while (at := data.rfind(record, 0, at)) >= 0:
        end = at + len(record)
        if _RECORD_END.match(data, end):
            return data[:at] + data[end:]
        at = end - 1
    return data
