"""consumed.yaml: every job that was taken, in canonical form, the latest at the end.

Several queue files may share one, so it has a lock of its own, which is only ever taken after
the queue's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from errno import ENOENT
from pathlib import Path

from pegasus.errors import StorageError
from pegasus.files import storage
from pegasus.files.canonical import Writer
from pegasus.files.locking import FileLock
from pegasus.model import Job

#: What may follow a record: it must not be cut out of a longer one.
_RECORD_END = re.compile(rb"\s*(?:(?<=\n)[-#]|\Z)")


class ConsumedFile:
    """The record of the jobs that were taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock.of(path)

    @contextlib.contextmanager
    def recorded(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Append jobs, for a `with` block that takes them; take that back if it fails.

        Raises:
            StorageError: they can't be written.
        """
        data = "".join(Writer().entries(jobs)).encode()
        with self._lock.hold("consumed jobs"):
            size = storage.append(self.path, data)
            try:
                yield
            except Exception:
                storage.truncate(self.path, size)
                raise

    def forget(self, jobs: Sequence[Job]) -> None:
        """Remove the latest record of each job; one that is not there is none to remove.

        Raises:
            StorageError: the file can't be written.
        """
        with self._lock.hold("consumed jobs"):
            try:
                before = storage.read(self.path)
            except StorageError as error:
                if error.errno == ENOENT:
                    return
                raise
            after = before
            for record in Writer().entries(jobs):
                after = _without(after, record.encode())
            if after != before:
                storage.replace(self.path, after)


def _without(data: bytes, record: bytes) -> bytes:
    at = len(data)
    while (at := data.rfind(record, 0, at)) >= 0:
        end = at + len(record)
        if _RECORD_END.match(data, end):
            return data[:at] + data[end:]
        at = end - 1
    return data
