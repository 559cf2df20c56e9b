"""The tasks that run commands, and the one that ends such runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from pegasus.errors import SettingsError
from pegasus.settings import Settings
from pegasus.tasks import options
from pegasus.tasks.arguments import number_of
from pegasus.tasks.look import flawless
from pegasus.tasks.options import StrPath
from pegasus.tasks.task import PegasusTask, help_for, reported

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pegasus.result import RunResult


class RunFailed(Exit):
    """A run in which not all went well. As an `invoke.Exit` it sets the exit status.

    Attributes:
        result: the `pegasus.RunResult`.
    """

    def __init__(self, result: RunResult) -> None:
        super().__init__(code=result.exit_status)
        self.result = result


@task(klass=PegasusTask, aliases=["q"], auto_shortflags=False, settings=options.QUEUE)
def queue(c: Context, warn: bool = False, **told: Unpack[options.RunOptions]) -> RunResult:
    """Run each queued command once, on the next free node.

    Takes commands from the top of queue.yaml while it runs, so that you may add, change and
    delete those that wait (inv lock does so safely). Ends when the file is empty and every
    command has ended. Ctrl-C takes no more commands, a second one cancels those that run.
    """
    with reported():
        from pegasus import runs

        settings = Settings.from_config(c.config, **options.given(options.QUEUE, told))
        if c.config.run.dry:
            return dry(settings)
        return checked(runs.queue(settings), warn)


@task(
    klass=PegasusTask,
    aliases=["b"],
    auto_shortflags=False,
    settings=options.BROADCAST,
    help={"ignore_errors": "go on after a failed round: the default, over what is configured"},
)
def broadcast(
    c: Context,
    ignore_errors: bool = False,
    warn: bool = False,
    **told: Unpack[options.BroadcastOptions],
) -> RunResult:
    """Run each queued command on every node, in step.

    No node begins a command before all have ended the one before. With --error-aborts the run
    ends after a round in which a node failed, and what is left stays in queue.yaml.
    """
    with reported():
        from pegasus import runs

        if told.get("error_aborts") and ignore_errors:
            raise SettingsError("--error-aborts and --ignore-errors contradict each other")
        settings = Settings.from_config(c.config, **options.given(options.BROADCAST, told))
        if ignore_errors:
            settings = replace(settings, error_aborts=False)
        if c.config.run.dry:
            return dry(settings, on_each=True)
        return checked(runs.broadcast(settings), warn)


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=help_for(
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
        from pegasus.errands.stop import stop as errand

        settings = Settings.from_config(c.config, queue_file=queue_file)
        problem = "is not the id of a job, which is a number such as 7; the run shows it"
        number = None if job is None else number_of(job, problem, "--job")
        errand(settings, now=now, job=number, dry=c.config.run.dry)


def checked(result: RunResult, warn: bool = False) -> RunResult:
    """Return a result with which all is well, or that the caller wants to see; else raise it."""
    if not (result.ok or warn):
        raise RunFailed(result)
    return result


def dry(settings: Settings, *, on_each: bool = False) -> RunResult:
    """Check a run instead of doing it; return the result of a run that has done nothing."""
    from pegasus.errands.check import check
    from pegasus.result import RunResult

    as_json = settings.output == "json"
    flawless(check(settings, show_all=as_json, as_json=as_json, on_each=on_each))
    return RunResult()
