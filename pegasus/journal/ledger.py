"""What takers of jobs must know of the journal: the ids, what was put back, the last commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pegasus.journal.file import JournalReader
from pegasus.journal.records import JOBS_REQUEUED, JOBS_TAKEN, UNDONE, Record, job_of
from pegasus.model import Job


@dataclass(frozen=True)
class Commit:
    """A change of the queue file as the journal announces it, right before it is made.

    Attributes:
        id: eight hexadecimal digits, which mark the queue file's new content until it is in place.
        is_take: whether jobs are taken; else they are put back.
        jobs: the jobs.
        consumed: consumed.yaml as it was: its `path`, and the `size` and `inode` it had, or null.
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
            return cls(
                str(record["commit"]), record["event"] == JOBS_TAKEN, jobs, dict(record["consumed"])
            )
        except (LookupError, TypeError, ValueError, AttributeError):
            return None


class Ledger:
    """Gives ids to jobs: 1, 2, 3, … for all runs of a queue file, and from run to run.

    A job that was put back has its old id when it is taken again. It is known by its text: the
    queue file has no ids. Whoever calls holds the lock of the queue file.
    """

    def __init__(self, folder: Path) -> None:
        self._reader = JournalReader(folder, JOBS_TAKEN, JOBS_REQUEUED, UNDONE)
        self._last_id = 0
        self._requeued: list[Job] = []
        self._last: Commit | None = None

    def catch_up(self) -> Commit | None:
        """Read what is new; return the last commit, unless that has been undone.

        Raises:
            StorageError: the journal can't be read.
            JournalError: it is of another version.
        """
        if self._reader.begins_anew():
            self._requeued, self._last = [], None
        for record in self._reader.read():
            self._note(record)
        self._last_id = max(self._last_id, self._reader.last_id)
        return self._last

    def named(self, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs, which are about to be taken, with ids."""
        requeued = _after(self._requeued, self._last)
        last, named = self._last_id, []
        for job in jobs:
            known = _recognized(job, requeued)
            last += not known
            named.append(
                replace(job, id=known.id, attempts=known.attempts)
                if known
                else replace(job, id=last)
            )
        return named

    def _note(self, record: dict[str, Any]) -> None:
        if record["event"] == UNDONE:
            if self._last and self._last.id == record.get("commit"):
                self._last = None
        elif commit := Commit.of(record):
            self._requeued = _after(self._requeued, self._last)
            self._last = commit
            self._last_id = max(self._last_id, *(job.id for job in commit.jobs), 0)


def _after(requeued: list[Job], commit: Commit | None) -> list[Job]:
    """Return what stands in the queue again once a commit has been made."""
    if commit is None:
        return [*requeued]
    if not commit.is_take:
        return [*commit.jobs, *requeued]
    taken = {job.id for job in commit.jobs}
    return [job for job in requeued if job.id not in taken]


def _recognized(job: Job, requeued: list[Job]) -> Job | None:
    """Return a job that was put back as it was, and drop it from those."""
    for index, one in enumerate(requeued):
        if _text(one) == _text(job):
            return requeued.pop(index)
    return None


def _text(job: Job) -> tuple[object, ...]:
    return job.template, job.params, job.options.written
