"""The queue file: look at the jobs in it, take some, put them back.

`queue.yaml` is the queue, and belongs to the user: what is not taken stays byte for byte. A job
that is taken is written to `consumed.yaml` first and only then leaves `queue.yaml`; one that is put
back goes the other way round. So whatever happens in between, no job is lost.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pegasus import storage
from pegasus.errors import QueueFileError, SettingsError
from pegasus.files import queuetext
from pegasus.files.additions import Addition
from pegasus.files.commit import Commits
from pegasus.files.consumed import ConsumedFile
from pegasus.files.content import ChangedError, Content
from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.known import Entries, Known, Replaced
from pegasus.files.outlook import Outlook
from pegasus.files.queueend import Ending
from pegasus.files.queuejobs import Pick, jobs_of, pick, without
from pegasus.files.queuetext import New
from pegasus.files.reader import Reader
from pegasus.files.stretches import Lines
from pegasus.files.tolerant import Refuse
from pegasus.files.validation import Reading, validate
from pegasus.journal.file import Journal
from pegasus.journal.records import WHY_NEVER_STARTED
from pegasus.locking import FileLock
from pegasus.model import Job, Need
from pegasus.storage import Signature

__all__ = ["QueueFile", "Signature", "jobs_of"]


class _Picked(NamedTuple):
    """Jobs of a queue file's content: their positions, and what they are."""

    known: Known
    positions: Sequence[int]
    picks: Sequence[Pick]
    jobs: list[Job]


class QueueFile:
    """A queue file and the file of its consumed jobs.

    Whoever calls a method that reads or writes holds `lock`; `signature`, `changed_since` and
    `entries` need none. What an editor saves without the lock is read again before anything is
    written. That can't help a program that keeps the file open and writes to it now and then: it
    may go on writing to a file that has been replaced.

    Args:
        path: the queue file.
        consumed: where jobs that are taken are recorded.
        lint: called with every entry that is new; raises a PegasusError when it can't be run.
        run: the id of the run that takes from the file, or "".

    Attributes:
        path: the queue file, as given.
        lock: the lock that all who take from the file share.

    Raises:
        SettingsError: both are the same file.
    """

    def __init__(
        self,
        path: Path,
        consumed: Path,
        lint: Callable[[Entry], None] | None = None,
        run: str = "",
    ) -> None:
        if os.path.realpath(path) == os.path.realpath(consumed):
            raise SettingsError(f"{path} can't be queue file and consumed file at once")
        self.path = path
        self.lock = FileLock.of(path)
        self._content = Content(path, self.lock.folder / "left")
        self._commits = Commits(path, ConsumedFile(consumed), Journal(self.lock.folder), run)
        self._lint = lint or (lambda _: None)
        self._ending = Ending(str(path))
        self._known: Known | None = None
        self._known_as: Signature | None = None  # The file's, with what is known in it.
        self._picked: _Picked | None = None
        self._looked_at: Reading | None = None
        self._outlook: Outlook | None = None

    def signature(self) -> Signature | None:
        """Return what tells a change of the file cheaply; None while there is no file."""
        return storage.signature(self.path)

    def changed_since(self, signature: Signature | None) -> bool:
        """Return whether the file is another one, or has another content, than it had then."""
        return self.signature() != signature

    def entries(self, refuse: Refuse) -> Iterator[Entry]:
        """Return the entries of the whole file that are right; they are not linted.

        This needs no lock: each of us replaces the file as a whole.

        Args:
            refuse: is called with what is wrong with the others.

        Raises:
            QueueFileError: the file is missing; or, while reading, it is no YAML or no list.
            StorageError: it can't be read.
        """
        return chain.from_iterable(self.alike(refuse))

    def alike(self, refuse: Refuse) -> Iterator[Lines | tuple[Entry]]:
        """Return what `entries` does, in groups whose entries are alike but for words.

        What is right of the first of a group is right of all: no other is to be linted.
        """
        self._looked_at = Reading(self._bytes(), str(self.path), refuse)
        return iter(self._looked_at)

    def trust(self) -> Sequence[Entry]:
        """Take what `entries` or `alike` last read for right, so that it is not checked once more.

        Nothing was refused, and whoever asks has read all of it, and linted the entries.

        Returns:
            The entries. They are read from the text when they are wanted.
        """
        if self._looked_at is not None:
            self._known, self._looked_at = self._looked_at.known(), None
        return Entries(self._known) if self._known else ()

    def lint_with(self, lint: Callable[[Entry], None]) -> None:
        """Have entries linted by this from now on, those too that have been before."""
        self._lint, self._known = lint, None

    def look(self) -> Outlook:
        """Return what stands in the file, for those who choose which jobs to take.

        The file is checked if somebody else has changed it; while nobody has, it is the same.

        Raises:
            QueueFileError: it is missing or wrong. `lint` may raise other errors.
            StorageError: it can't be read.
        """
        self._read()
        assert self.outlook is not None  # It was read.  # noqa: S101
        return self.outlook

    @property
    def outlook(self) -> Outlook | None:
        """What stood in the file when it was last read or written; None before."""
        if self._known is None:
            return None
        if self._outlook is None or not self._outlook.shows(self._known):
            self._outlook = Outlook(self._known)
        return self._outlook

    def jobs_at(self, positions: Sequence[int]) -> list[Job]:
        """Return the jobs at these positions, as far as the content last looked at has them.

        Args:
            positions: counted from the head from 0, as entries make jobs, and ascending.
        """
        known = self._known or self._read()
        return self._pick(known, [one for one in positions if one < known.index.jobs]).jobs

    @property
    def jobs(self) -> int | None:
        """How many jobs stood in the file when it was last read or written; None before."""
        return self._known.index.jobs if self._known else None

    def take(self, which: int | Sequence[int], expected: Sequence[Job] | None = None) -> list[Job]:
        """Take jobs, wherever they stand, in one commit.

        An entry that makes several jobs is taken apart: what is left of it stands in its place
        as an entry for each job. See `look` for the errors.

        Args:
            which: their positions, as for `jobs_at`; or a number: so many from the head, or as
                many as there are.
            expected: the jobs that `jobs_at` returned, while the lock was held already.
                If the file has others there by now, or none, nothing is taken.

        Returns:
            The jobs that were taken, each with an id that no other job of the file has or had.
            One that was put back, and stands there as it was, has the id of the time before.

        Raises:
            StorageError: a file can't be written; no job was taken.
        """
        while True:
            known = self._read() if expected is None else self._read_again()
            positions = _first(known, which) if isinstance(which, int) else which
            if not positions or positions[-1] >= known.index.jobs:
                return []
            picked = self._pick(known, positions)
            if expected is not None and picked.jobs != [*expected]:
                return []
            known = without(known, picked.picks)
            with suppress(ChangedError):
                unchanged = self._content.assert_unchanged
                jobs, signature = self._commits.take(picked.jobs, known.data, unchanged)
                self._written(known, signature)
                return jobs

    def settle(self) -> None:
        """Bring to an end what somebody who was killed had begun; `take` does so, too.

        Raises:
            StorageError: it can't be done now.
            JournalError: the journal is of another version.
        """
        self._commits.settle()

    def put_back(
        self, jobs: Sequence[Job], why: str = WHY_NEVER_STARTED, *, at_end: bool = False
    ) -> None:
        """Put jobs at the head, in canonical form, and forget that they were consumed.

        A file that is missing is made anew.

        Args:
            jobs: with their ids.
            why: for the journal.
            at_end: put them at the end instead; what stands in the file is not linted then.

        Raises:
            QueueFileError: the file is wrong; it was not touched and nothing is put back.
            StorageError: it can't be written; nothing is put back.
        """

        def put(data: bytes) -> Signature:
            return self._commits.put(jobs, data, why, self._content.assert_unchanged)

        self._insert(jobs, put, at_end)

    def add(self, new: Sequence[Addition], *, at_head: bool = False) -> None:
        """Add entries at the end, all of them or none, and have them on the disk.

        A file that is missing is made anew. See `put_back` for the errors.

        Args:
            at_head: add them at the head instead; what stands in the file is linted then.
        """
        self._insert(new, self._replace, not at_head)

    def _insert(
        self, new: Sequence[New], write: Callable[[bytes], Signature], at_end: bool
    ) -> None:
        """Put jobs or entries in; `write` has the new content replace the old one."""
        while True:
            known = None if at_end else self._with_head(new)
            data = known.data if known else self._ending.add(self._bytes(missing=b""), new)
            with suppress(ChangedError):
                self._written(known, write(data))
                return

    def _with_head(self, new: Sequence[New]) -> Known:
        known = self._read(missing=b"")
        reader = Reader(known.source)
        first = next(join(reader, QUEUE), None)
        edit = queuetext.insert(known.source.text, reader.layout, first, new)
        return known.changed([Replaced(0, 0, edit, [_made(one) for one in new])])

    def _replace(self, data: bytes) -> Signature:
        """Replace the content. It is no commit, and what a crash leaves of it is swept away."""
        return storage.replace(
            self.path, data, self._content.assert_unchanged, secrets.token_hex(4)
        )

    def _read(self, missing: bytes | None = None) -> Known:
        """Return the content, checked; `missing` stands for it where there is no file."""
        data = self._bytes(missing)
        if not self._known or self._known.data != data:
            self._known = validate(data, str(self.path), self._lint, self._known)
        self._known_as = self._content.signature
        return self._known

    def _read_again(self) -> Known:
        """Return the content, checked, which was read a moment ago, while the lock was held, too.

        Whether it has been changed since is found out as `assert_unchanged` does it.
        """
        if self._known and self._known_as and self.signature() == self._known_as:
            return self._known
        return self._read()

    def _pick(self, known: Known, positions: Sequence[int]) -> _Picked:
        """Return the jobs at positions; those that were picked last are kept for being taken."""
        last = self._picked
        if last is None or last.known is not known or [*last.positions] != [*positions]:
            picks = pick(known, positions)
            jobs = [job for one in picks for job in one.jobs]
            last = self._picked = _Picked(known, positions, picks, jobs)
        return last

    def _bytes(self, missing: bytes | None = None) -> bytes:
        data = self._content.read()
        if data is None:
            data = missing
        if data is None:
            hint = "write a list of commands into it, or name another with --queue-file"
            raise QueueFileError(f"{self.path}: there is no such file; {hint}")
        return data

    def _written(self, known: Known | None, signature: Signature) -> None:
        self._known = known
        self._content.written(signature)
        self._known_as = signature
        self._picked = None


def _first(known: Known, count: int) -> range:
    return range(min(count, known.index.jobs))


def _made(new: New) -> tuple[int, Need]:
    """Return how many jobs that makes which is put in, and what they need."""
    return (new.entry.size, new.entry.need) if isinstance(new, Addition) else (1, new.need)
