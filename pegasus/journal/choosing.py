"""Which jobs may be put back, and which of those in the queue file were put back before.

The queue file has no ids: a job that was put back is known there by its text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from pegasus.errors import NoSuchJobError, SettingsError
from pegasus.journal.history import History
from pegasus.journal.jobs import JobHistory, JobState
from pegasus.journal.records import JobText, text_of
from pegasus.journal.reports import JobReport
from pegasus.model import Job

#: The states of jobs that are yet to come to an end.
UNENDED = frozenset({JobState.QUEUED, JobState.TAKEN, JobState.RUNNING})
#: The word for the run that began last.
LAST = "last"


def choose(
    history: History,
    ids: Iterable[int],
    states: Iterable[JobState | str],
    run: str | None,
    in_file: Callable[[], Iterable[Job]],
) -> list[Job]:
    """Return jobs that may be put back, in the order of their ids.

    Args:
        history: has caught up.
        ids: the jobs of these ids.
        states: and all that stand like this, but for those that are yet to come to an end; the
            words of states will do.
        run: only those of `states` that this run, or the `last` one, was the last to take.
        in_file: returns the jobs in the queue file. One that was put back and that somebody has
            removed from there may be put back once more.

    Raises:
        NoSuchJobError: there is no such job or run, or a job of `ids` can't be put back now.
        SettingsError: there is no such state.
    """
    wanted = sorted(set(ids))
    if problems := [*_problems(history, wanted, in_file)]:
        raise NoSuchJobError("\n".join(problems))
    found = {number: history.jobs[number] for number in wanted}
    chosen = _states(states) - UNENDED
    run = _run_id(history, run)
    for job in history.jobs.values():
        if history.state(job) in chosen and run in (None, job.run):
            found[job.id] = job
    return [found[number].job for number in sorted(found)]


def _states(wanted: Iterable[JobState | str]) -> frozenset[JobState]:
    words = [wanted] if isinstance(wanted, str) else [*wanted]
    there = [state.value for state in JobState]
    for word in words:
        if word not in there and not isinstance(word, JobState):
            raise SettingsError(f"{word!r} is no state of a job; there are: {', '.join(there)}")
    return frozenset(map(JobState, words))


def report(history: History, in_file: Iterable[Job]) -> list[JobReport]:
    """Return all jobs that were taken, by their ids, and then those in the queue file."""
    standing = _Standing(history)
    queued = [_report_queued(job, standing.pop(job)) for job in in_file]
    taken = [
        JobReport.of(job, _state(history, job))
        for number, job in sorted(history.jobs.items())
        if number not in standing.found
    ]
    return taken + queued


class _Standing:
    """The jobs that were put back, to be found by their texts.

    Attributes:
        found: the ids of those that were.
    """

    def __init__(self, history: History) -> None:
        self.found: set[int] = set()
        self._jobs: dict[JobText, deque[JobHistory]] = {}
        for number in sorted(history.jobs):
            job = history.jobs[number]
            if history.state(job) is JobState.QUEUED:
                self._jobs.setdefault(text_of(job.taking.job), deque()).append(job)

    def pop(self, job: Job) -> JobHistory | None:
        """Return the one that a job in the file is, if it is one, and only once."""
        same = self._jobs.get(text_of(job))
        if not same:
            return None
        self.found.add(same[0].id)
        return same.popleft()


def _report_queued(job: Job, before: JobHistory | None) -> JobReport:
    return JobReport.of(before, JobState.QUEUED) if before else JobReport.new(job)


def _state(history: History, job: JobHistory) -> JobState:
    """Return where a job stands that is not in the file, even if it was put back there."""
    state = history.state(job)
    if state is not JobState.QUEUED:
        return state
    return JobHistory(job.taking._replace(is_undone=False), job.attempts).state(is_on=False)


def _problems(
    history: History, ids: Iterable[int], in_file: Callable[[], Iterable[Job]]
) -> Iterator[str]:
    states = {
        number: history.state(history.jobs[number]) for number in ids if number in history.jobs
    }
    standing = _found(history, in_file()) if JobState.QUEUED in states.values() else set()
    for number in ids:
        state = states.get(number)
        if state is None:
            yield f"there is no job {number}; {_range(history)}"
        elif number in standing:
            yield f"job {number} stands in the queue already"
        elif state is JobState.RUNNING:
            final = history.jobs[number].final
            nodes = ", ".join(attempt.node for attempt in final if attempt.is_open)
            yield f"job {number} is running on {nodes}"
        elif state is JobState.TAKEN:
            yield f"job {number} was taken by a run that is on, and is yet to run"


def _found(history: History, in_file: Iterable[Job]) -> set[int]:
    standing = _Standing(history)
    for job in in_file:
        standing.pop(job)
    return standing.found


def _range(history: History) -> str:
    if not history.jobs:
        return "no job was taken yet"
    return f"those that were taken have the ids {min(history.jobs)} to {max(history.jobs)}"


def _run_id(history: History, run: str | None) -> str | None:
    """Return the id of a run that somebody has named; None stands for all."""
    if run is None or run in history.runs:
        return run
    if run == LAST and history.runs:
        return [*history.runs][-1]
    if not history.runs:
        raise NoSuchJobError("no run has begun yet")
    raise NoSuchJobError(f"there is no run {run}; there are: {', '.join(history.runs)}")
