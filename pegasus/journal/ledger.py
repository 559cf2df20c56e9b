"""What takers of jobs must know of the journal: the ids, what was put back, the last commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pegasus.journal.file import JournalReader
from pegasus.journal.logs import last_job
from pegasus.journal.records import (
    JOBS_REQUEUED,
    JOBS_TAKEN,
    UNDONE,
    JobText,
    Record,
    job_of,
    text_of,
)
from pegasus.model import Job


@dataclass(frozen=True)
class Commit:
    """A change of the queue file as the journal announces it, right before it is made.

    Attributes:
        id: eight hexadecimal digits, which mark the queue file's new content until it is in place.
        is_take: whether jobs are taken; else they are put back.
        jobs: the jobs.
        consumed: consumed.yaml as it was: its `path`, the `size` and `inode` it had: 0 and None
            where there was none.
    """

    id: str
    is_take: bool
    jobs: tuple[Job, ...]
    consumed: Record

    @classmethod
    def of(cls, record: Record) -> Commit | None:
        """Return the commit that a record announces, or None where it is a broken one."""
        try:
            jobs = tuple(job_of(fields) for fields in record["jobs"])
            before = record["consumed"]
            path, size, inode = str(before["path"]), int(before["size"] or 0), before["inode"]
            consumed = {"path": path, "size": size, "inode": inode}
            return cls(str(record["commit"]), record["event"] == JOBS_TAKEN, jobs, consumed)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            return None


class Ledger:
    """Gives ids to jobs: 1, 2, 3, … for all runs of a queue file, and from run to run.

    A job that was put back has its old id when it is taken again. It is known by its text: the
    queue file has no ids. Whoever calls holds the lock of the queue file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader = JournalReader(folder, JOBS_TAKEN, JOBS_REQUEUED, UNDONE)
        self._last_id = 0
        self._requeued: dict[JobText, dict[int, Job]] = {}
        self._last: Commit | None = None
        self._is_noted = True  # Whether what the last commit did is in the two above.

    def catch_up(self) -> Commit | None:
        """Read what is new; return the last commit, unless that has been undone.

        Raises:
            StorageError: the journal can't be read.
            JournalError: it is of another version.
        """
        if self._reader.begins_anew():
            self._note_last()
            self._requeued, self._last = {}, None
        for record in self._reader.read():
            self._read(record)
        # A journal that is yet to be begun will begin behind the logs that are left.
        begin = self._reader.last_id if self._reader.has_begun else last_job(self._folder)
        self._last_id = max(self._last_id, begin)
        return self._last

    def named(self, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs, which are about to be taken, with ids. The last commit is made."""
        self._note_last()
        known: dict[JobText, Iterator[Job]] = {}
        last, named = self._last_id, []
        for job in jobs:
            key = text_of(job)
            if key not in known:
                known[key] = iter(self._requeued.get(key, {}).values())
            if before := next(known[key], None):
                named.append(replace(job, id=before.id, attempts=before.attempts))
            else:
                last += 1
                named.append(replace(job, id=last))
        return named

    def remember(self, jobs: Iterable[Job]) -> None:
        """Never give the ids of jobs again, whatever becomes of the journal."""
        self._last_id = max([self._last_id, *(job.id for job in jobs)])

    def _read(self, record: dict[str, Any]) -> None:
        if record["event"] == UNDONE:
            if self._last and self._last.id == record.get("commit"):
                self._last, self._is_noted = None, True
        elif commit := Commit.of(record):
            self._note_last()
            self._last, self._is_noted = commit, False

    def _note_last(self) -> None:
        """Take the last commit for made: none is begun before the one before it is settled."""
        if self._last and not self._is_noted:
            jobs = [job for job in self._last.jobs if job.id > 0]
            for job in jobs:
                self._requeued.get(text_of(job), {}).pop(job.id, None)
            if not self._last.is_take:
                self._put_before(jobs)
            self.remember(jobs)
        self._is_noted = True

    def _put_before(self, jobs: Iterable[Job]) -> None:
        """Note jobs that stand in the queue again, before others with the same texts."""
        added: dict[JobText, dict[int, Job]] = {}
        for job in jobs:
            added.setdefault(text_of(job), {})[job.id] = job
        for key, same in added.items():
            self._requeued[key] = {**same, **self._requeued.get(key, {})}
