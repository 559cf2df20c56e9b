"""Takes jobs off the queue file for a running mode, without ever blocking it for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from pegasus.errors import JournalError, NodeError, PegasusError, StorageError
from pegasus.events import (
    JobRequeued,
    JobsTaken,
    LockAwaited,
    QueueCounted,
    QueueMended,
    QueueRefused,
    Sink,
)
from pegasus.files.entries import Entry
from pegasus.files.outlook import Outlook
from pegasus.files.queuefile import QueueFile, Signature
from pegasus.model import Job

P = TypeVar("P")
T = TypeVar("T")

#: What a mode wants of a queue file: positions in it, counted from 0 and ascending, each with
#: whatever the mode itself has to know of it.
Picks = Sequence[tuple[int, P]]

#: How often the queue file is looked at while it has nothing for us, in seconds.
POLL = 0.1
#: How often a lock that somebody else holds is tried, in seconds.
LOCK_POLL = 0.02
#: After how long the holder of the lock is named, in seconds.
PATIENCE = 0.3


class Feed:
    """The queue file as a mode sees it: jobs, or nothing for now, or nothing more.

    Locks are tried and never waited for; a file that is wrong is reported once and looked at
    again when it has changed. One thread uses it.

    Args:
        queue: the queue file.
        emit: where to tell of locks, mistakes and what was put back.
        purpose: what waiters are told about us while we hold the lock, such as `inv queue`.
    """

    def __init__(self, queue: QueueFile, emit: Sink, purpose: str) -> None:
        self._queue = queue
        self._emit = emit
        self._purpose = purpose
        self._seen: Signature | None = None
        self._refused = ""
        self._retry_at = 0.0
        self._busy_since: float | None = None
        self._counted: int | None = None
        self._returned: list[tuple[Job, NodeError]] = []
        self.outlook: Outlook | None = None
        """What stood in the file when it was last read; None while it has to be read (again)."""

    @property
    def owing(self) -> bool:
        """Whether jobs that must go back to the queue have not got there yet."""
        return bool(self._returned)

    @property
    def interval(self) -> float:
        """How long to wait before `take` is worth trying again, in seconds."""
        return POLL if self._busy_since is None else LOCK_POLL

    @property
    def empty(self) -> bool:
        """Whether the file had no job left when it was last read, and has not changed since."""
        return self.outlook is not None and not self.outlook.jobs

    def take(
        self, choose: Callable[[Outlook], Picks[P]], prepare: Callable[[P, Job], T]
    ) -> list[tuple[Job, T]]:
        """Take the jobs that `choose` picks; return each with what `prepare` made of it.

        `choose` may be called twice: at first with what stood in the file before. `prepare` is
        called before anything is consumed, and so before the job has an id. A job that it raises a
        PegasusError for makes the file wrong from there on: the jobs before it are taken. A file
        that has changed is checked even if nothing is picked.
        """
        try:
            before = self.outlook
            picks = choose(before) if before is not None else []
            if not self._is_due(bool(picks)) or not self._lock(bool(picks) or self.owing):
                return []
            try:
                self._settle()
                outlook = self._look()
                taken = self._take(picks if outlook is before else choose(outlook), prepare)
            finally:
                self._queue.lock.release()
        except PegasusError as error:
            self._refuse(error)
            return []
        self._mend()
        if taken:
            self._counted = None  # As many may be left as before: others have come meanwhile.
            self._emit(JobsTaken(tuple(job for job, _ in taken)))
        self._count()
        return taken

    def put_back(self, job: Job, error: NodeError) -> None:
        """Have `job`, which never started, put back at the head of the queue by `take`."""
        self._returned.append((job, error))

    def lint_with(self, lint: Callable[[Entry], None]) -> None:
        """Have new entries linted by this, and look again at a file that was wrong."""
        self._queue.lint_with(lint)
        self._seen = None

    def _is_due(self, is_wanted: bool) -> bool:
        if self.owing or self._seen is None:
            return True
        if self._retry_at and time.monotonic() >= self._retry_at:
            return True
        if self.outlook is None and not self._refused:
            return True
        if self._queue.changed_since(self._seen):
            self.outlook = None
            return True
        return is_wanted and not self._refused

    def _lock(self, is_awaited: bool) -> bool:
        """Try the lock; when somebody else has it for long, say so if it `is_awaited`."""
        if self._queue.lock.try_acquire(self._purpose):
            self._busy_since = None
            return True
        now = time.monotonic()
        if self._busy_since is None:
            self._busy_since = now
        elif is_awaited and self._busy_since and now - self._busy_since > PATIENCE:
            self._busy_since = 0.0  # Said once.
            self._emit(LockAwaited(str(self._queue.lock.holder() or "another process")))
        return False

    def _look(self) -> Outlook:
        self._seen = self._queue.signature()
        self._retry_at = 0.0
        self.outlook = self._queue.look()
        return self.outlook

    def _take(self, picks: Picks[P], prepare: Callable[[P, Job], T]) -> list[tuple[Job, T]]:
        positions = [position for position, _ in picks]
        jobs = self._queue.jobs_at(positions)
        prepared = _prepare_all([what for _, what in picks], jobs, prepare)
        if not prepared:
            return []
        taken = self._queue.take(positions[: len(prepared)], expected=jobs[: len(prepared)])
        # None was taken if the file has changed; then it is looked at again.
        self.outlook = self._queue.outlook if taken else None
        self._seen = self._queue.signature()
        return list(zip(taken, prepared, strict=False))

    def _count(self) -> None:
        jobs = self._queue.jobs
        if jobs is not None and jobs != self._counted:
            self._counted = jobs
            outlook = self._queue.outlook
            needs = tuple(outlook.counts.items()) if outlook is not None else ()
            self._emit(QueueCounted(jobs, needs))

    def _settle(self) -> None:
        if not self._returned:
            return
        self._queue.put_back([job for job, _ in self._returned])
        returned, self._returned = self._returned, []
        self._seen = None
        self.outlook = None
        for job, error in returned:
            self._emit(JobRequeued(job, error))

    def _refuse(self, error: PegasusError) -> None:
        self._seen = None
        with suppress(StorageError):
            self._seen = self._queue.signature()
        if isinstance(error, (StorageError, JournalError)):
            # Nothing in the file tells when a full disk has room again, or a journal is mended.
            self._retry_at = time.monotonic() + 5 * POLL
        if str(error) != self._refused:
            self._refused = str(error)
            self._emit(QueueRefused(error))

    def _mend(self) -> None:
        if self._refused:
            self._refused = ""
            self._emit(QueueMended())


def _prepare_all(
    picks: Sequence[P], jobs: Sequence[Job], prepare: Callable[[P, Job], T]
) -> list[T]:
    prepared: list[T] = []
    for what, job in zip(picks, jobs, strict=True):
        try:
            prepared.append(prepare(what, job))
        except PegasusError:
            if not prepared:
                raise
            break
    return prepared
