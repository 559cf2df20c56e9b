"""All that the journal tells, for people: the jobs, their attempts, the runs and their nodes.

Nothing here holds a lock or changes anything. What a run has begun to write and not brought to an
end is seen as if it had not begun.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pegasus.journal import records
from pegasus.journal.file import JournalReader
from pegasus.journal.jobs import AttemptHistory, JobHistory, JobState, Taking
from pegasus.journal.nodes import OF_RUNS, NodeHistory, NodeState, RunHistory
from pegasus.journal.records import number_in, numbers_in
from pegasus.model import ONE_SLOT, Outcome
from pegasus.storage import staged_place

__all__ = [
    "AttemptHistory",
    "History",
    "JobHistory",
    "JobState",
    "NodeHistory",
    "NodeState",
    "RunHistory",
    "Taking",
]

#: What the id of a run may be: it is a part of file names.
_ID = re.compile("[0-9A-Za-z-]{1,64}")

#: What a broken record may lead to, and what then happens to it: nothing.
_BROKEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

Record = dict[str, Any]


class _Commit(NamedTuple):
    """A change of the queue file, which may turn out not to have been made.

    Attributes:
        mark: what marks the staged file until the change is made.
        before: how each of its jobs had been taken last, or None.
        after: how it was taken last once the change is made.
    """

    mark: str
    before: dict[int, Taking | None]
    after: dict[int, Taking]


class History:
    """What the journal of a queue file tells. One thread uses it.

    Args:
        folder: `.pegasus/<queue file name>`.
        is_alive: says of the id of a run whether it lives; asked only about those of whose end
            nothing is written down.

    Attributes:
        jobs: every job that was ever taken, by id, in the order of their first taking.
        runs: every run, by id, in the order of their starts.
    """

    def __init__(self, folder: Path, is_alive: Callable[[str], bool]) -> None:
        self.folder = folder
        self.jobs: dict[int, JobHistory] = {}
        self.runs: dict[str, RunHistory] = {}
        self._is_alive = is_alive
        self._queue_file = folder.parent.parent / folder.name
        self._reader = JournalReader(folder)
        self._last: _Commit | None = None
        self._is_undecided = False
        self._states: dict[int, JobState] = {}  # Those that nothing has changed since.
        self._handlers: dict[str, Callable[[Record], None]] = {
            **dict.fromkeys(OF_RUNS, self._told_of_run),
            records.JOBS_TAKEN: self._committed,
            records.JOBS_REQUEUED: self._committed,
            records.UNDONE: self._undone,
            records.ATTEMPT_STARTED: self._attempt_started,
            records.ATTEMPT_ANNOUNCED: self._attempt_announced,
            records.ATTEMPT_ENDED: self._attempt_ended,
            records.NEVER_STARTED: self._never_started,
        }

    def catch_up(self) -> bool:
        """Take in what is new; return whether anything is, or a run has died meanwhile.

        Raises:
            StorageError: the journal can't be read.
            JournalError: it is of another version.
        """
        was_undecided, self._is_undecided = self._is_undecided, False
        if was_undecided and self._last:
            self._apply(self._last)
        changed = self._read()
        # Whether a run is dead, or a commit made, may be written down right before we look: what
        # we see holds once nothing new has come behind it.
        while True:
            changed |= self._look_who_lives()
            is_undecided = self._is_last_staged()
            if not self._read():
                break
            changed = True
        if is_undecided and self._last:
            self._revert(self._last)
        self._is_undecided = is_undecided
        return changed or was_undecided != is_undecided

    def state(self, job: JobHistory) -> JobState:
        """Return where a job stands."""
        state = self._states.get(job.id)
        if state is None:
            run = self.runs.get(job.run)
            state = self._states[job.id] = job.state(run is not None and run.is_on)
        return state

    def _read(self) -> bool:
        is_new = self._reader.begins_anew()
        if is_new:
            self.jobs, self.runs, self._last = {}, {}, None
        for record in self._reader.read():
            is_new = True
            try:
                self._handlers.get(record["event"], _pass_over)(record)
            except _BROKEN:
                continue
        return is_new

    def _look_who_lives(self) -> bool:
        changed = False
        for run in self.runs.values():
            is_on = run.is_open and self._is_alive(run.id)
            if is_on != run.is_on:
                changed, run.is_on = True, is_on
                self._states.clear()
        return changed

    # Runs and nodes.

    def _run(self, record: Record) -> RunHistory:
        """Return the run that a record is of; its beginning may be lost with an older journal."""
        name = record["run"]
        if name not in self.runs:
            if not _ID.fullmatch(name):
                raise ValueError(name)
            self.runs[name] = RunHistory(name)
        return self.runs[name]

    def _told_of_run(self, record: Record) -> None:
        OF_RUNS[record["event"]](self._run(record), record)

    # Commits: what is taken and put back.

    def _committed(self, record: Record) -> None:
        is_take = record["event"] == records.JOBS_TAKEN
        jobs = [records.job_of(fields) for fields in record["jobs"]]
        run, at = str(record["run"]), str(record["at"])
        if run:
            self._run(record)
        known = {job.id: self.jobs[job.id].taking for job in jobs if job.id in self.jobs}
        if is_take:
            after = {job.id: Taking(job, run, at) for job in jobs}
        else:
            after = {
                job.id: known.get(job.id, Taking(job, run, at))._replace(is_undone=True)
                for job in jobs
            }
        before = {job.id: known.get(job.id) for job in jobs}
        self._last = _Commit(str(record["commit"]), before, after)
        self._apply(self._last)

    def _undone(self, record: Record) -> None:
        if self._last and self._last.mark == record["commit"]:
            self._revert(self._last)
            self._last = None

    def _is_last_staged(self) -> bool:
        """Whether the last commit has not been made: if it is not undone, it still may be."""
        last = self._last
        return last is not None and os.path.lexists(staged_place(self._queue_file, last.mark))

    def _apply(self, commit: _Commit) -> None:
        for number, taking in commit.after.items():
            self._states.pop(number, None)
            if number in self.jobs:
                self.jobs[number].taking = taking
            else:
                self.jobs[number] = JobHistory(taking)

    def _revert(self, commit: _Commit) -> None:
        for number, taking in commit.before.items():
            self._states.pop(number, None)
            if taking is None:
                self.jobs.pop(number, None)
            else:
                self.jobs[number].taking = taking

    # Attempts.

    def _attempt_started(self, record: Record) -> None:
        job = self._job(record)
        number = int(record["attempt"])
        job.attempts[number] = AttemptHistory(
            number,
            str(record["run"]),
            self._label(record),
            number_in(record, "index") or 0,
            str(record.get("command", "")),
            number_in(record, "repeats") or 0,
            str(record["at"]),
            slots=numbers_in(record.get("slots", ONE_SLOT.indices)) or (),
        )

    def _label(self, record: Record) -> str:
        """Return how people see the node of a record: the same text for all of its attempts."""
        run = self.runs.get(record["run"])
        node = run.nodes.get(record["index"]) if run else None
        label = str(record["node"])
        return node.label if node and node.label == label else label

    def _job(self, record: Record) -> JobHistory:
        """Return the job that a record tells something new of."""
        job = self.jobs[record["job"]]
        self._states.pop(job.id, None)
        return job

    def _attempt(self, record: Record) -> AttemptHistory:
        return self._job(record).attempts[record["attempt"]]

    def _attempt_announced(self, record: Record) -> None:
        self._attempt(record).pid = number_in(record, "pid")

    def _attempt_ended(self, record: Record) -> None:
        attempt = self._attempt(record)
        attempt.outcome = Outcome(record["outcome"])
        attempt.ended = str(record["at"])
        attempt.exit_status = number_in(record, "exit_status")
        signal = record.get("exit_signal")
        attempt.exit_signal = None if signal is None else str(signal)
        attempt.detail = str(record.get("detail", ""))
        attempt.stdout = number_in(record, "stdout") or 0
        attempt.stderr = number_in(record, "stderr") or 0
        attempt.unlogged = number_in(record, "unlogged") or 0
        attempt.again = record.get("again") is True

    def _never_started(self, record: Record) -> None:
        attempt = self._attempt(record)
        attempt.never_started = str(record.get("problem") or "it did not begin")
        attempt.ended = str(record["at"])


def _pass_over(_: Record) -> None:
    """Do nothing: an event of a later pegasus."""
