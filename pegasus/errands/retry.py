"""Put jobs back into the queue, to be run again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pegasus.errands.queues import queue_of
from pegasus.errors import SettingsError
from pegasus.journal.jobs import KINDS, JobState
from pegasus.model import Job
from pegasus.settings import Settings
from pegasus.terminal.errands.told import describe_put_back
from pegasus.terminal.printer import Printer
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
    printer.say(describe_put_back(jobs, settings.queue_file, tail=tail, dry=dry))
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
