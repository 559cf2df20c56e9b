"""The tasks that show something, and change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from pegasus.settings import Settings
from pegasus.tasks.arguments import ids_of, number_of
from pegasus.tasks.options import StrPath, filled
from pegasus.tasks.task import PegasusTask, help_for, reported

if TYPE_CHECKING:
    from pegasus.checking import Checked


class CheckFailed(Exit):
    """A check that found something wrong. As an `invoke.Exit` it sets the exit status, to 1.

    Attributes:
        checked: what was found, a `pegasus.checking.Checked`.
    """

    def __init__(self, checked: Checked) -> None:
        super().__init__(code=1)
        self.checked = checked


@task(
    klass=PegasusTask,
    aliases=["c"],
    auto_shortflags=False,
    help=help_for(
        "hosts_file",
        "queue_file",
        "limit",
        "exclude",
        all_="show all commands, not only the first ones",
        json_="write JSON, with the problems in it",
    ),
)
def check(
    c: Context,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
    limit: str | None = None,
    exclude: str | None = None,
    all_: bool = False,
    json_: bool = False,
    warn: bool = False,
) -> Checked:
    """Say what is wrong in both files, or else what would be run; change nothing.

    Every template is filled for the nodes, and the first commands are shown as they would run in
    queue mode if the nodes took turns. `inv --dry queue` and `inv --dry broadcast` do the same
    with the options of a run.
    """
    with reported():
        from pegasus.errands.check import check as errand

        settings = Settings.from_config(
            c.config,
            hosts_file=hosts_file,
            queue_file=queue_file,
            limit=filled("limit", limit),
            exclude=exclude,
        )
        found = errand(settings, show_all=all_, as_json=json_)
        return found if warn else flawless(found)


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=help_for(
        "queue_file",
        json_="write one JSON document",
        watch="show it again and again, until Ctrl-C",
    ),
)
def status(
    c: Context,
    queue_file: StrPath | None = None,
    json_: bool = False,
    watch: bool = False,
) -> None:
    """Say what runs where, what is left in the queue, and what failed.

    It is about the runs that are on, from whatever shell, or else about the last one. It takes no
    lock and changes nothing.
    """
    with reported(), leaving_quietly():
        from pegasus.errands.status import status as errand

        settings = Settings.from_config(c.config, queue_file=queue_file)
        errand(settings, as_json=json_, watch=watch)


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=help_for(
        "queue_file",
        ids="the ids of the jobs, as in inv logs 7",
        follow="go on with what comes, until the job has ended",
        err="what it wrote to stderr, instead of stdout",
        attempt="the number of one of its attempts (default: the last)",
        failed="the end of the output of each job that failed, was lost or interrupted",
    ),
)
def logs(
    c: Context,
    ids: int | str | Iterable[int | str] = (),
    follow: bool = False,
    err: bool = False,
    attempt: int | str | None = None,
    failed: bool = False,
    queue_file: StrPath | None = None,
) -> None:
    """Write the output of jobs as it is in their logs, byte for byte.

    Of a job that was run again, it is that of the last attempt; of a broadcast's, that of each
    node, with a headline. It takes no lock and changes nothing.
    """
    with reported(), leaving_quietly():
        from pegasus.errands.logs import logs as errand

        settings = Settings.from_config(c.config, queue_file=queue_file)
        problem = "is not the number of an attempt, such as 1"
        number = None if attempt is None else number_of(attempt, problem, "--attempt")
        errand(settings, ids_of(ids), follow=follow, err=err, attempt=number, failed=failed)


@contextmanager
def leaving_quietly() -> Iterator[None]:
    """Have Ctrl-C end with its status and no message: it is how one stops watching."""
    try:
        yield
    except KeyboardInterrupt:
        raise Exit(code=130) from None


def flawless(found: Checked) -> Checked:
    """Return a check that found nothing wrong; else raise it."""
    if not found.ok:
        raise CheckFailed(found)
    return found
