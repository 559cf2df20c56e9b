"""Put jobs back into the queue, to be run again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pegasus.errands.queues import queue_of
from pegasus.errors import SettingsError
from pegasus.journal.jobs import KINDS, JobState
from pegasus.model import Job
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer, count, first_line
from pegasus.terminal.screen import Screen

#: The kinds of jobs that may be chosen, each by a flag of its own; and the flag for all of them.
CHOICES = ("failed", "lost", "interrupted", "cancelled")
ALL = "all"


def retry(
    settings: Settings,
    ids: Sequence[int],
    kinds: Iterable[str] = (),
    *,
    run: str | None = None,
    tail: bool = False,
    dry: bool = False,
) -> list[Job]:
    """Put jobs back at the head of the queue, and say which.

    Args:
        settings: which queue file.
        ids: the jobs of these ids; or none, and
        kinds: all that are of these kinds: some of `CHOICES`, or `ALL`.
        run: only those that this run, or the `last` one, was the last to take.
        tail: put them at the end.
        dry: only say so.

    Returns:
        The jobs.

    Raises:
        SettingsError: it is not said which jobs, or said in two ways.
        PegasusError: whatever `pegasus.Queue.retry` raises; nothing was put back.
    """
    states = _states(ids, [*kinds], run)
    printer = Printer(Screen())
    queue = queue_of(settings, "inv retry", printer)
    if dry:
        jobs = queue.choose(ids, states=states, run=run)
    else:
        jobs = queue.retry(ids, states=states, run=run, tail=tail)
    printer.say(_told(jobs, settings.queue_file, tail, dry))
    return jobs


def _states(ids: Sequence[int], kinds: list[str], run: str | None) -> frozenset[JobState]:
    flags = ", ".join(f"--{kind}" for kind in CHOICES)
    if not ids and not kinds:
        raise SettingsError(f"which jobs? name their ids, as in inv retry 7 9, or {flags}, --{ALL}")
    if ids and (kinds or run):
        raise SettingsError("name jobs by their ids, or choose them by --run and others; not both")
    if ALL in kinds:
        kinds = [*CHOICES]
    return frozenset(state for kind in kinds for state in KINDS[kind])


def _told(jobs: Sequence[Job], file: str, tail: bool, dry: bool) -> str:
    if not jobs:
        return "there is no such job; nothing is put back"
    deed = "this would put back" if dry else "put back"
    where = f"at the {'end' if tail else 'head'} of {file}"
    width = len(str(jobs[-1].id))
    lines = [f"  {job.id:>{width}}  {_described(job)}" for job in jobs]
    return "\n".join([f"{deed} {count(len(jobs), 'job')} {where}:", *lines])


def _described(job: Job) -> str:
    """Return the first line of a job's template, and its parameters."""
    params = ", ".join(f"{name}={first_line(value)}" for name, value in job.params)
    return first_line(job.template) + (f"  ({params})" if params else "")
