"""The Invoke tasks, and `ns`, the collection to embed.

Everything is configured under one key, `pegasus:`, whose settings are those of
`pegasus.settings`. Each is an option of the tasks that it concerns, too::

    from pegasus.tasks import ns                                # a whole tasks.py
    ns.add_collection(pegasus.tasks, name="cluster")            # inv cluster.queue
    from pegasus.tasks import queue                             # inv queue, among your own

A task that is called from your own returns a `pegasus.RunResult`. When not all went well it
raises `RunFailed`, which carries the result, unless it is told `warn=True`.

Importing this module is cheap: what connects and parses is imported when a task runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke import Argument, Collection, Context, Exit, Task, task

from pegasus.errors import PegasusError, SettingsError
from pegasus.settings import Settings, describe

if TYPE_CHECKING:
    from pegasus.checking import Checked
    from pegasus.result import RunResult

StrPath = str | os.PathLike[str]

_SHORT_FLAGS = {"daemon": "d", "error_aborts": "e", "ignore_errors": "i", "print_period": "p"}
_SWITCHES = {"daemon", "error_aborts", "skip_unreachable"}


class RunFailed(Exit):
    """A run in which not all went well. As an `invoke.Exit` it sets the exit status.

    Attributes:
        result: the `pegasus.RunResult`.
    """

    def __init__(self, result: RunResult) -> None:
        super().__init__(code=result.exit_status)
        self.result = result


class CheckFailed(Exit):
    """A check that found something wrong. As an `invoke.Exit` it sets the exit status, to 1.

    Attributes:
        checked: what was found, a `pegasus.checking.Checked`.
    """

    def __init__(self, checked: Checked) -> None:
        super().__init__(code=1)
        self.checked = checked


class PegasusTask(Task[Any]):
    """A task with chosen short flags: Invoke's automatic ones would take -h from help."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        options = super().arg_opts(name, default, taken_names)
        if name in _SHORT_FLAGS:
            options["names"].append(_SHORT_FLAGS[name])
        if name in _SWITCHES:
            # Without a default, so that "not given" differs from a caller's False.
            options["kind"] = bool
        return options

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        # `warn` is for Python callers, as in Context.run; on the command line it has no use.
        arguments = super().get_arguments(ignore_unknown_help)
        return [argument for argument in arguments if argument.name != "warn"]


def _help(*names: str, **more: str) -> dict[str, str]:
    return {**{name: describe(name) for name in names}, **more}


@task(
    klass=PegasusTask,
    aliases=["q"],
    auto_shortflags=False,
    help=_help(
        "hosts_file",
        "queue_file",
        "consumed_file",
        "ssh_config",
        "daemon",
        "timeout",
        "retries",
        "print_period",
    ),
)
def queue(
    c: Context,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
    consumed_file: StrPath | None = None,
    ssh_config: StrPath | None = None,
    daemon: bool | None = None,
    timeout: float | str | None = None,
    retries: int | str | None = None,
    print_period: int | str | None = None,
    warn: bool = False,
) -> RunResult:
    """Run each queued command once, on the next free node.

    Takes commands from the top of queue.yaml while it runs, so that you may add, change and
    delete those that wait (inv lock does so safely). Ends when the file is empty and every
    command has ended. Ctrl-C takes no more commands, a second one cancels those that run.
    """
    with reported():
        from pegasus import runs

        settings = Settings.from_config(
            c.config,
            hosts_file=hosts_file,
            queue_file=queue_file,
            consumed_file=consumed_file,
            ssh_config=ssh_config,
            daemon=daemon,
            timeout=timeout,
            retries=retries,
            print_period=print_period,
        )
        if c.config.run.dry:
            return dry(runs.check(settings))
        return checked(runs.queue(settings), warn)


@task(
    klass=PegasusTask,
    aliases=["b"],
    auto_shortflags=False,
    help=_help(
        "hosts_file",
        "queue_file",
        "consumed_file",
        "ssh_config",
        "daemon",
        "error_aborts",
        "skip_unreachable",
        "timeout",
        "retries",
        "print_period",
        ignore_errors="go on after a failed round: the default, over what is configured",
    ),
)
def broadcast(
    c: Context,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
    consumed_file: StrPath | None = None,
    ssh_config: StrPath | None = None,
    daemon: bool | None = None,
    error_aborts: bool | None = None,
    ignore_errors: bool = False,
    skip_unreachable: bool | None = None,
    timeout: float | str | None = None,
    retries: int | str | None = None,
    print_period: int | str | None = None,
    warn: bool = False,
) -> RunResult:
    """Run each queued command on every node, in step.

    No node begins a command before all have ended the one before. With --error-aborts the run
    ends after a round in which a node failed, and what is left stays in queue.yaml.
    """
    with reported():
        from pegasus import runs

        if error_aborts and ignore_errors:
            raise SettingsError("--error-aborts and --ignore-errors contradict each other")
        settings = Settings.from_config(
            c.config,
            hosts_file=hosts_file,
            queue_file=queue_file,
            consumed_file=consumed_file,
            ssh_config=ssh_config,
            daemon=daemon,
            error_aborts=error_aborts,
            skip_unreachable=skip_unreachable,
            timeout=timeout,
            retries=retries,
            print_period=print_period,
        )
        if ignore_errors:
            settings = replace(settings, error_aborts=False)
        if c.config.run.dry:
            return dry(runs.check(settings, on_each=True))
        return checked(runs.broadcast(settings), warn)


@task(
    klass=PegasusTask,
    aliases=["c"],
    auto_shortflags=False,
    help=_help(
        "hosts_file",
        "queue_file",
        all_="show all commands, not only the first ones",
        json_="write JSON, with the problems in it",
    ),
)
def check(
    c: Context,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
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
        from pegasus import runs

        settings = Settings.from_config(c.config, hosts_file=hosts_file, queue_file=queue_file)
        found = runs.check(settings, show_all=all_, as_json=json_)
        return found if warn else flawless(found)


@task(
    klass=PegasusTask,
    aliases=["l"],
    auto_shortflags=False,
    help=_help("hosts_file", "queue_file", "editor"),
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
        from pegasus import runs

        settings = Settings.from_config(
            c.config, hosts_file=hosts_file, queue_file=queue_file, editor=editor
        )
        runs.lock(settings, dry=c.config.run.dry)


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=_help(
        "queue_file",
        now="cancel the commands that run, too",
        job="cancel the job of this id, and nothing else",
    ),
)
def stop(
    c: Context,
    queue_file: StrPath | None = None,
    now: bool = False,
    job: int | str | None = None,
) -> None:
    """Tell the runs of a queue to end: no more commands are begun.

    Those that run go on to their end; --now cancels them. With --job ID a run cancels that job
    alone, at once, and goes on. The id of a job stands in the run's output.
    """
    with reported():
        from pegasus import runs

        settings = Settings.from_config(c.config, queue_file=queue_file)
        number = None if job is None else _job_id(job)
        runs.stop(settings, now=now, job=number, dry=c.config.run.dry)


def _job_id(value: int | str) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and int(text)):
        raise SettingsError(
            f"--job {text} is not the id of a job, which is a number such as 7; the run shows it"
        )
    return int(text)


def checked(result: RunResult, warn: bool = False) -> RunResult:
    """Return a result with which all is well, or that the caller wants to see; else raise it."""
    if not (result.ok or warn):
        raise RunFailed(result)
    return result


def flawless(found: Checked) -> Checked:
    """Return a check that found nothing wrong; else raise it."""
    if not found.ok:
        raise CheckFailed(found)
    return found


def dry(found: Checked) -> RunResult:
    """Return the result of a run that was only to be checked: nothing was done."""
    from pegasus.result import RunResult

    flawless(found)
    return RunResult()


@contextmanager
def reported() -> Iterator[None]:
    """Turn errors that are for people into Invoke's way to end with a message and a status."""
    try:
        yield
    except PegasusError as error:
        raise Exit(f"[pegasus] {error}", error.exit_status) from error
    except KeyboardInterrupt:
        raise Exit("[pegasus] interrupted", 130) from None


ns = Collection("pegasus", queue, broadcast, check, lock, stop)
