"""The ids of jobs: 1, 2, 3, … for all runs that share a queue file, and from run to run.

The number of the last one that was given stands in `last_id`, beside the queue file's lock.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pegasus.errors import StorageError
from pegasus.files import storage
from pegasus.files.locking import FileLock
from pegasus.model import Job

#: How long the number is, filled up with spaces: it is written over, in one go.
_WIDTH = 20
_NUMBER = re.compile(rb"([0-9]{1,18}) *\n")
_RECORD = re.compile(rb"^-", re.MULTILINE)


class JobIds:
    """Gives ids to the jobs of one queue file. Whoever calls holds the lock.

    Args:
        lock: the queue file's.
        consumed: the file of the jobs that were taken.
    """

    def __init__(self, lock: FileLock, consumed: Path) -> None:
        self._lock = lock
        self._file = lock.folder / "last_id"
        self._consumed = consumed
        self._last = 0
        self._returned: list[Job] = []

    @contextlib.contextmanager
    def given(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """Yield the jobs with ids, to a `with` block that takes them; if it fails, they had none.

        A job that this object was told to have been put back gets the id that it had.

        Raises:
            StorageError: the last id can't be written.
        """
        before = last = max(self._last, self._stored())
        returned = [*self._returned]
        named: list[Job] = []
        for job in jobs:
            known = _recognized(job, returned)
            last += not known
            named.append(replace(job, id=known or last))
        if last != before:
            self._store(last)
        try:
            yield named
        except Exception:
            with contextlib.suppress(StorageError):  # Some numbers would be left out, that's all.
                self._store(before)
            raise
        self._last, self._returned = last, returned

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Remember the ids of jobs that stand at the head of the queue again, in this order."""
        self._returned[:0] = [job for job in jobs if job.id]

    def _stored(self) -> int:
        try:
            found = _NUMBER.match(storage.read(self._file))
        except StorageError:
            found = None
        return int(found[1]) if found else self._records()

    def _records(self) -> int:
        """Return how many jobs were taken, as far as is known.

        It stands in for the last id where that is missing or garbled: so many ids were given at
        least. More were, to jobs that went back to the queue or were removed from the record.
        """
        try:
            return len(_RECORD.findall(storage.read(self._consumed)))
        except StorageError:
            return 0

    def _store(self, number: int) -> None:
        """Write the last id; not to the disk at once, for it need not outlive a power cut."""
        try:
            if not self._file.exists():
                self._lock.make_folder()
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, f"{number:<{_WIDTH}}\n".encode(), 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage.failure(self._file, "written", error) from error


def _recognized(job: Job, returned: list[Job]) -> int:
    """Return the id of a job that was put back, or 0, and drop it from those.

    They were put back in this order: where others before it are no longer there, somebody else
    has taken them or removed them, and they don't come back.
    """
    for index, candidate in enumerate(returned):
        if candidate == job:
            del returned[: index + 1]
            return candidate.id
    return 0
