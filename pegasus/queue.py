"""The queue from Python: add commands, see what became of the jobs, put them back.

::

    from pegasus import JobState, Queue

    queue = Queue("queue.yaml")
    queue.add("python train.py --bs {{ bs }}", {"bs": ["8", "16"]}, slots=2)
    failed = [job for job in queue.jobs() if job.state is JobState.FAILED]
    queue.retry(states=[JobState.LOST, JobState.INTERRUPTED])

All of it works while runs are on, from any thread and any process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pegasus import storage
from pegasus.errors import PegasusError, ProblemsError, QueueFileError, StorageError
from pegasus.files.additions import Addition, Given
from pegasus.files.queuefile import QueueFile, jobs_of
from pegasus.files.tolerant import at_once
from pegasus.inputs import check_names, history_of, nodes_if_any
from pegasus.journal.choosing import choose, report
from pegasus.journal.history import JobState
from pegasus.journal.records import WHY_RETRY
from pegasus.journal.reports import JobReport
from pegasus.lint import Linter
from pegasus.locking import FileLock, Holder
from pegasus.model import Job, Place
from pegasus.settings import Settings
from pegasus.slots.allocation import FIRST_FIT
from pegasus.storage import Signature

StrPath = str | os.PathLike[str]

#: How often files that change while they are read are read again, before the lock is taken.
TRIES = 5


class Queue:
    """A queue file: what stands in it, and what became of what was taken.

    Args:
        path: the queue file; it is made when something is added.
        consumed: where jobs that are taken are recorded; by default, consumed.yaml beside it.
        hosts: hosts.yaml, for whose nodes templates that are added are checked. If there is none,
            they are only parsed.
        on_wait: called with who holds the queue's lock, in words, when that takes longer than a
            moment, as while somebody edits it with `inv lock`.
        purpose: what others are told who wait for us.
        allocation: by which policy runs give slots to jobs, where neither these nor nodes say so.

    Raises:
        SettingsError: two of the files are the same.
    """

    def __init__(
        self,
        path: StrPath = "queue.yaml",
        *,
        consumed: StrPath | None = None,
        hosts: StrPath = "hosts.yaml",
        on_wait: Callable[[str], object] | None = None,
        purpose: str = "pegasus.Queue",
        allocation: str = FIRST_FIT,
    ) -> None:
        self._settings = Settings(
            queue_file=os.fspath(path),
            consumed_file=os.fspath(consumed) if consumed else "",
            hosts_file=os.fspath(hosts),
            allocation=allocation,
        )
        check_names(self._settings)
        self.path = Path(path)
        self._on_wait = on_wait
        self._purpose = purpose
        self._file = QueueFile(self.path, self._settings.consumed_path)
        self._linter: tuple[Signature | None, Linter] | None = None
        # What looks without the queue's lock has a lock and a QueueFile of its own.
        self._looking = threading.Lock()
        self._seen = QueueFile(self.path, self._settings.consumed_path)
        self._history = history_of(self._file.lock)

    def add(
        self,
        command: str,
        params: Given | None = None,
        *,
        slots: int | None = None,
        on: str | None = None,
        head: bool = False,
    ) -> int:
        """Add an entry at the end of the queue.

        Args:
            command: a template.
            params: what fills it; several values of a parameter make a job for each choice.
            slots: how many slots of a node each job needs; by default, it is one.
            on: on which nodes they may run, an expression as for `--limit`.
            head: add it at the head.

        Returns:
            How many jobs it makes.

        Raises:
            QueueFileError: it can't be added: a template does not parse, or nobody has a parameter
                of it, which would stop every run; or the queue file is wrong.
            StorageError: the file can't be written.
        """
        addition = Addition.of(command, params, Place("the command", 1, 1), slots, on)
        return self.put([addition], head=head)

    def extend(
        self,
        commands: Iterable[str | tuple[str, Given]],
        *,
        slots: int | None = None,
        on: str | None = None,
        head: bool = False,
    ) -> int:
        """Add an entry for each command, or pair of a command and parameters; all or none.

        `slots` and `on` hold for each; see `add`.

        Returns:
            How many jobs they make.

        Raises:
            ProblemsError: several can't be added. For other errors see `add`.
        """
        if isinstance(commands, str):  # Its characters would be the commands.
            raise QueueFileError("this is one command; add it by `add`, or give a list of them")
        additions = [
            Addition.of(command, params, Place(f"command {number}", 1, 1), slots, on)
            for number, (command, params) in enumerate(map(_pair, commands), 1)
        ]
        return self.put(additions, head=head)

    def put(self, additions: Sequence[Addition], *, head: bool = False) -> int:
        """Add entries that say themselves where they come from; see `extend`."""
        self.check(additions)
        if additions:
            with self._held():
                self._file.add(additions, at_head=head)
        return sum(addition.size for addition in additions)

    def check(self, additions: Iterable[Addition]) -> None:
        """Raise what `put` would find wrong with entries; change nothing."""
        linter = self._current_linter()
        errors = [error for one in additions if (error := _problem(linter, one))]
        if errors:
            raise errors[0] if len(errors) == 1 else ProblemsError(errors)

    def jobs(self) -> list[JobReport]:
        """Return the jobs: those that were taken by their ids, then those in the queue, in order.

        A job that was put back stands among the latter, with its id.

        Raises:
            QueueFileError: the queue file is wrong.
            StorageError: something can't be read.
            JournalError: the journal is of another version.
        """
        with self._looking:
            for _ in range(TRIES):
                signature = self._seen.signature()
                found = self._look()
                if not self._seen.changed_since(signature):
                    return found
        with self._held(), self._looking:
            return self._look()

    def retry(
        self,
        ids: Iterable[int] = (),
        *,
        states: Iterable[JobState | str] = (),
        run: str | None = None,
        tail: bool = False,
    ) -> list[Job]:
        """Put jobs back into the queue as they were, in the order of their ids.

        Args:
            ids: the jobs of these ids. One that has succeeded may be among them.
            states: and all that stand like this, of those that are not to run anyway; the words
                of states, such as "failed", will do.
            run: only those of `states` that this run, or the `last` one, was the last to take.
            tail: put them at the end of the queue; by default, they come first.

        Returns:
            The jobs that were put back.

        Raises:
            NoSuchJobError: an id is no job's, or of one that runs or stands in the queue; or
                there is no such run. Nothing was put back.
            SettingsError: there is no such state.
            QueueFileError: the queue file is wrong.
            StorageError: a file can't be read or written; nothing was put back.
            JournalError: the journal is of another version.
        """
        with self._held():
            self._file.settle()
            jobs = self.choose(ids, states=states, run=run)
            if jobs:
                self._file.put_back(jobs, WHY_RETRY, at_end=tail)
        return jobs

    def choose(
        self,
        ids: Iterable[int] = (),
        *,
        states: Iterable[JobState | str] = (),
        run: str | None = None,
    ) -> list[Job]:
        """Return what `retry` would put back by now; change nothing."""
        with self._looking:
            self._history.catch_up()
            return choose(self._history, ids, states, run, self._in_file)

    def _held(self) -> AbstractContextManager[None]:
        self._assert_same_file()
        tell = self._on_wait

        def on_wait(holder: Holder) -> None:
            if tell:
                tell(str(holder))

        return self._file.lock.hold(self._purpose, on_wait)

    def _assert_same_file(self) -> None:
        """Refuse to go on under the lock, and with the journal, of another file."""
        if FileLock.of(self.path) is not self._file.lock:
            raise StorageError(
                f"{self.path} is another file by now, as the working directory or a link has"
                " changed; make a new Queue for it"
            )

    def _in_file(self) -> list[Job]:
        self._assert_same_file()
        if self._seen.signature() is None:
            return []
        return [job for entry in self._seen.entries(at_once) for job in jobs_of(entry)]

    def _look(self) -> list[JobReport]:
        # What is taken in between is seen twice, and not never: the file has changed then.
        in_file = self._in_file()
        self._history.catch_up()
        return report(self._history, in_file)

    def _current_linter(self) -> Linter:
        signature = storage.signature(Path(self._settings.hosts_file))
        if self._linter is None or self._linter[0] != signature:
            self._linter = (
                signature,
                Linter(nodes_if_any(self._settings), self._settings.allocation),
            )
        return self._linter[1]


def _pair(one: str | tuple[str, Given]) -> tuple[str, Given | None]:
    return (one, None) if isinstance(one, str) else one


def _problem(linter: Linter, addition: Addition) -> PegasusError | None:
    return next(linter.problems(addition.entry), None)
