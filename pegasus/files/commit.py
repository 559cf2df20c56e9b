"""Changes of queue.yaml, consumed.yaml and the journal, as one: all three, or none.

A *commit* has an id. What a crash in any moment leaves behind is completed or undone by the next
one who holds the queue's lock. The order, when jobs are taken:

1. the new queue is written beside the old one, under a name with the id, and is on the disk;
2. the journal says which jobs are taken, by which commit, and how long consumed.yaml is;
3. the jobs are added to consumed.yaml;
4. the new queue is renamed to the old one's name: from here on the jobs are taken.

When jobs are put back, 3 comes last: they are removed from consumed.yaml. So whether a commit has
been made is the question whether the file of step 1 is gone; whatever somebody does to the queue
after a crash, the answer is the same. Each step is on the disk before the next begins.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pegasus import storage
from pegasus.errors import PegasusError, StorageError
from pegasus.files.consumed import ConsumedFile
from pegasus.journal.file import Journal
from pegasus.journal.ledger import Commit, Ledger
from pegasus.journal.records import JOBS_REQUEUED, JOBS_TAKEN, UNDONE, Record, job_fields, record
from pegasus.locking import folder_of
from pegasus.model import Job
from pegasus.storage import Signature, Staged


class Commits:
    """The commits of one queue file. Whoever calls holds its lock.

    Args:
        path: the queue file.
        consumed: the file of the jobs that were taken.
        journal: the queue's.
        run: the id of the run that takes jobs, or "".
    """

    def __init__(self, path: Path, consumed: ConsumedFile, journal: Journal, run: str = "") -> None:
        self._path = path
        self._consumed = consumed
        self._journal = journal
        self._run = run
        self._ledger = Ledger(journal.folder)
        self._real: Path | None = None  # The queue file, wherever links have led to it last.
        self._settled: str | None = None

    def settle(self) -> None:
        """Complete or undo what others, or we, have not brought to its end.

        Raises:
            StorageError: it can't be done now; nothing must be taken or put back before.
            JournalError: the journal is of another version.
        """
        self._assert_same_file()
        last = self._ledger.catch_up()
        if last and last.id != self._settled:
            self._resolve(last)
            self._ledger.catch_up()
        if self._settled is None:
            self._sweep()
        self._settled = last.id if last else ""

    def take(
        self, jobs: Sequence[Job], data: bytes, assert_unchanged: Callable[[], None]
    ) -> tuple[list[Job], Signature]:
        """Take jobs: have `data`, the queue without them, replace the queue file.

        Args:
            assert_unchanged: raises if somebody has changed the queue file; then nothing is done.

        Returns:
            The jobs with their ids, and the signature of the queue file.

        Raises:
            StorageError: a file can't be written; no job is taken.
        """
        self.settle()
        named = self._ledger.named(jobs)
        mark = secrets.token_hex(4)
        with self._staged(data, mark) as staged, self._consumed.held():
            assert_unchanged()  # Before much is written, and again when all is.
            self._announce(JOBS_TAKEN, mark, named)
            self._consumed.add(named)
            assert_unchanged()
            signature = staged.put_in_place()
        self._settled = mark
        self._ledger.remember(named)
        return named, signature

    def put(
        self, jobs: Sequence[Job], data: bytes, why: str, assert_unchanged: Callable[[], None]
    ) -> Signature:
        """Put jobs back: have `data`, the queue with them, replace the queue file.

        They stand in it then, even where they can't be removed from consumed.yaml at once.

        Args:
            jobs: with their ids.
            why: for the journal.

        Raises:
            StorageError: a file can't be written; nothing is put back.
        """
        self.settle()
        mark = secrets.token_hex(4)
        with self._staged(data, mark) as staged:
            assert_unchanged()
            self._announce(JOBS_REQUEUED, mark, jobs, why=why)
            assert_unchanged()
            signature = staged.put_in_place()
        with suppress(StorageError):  # `settle` tries again, before anything else is done.
            self._consumed.forget(jobs)
            self._settled = mark
        return signature

    def _assert_same_file(self) -> None:
        """Have the queue file be the one whose lock is held, wherever a link leads by now."""
        real = Path(os.path.realpath(self._path))
        if real != self._real and folder_of(real) != self._journal.folder:
            raise StorageError(
                f"{self._path}: leads to another file now; have it lead to the one before, or end"
                " this run and begin another"
            )
        self._real = real

    @contextmanager
    def _staged(self, data: bytes, mark: str) -> Iterator[Staged]:
        """Stage the new content for a `with` block, whose failure is that of the commit."""
        staged = storage.stage(self._path, data, mark, self._real)
        try:
            yield staged
        except BaseException:
            self._abandon(mark, staged)
            raise
        finally:
            staged.close()

    def _announce(self, event: str, mark: str, jobs: Sequence[Job], **more: Any) -> None:
        fields, consumed = [job_fields(job) for job in jobs], self._consumed.state()
        announcement = record(event, self._run, commit=mark, jobs=fields, consumed=consumed, **more)
        self._journal.append(announcement, sync=True)

    def _abandon(self, mark: str, staged: Staged) -> None:
        """Leave a commit that failed as if it had not been begun; if need be, `settle` does."""
        self._settled = None
        with suppress(PegasusError):
            last = self._ledger.catch_up()
            if last and last.id == mark:
                self._resolve(last)
            else:
                staged.discard()

    def _resolve(self, commit: Commit) -> None:
        """Bring the last commit to its end, or undo it."""
        place = storage.staged_place(self._path, commit.id)
        consumed = self._consumed_of(commit)
        if _is_there(place):
            if commit.is_take:
                consumed.take_back(commit.consumed["size"], commit.jobs)
            self._journal.append(record(UNDONE, self._run, commit=commit.id), sync=True)
            with storage.failing(place, "removed"):
                place.unlink()
        elif not commit.is_take and _is_as_before(consumed.state(), commit.consumed):
            with storage.failing(self._path, "written"):
                storage.sync_folder(place.parent)  # Who was killed may not have come to that.
            consumed.forget(commit.jobs)

    def _consumed_of(self, commit: Commit) -> ConsumedFile:
        """Return where the jobs of a commit are recorded, also if all has been moved since."""
        path = Path(commit.consumed["path"])
        return ConsumedFile(path) if path.parent.is_dir() else self._consumed

    def _sweep(self) -> None:
        """Remove what was staged for commits that the journal has not heard of."""
        real = Path(os.path.realpath(self._path))
        ours = re.compile(rf"\.{re.escape(real.name)}\.[0-9a-f]{{8}}\.next")
        with suppress(StorageError):
            self._consumed.sweep()
        with suppress(OSError):
            for name in filter(ours.fullmatch, os.listdir(real.parent)):
                (real.parent / name).unlink()


def _is_there(place: Path) -> bool:
    """Whether there is a file; an error is no answer, for all depends on it."""
    with storage.failing(place, "looked at"):
        try:
            os.lstat(place)
        except FileNotFoundError:
            return False
        return True


def _is_as_before(now: Record, before: Record) -> bool:
    """Whether nothing was removed from consumed.yaml: that makes a new file, and a shorter one."""
    is_as_long = int(now["size"] or 0) >= int(before["size"])
    return is_as_long and bool(now["inode"] == before["inode"])
