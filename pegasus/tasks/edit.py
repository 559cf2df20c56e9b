"""The tasks that change the queue file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from invoke import Context, task

from pegasus.errors import SettingsError
from pegasus.settings import Settings
from pegasus.tasks.arguments import ids_of
from pegasus.tasks.options import StrPath
from pegasus.tasks.task import PegasusTask, help_for, reported

if TYPE_CHECKING:
    from pegasus.model import Job


@task(
    klass=PegasusTask,
    aliases=["l"],
    auto_shortflags=False,
    help=help_for("hosts_file", "queue_file", "editor"),
)
def lock(
    c: Context,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
    editor: str | None = None,
) -> None:
    """Edit the queue while no run takes from it.

    Running commands go on and free nodes wait until you leave the editor. What you saved is
    then checked, and if something is wrong you may edit again, keep it, or restore the file.
    """
    with reported():
        from pegasus.errands.lock import lock as errand

        settings = Settings.from_config(
            c.config, hosts_file=hosts_file, queue_file=queue_file, editor=editor
        )
        errand(settings, dry=c.config.run.dry)


@task(
    klass=PegasusTask,
    iterable=["param"],
    auto_shortflags=False,
    help=help_for(
        "hosts_file",
        "queue_file",
        "consumed_file",
        command="the command, or - to read one a line from stdin; --command= may be left out",
        param="name=value, which fills the command; several of the same name make a job each",
        slots="how many slots of a node each job needs (default: 1)",
        on="the nodes on which it may run, as for --limit: 'a100-*' or 'gpu=a100'",
        head="add it at the head of the queue, instead of at the end",
    ),
)
def add(
    c: Context,
    command: str = "",
    param: str | Iterable[str] | None = None,
    slots: int | str | None = None,
    on: str | None = None,
    head: bool = False,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
    consumed_file: StrPath | None = None,
) -> None:
    """Add a command to the end of the queue, properly quoted, as in inv add 'python train.py'.

    It may be done while runs are on, from many scripts at once. The command is a template and is
    checked first: it must parse, and each parameter of it must be a --param or a node's.
    """
    with reported():
        if not command:
            raise SettingsError("which command? inv add 'COMMAND', or inv add - to read stdin")
        from pegasus.errands.add import add as errand

        settings = Settings.from_config(
            c.config, hosts_file=hosts_file, queue_file=queue_file, consumed_file=consumed_file
        )
        params = [param] if isinstance(param, str) else param or ()
        needed = None if slots is None else str(slots)
        dry = c.config.run.dry
        errand(settings, command, params, slots=needed, on=on, head=head, dry=dry)


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=help_for(
        "queue_file",
        "consumed_file",
        ids="the ids of the jobs, as in inv retry 7 9",
        failed="jobs that failed, were killed by a signal or took too long",
        lost="jobs whose node was lost or could not be reached",
        interrupted="jobs that a run left when it was interrupted or died",
        cancelled="jobs that were cancelled",
        all_="all of these",
        run="of them, those that this run, or the last one, was the last to take",
        tail="put them at the end of the queue, instead of at the head",
    ),
)
def retry(
    c: Context,
    ids: int | str | Iterable[int | str] = (),
    failed: bool = False,
    lost: bool = False,
    interrupted: bool = False,
    cancelled: bool = False,
    all_: bool = False,
    run: str | None = None,
    tail: bool = False,
    queue_file: StrPath | None = None,
    consumed_file: StrPath | None = None,
) -> list[Job]:
    """Put jobs back at the head of the queue, to be run again.

    They keep their ids, parameters and options. What runs, or stands in the queue anyway, is not
    put back; a job that has succeeded only is if it is named. Returns the jobs.
    """
    with reported():
        from pegasus.errands.retry import retry as errand

        settings = Settings.from_config(
            c.config, queue_file=queue_file, consumed_file=consumed_file
        )
        flags = {
            "failed": failed,
            "lost": lost,
            "interrupted": interrupted,
            "cancelled": cancelled,
            "all": all_,
        }
        kinds = [kind for kind, is_wanted in flags.items() if is_wanted]
        return errand(settings, ids_of(ids), kinds, run=run, tail=tail, dry=c.config.run.dry)
