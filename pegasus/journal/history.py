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
from pegasus.journal.nodes import NodeHistory, NodeState, RunHistory
from pegasus.model import Outcome
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

_NODE_STATES = {
    records.NODE_CONNECTED: NodeState.CONNECTED,
    records.NODE_UNREACHABLE: NodeState.UNREACHABLE,
    records.NODE_DISCONNECTED: NodeState.DISCONNECTED,
    records.NODE_LOST: NodeState.LOST,
}

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
            records.RUN_STARTED: self._run_started,
            records.RUN_ENDED: self._run_ended,
            records.RUN_DIED: self._run_died,
            records.JOBS_TAKEN: self._committed,
            records.JOBS_REQUEUED: self._committed,
            records.UNDONE: self._undone,
            records.ATTEMPT_STARTED: self._attempt_started,
            records.ATTEMPT_ANNOUNCED: self._attempt_announced,
            records.ATTEMPT_ENDED: self._attempt_ended,
            records.NEVER_STARTED: self._never_started,
            **dict.fromkeys(_NODE_STATES, self._node_changed),
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

    def _run_started(self, record: Record) -> None:
        run = self._run(record)
        run.started = str(record["at"])
        run.mode, run.host, run.user = (
            str(record.get(key, "")) for key in ("mode", "host", "user")
        )
        run.pid = _number(record, "pid") or 0
        run.settings = dict(record.get("settings") or {})
        for fields in record.get("nodes") or ():
            _node(run, fields)

    def _run_ended(self, record: Record) -> None:
        run = self._run(record)
        run.ended = str(record["at"])
        run.exit_status = _number(record, "exit_status")
        run.interrupted = _number(record, "interrupted")

    def _run_died(self, record: Record) -> None:
        self._run(record).died = True

    def _node_changed(self, record: Record) -> None:
        node = _node(self._run(record), record)
        node.state = _NODE_STATES[record["event"]]
        node.problem = str(record.get("problem", ""))

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
            _number(record, "index") or 0,
            str(record.get("command", "")),
            _number(record, "repeats") or 0,
            str(record["at"]),
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
        self._attempt(record).pid = _number(record, "pid")

    def _attempt_ended(self, record: Record) -> None:
        attempt = self._attempt(record)
        attempt.outcome = Outcome(record["outcome"])
        attempt.ended = str(record["at"])
        attempt.exit_status = _number(record, "exit_status")
        signal = record.get("exit_signal")
        attempt.exit_signal = None if signal is None else str(signal)
        attempt.detail = str(record.get("detail", ""))
        attempt.stdout = _number(record, "stdout") or 0
        attempt.stderr = _number(record, "stderr") or 0
        attempt.unlogged = _number(record, "unlogged") or 0
        attempt.again = record.get("again") is True

    def _never_started(self, record: Record) -> None:
        attempt = self._attempt(record)
        attempt.never_started = str(record.get("problem") or "it did not begin")
        attempt.ended = str(record["at"])


def _pass_over(_: Record) -> None:
    """Do nothing: an event of a later pegasus."""


def _node(run: RunHistory, fields: Record) -> NodeHistory:
    """Return the node of a run that fields describe; a new one where the run has none such."""
    index = int(fields["index"])
    if index not in run.nodes:
        params = {str(key): str(value) for key, value in (fields.get("params") or {}).items()}
        run.nodes[index] = NodeHistory(
            str(fields["node"]), index, str(fields.get("host", "")), params
        )
    return run.nodes[index]


def _number(record: Record, field: str) -> int | None:
    """Return a number of a record, or None where that is none."""
    value = record.get(field)
    return value if isinstance(value, int) else None
