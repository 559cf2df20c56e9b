"""Show the output of jobs: what is in their logs, and what comes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pegasus.errands.failures import show_failures
from pegasus.errands.views import View
from pegasus.errors import NoSuchJobError, SettingsError
from pegasus.inputs import history_of
from pegasus.journal.history import History
from pegasus.locking import FileLock
from pegasus.settings import Settings
from pegasus.terminal.errands.logs import LogScreen, NobodyReadsError
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen

#: How often it is looked for more output, in seconds.
PERIOD = 0.1


def logs(
    settings: Settings,
    ids: Sequence[int] = (),
    *,
    follow: bool = False,
    err: bool = False,
    attempt: int | None = None,
    failed: bool = False,
) -> None:
    """Write the output of jobs to stdout, byte for byte. No run is asked, and no lock is taken.

    Args:
        settings: which queue file.
        ids: the ids of the jobs.
        follow: go on with what comes, until the jobs have ended.
        err: what they wrote to stderr, instead of stdout.
        attempt: the number of one attempt; otherwise the last one is shown, or several, where
            they don't make each other good, as in a broadcast.
        failed: show the end of the output of each job that failed, and nothing else.

    Raises:
        SettingsError: these don't go together.
        NoSuchJobError: there is no such job or attempt, or no output of it.
        JournalError: the journal is of another version.
        StorageError: something can't be read, or stdout can't be written to.
    """
    _check(ids, follow or err, attempt, failed)
    history = history_of(FileLock.of(Path(settings.queue_file)))
    history.catch_up()
    with suppress(NobodyReadsError):
        if failed:
            show_failures(history, Printer(Screen()))
        else:
            views = [View(history, number, attempt, err) for number in dict.fromkeys(ids)]
            _follow(history, views) if follow else _show(views)


def _check(ids: Sequence[int], is_special: bool, attempt: int | None, failed: bool) -> None:
    if failed and (ids or is_special or attempt is not None):
        raise SettingsError("--failed is for all jobs that failed, and goes with nothing else")
    if not (failed or ids):
        raise SettingsError(
            "say which job, as in inv logs 7 (inv status lists them), or say --failed"
        )
    if attempt is not None and len({*ids}) > 1:
        raise SettingsError("--attempt goes with one job")


def _show(views: Sequence[View]) -> None:
    """Write what is there."""
    problems = [view.look() for view in views]
    sources = [source for view in views for source in view.sources.values()]
    screen = LogScreen(titled=len(sources) > 1)
    for source in sources:
        source.show(screen, even_if_empty=True)
    _end(views, problems)


def _follow(history: History, views: Sequence[View]) -> None:
    """Write what is there and what comes, until all of it is there."""
    problems = [view.look() for view in views]
    screen = LogScreen(titled=sum(len(view.sources) for view in views) > 1)
    while True:
        # What is seen as ended has written all of its output before.
        goes_on = any(view.goes_on for view in views)
        for view in views:
            for source in view.sources.values():
                source.show(screen)
        if not goes_on:
            break
        screen.check()
        time.sleep(PERIOD)
        history.catch_up()
        problems = [view.look() for view in views]
    _end(views, problems)


def _end(views: Sequence[View], problems: Sequence[str]) -> None:
    for note in [note for view in views for note in view.notes()]:
        Printer(Screen()).say(note)
    if found := [problem for problem in problems if problem]:
        raise NoSuchJobError("\n".join(found))
