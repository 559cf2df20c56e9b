"""The tasks that tell runs what to do with jobs and nodes from now on, while they go on."""

from __future__ import annotations

from collections.abc import Iterable

from invoke import Context, task

from pegasus.settings import Settings
from pegasus.tasks.arguments import expression_of
from pegasus.tasks.options import StrPath
from pegasus.tasks.task import PegasusTask, help_for, reported

_NODES = "which nodes, written as for --limit; --nodes= may be left out"


@task(klass=PegasusTask, auto_shortflags=False, help=help_for("queue_file"))
def pause(c: Context, queue_file: StrPath | None = None) -> None:
    """Tell the runs of a queue to take no more jobs, until inv resume.

    What runs goes on, the runs do not end, and no lock is held. The queue may be edited.
    """
    with reported():
        from pegasus.errands import steering

        settings = Settings.from_config(c.config, queue_file=queue_file)
        steering.pause(settings, dry=c.config.run.dry)


@task(klass=PegasusTask, auto_shortflags=False, help=help_for("queue_file"))
def resume(c: Context, queue_file: StrPath | None = None) -> None:
    """Tell the runs of a queue that were paused to take jobs again."""
    with reported():
        from pegasus.errands import steering

        settings = Settings.from_config(c.config, queue_file=queue_file)
        steering.resume(settings, dry=c.config.run.dry)


@task(klass=PegasusTask, auto_shortflags=False, help=help_for("queue_file", nodes=_NODES))
def drain(c: Context, nodes: str | Iterable[str] = (), queue_file: StrPath | None = None) -> None:
    """Tell the runs of a queue to give some nodes no more jobs, as in inv drain gpu-3.

    What runs there goes on to its end. It holds until inv undrain, or until the run ends; to leave
    nodes out of a run from its beginning, there is --exclude.
    """
    with reported():
        from pegasus.errands import steering

        expression = expression_of(nodes, "inv drain")
        settings = Settings.from_config(c.config, queue_file=queue_file)
        steering.drain(settings, expression, dry=c.config.run.dry)


@task(klass=PegasusTask, auto_shortflags=False, help=help_for("queue_file", nodes=_NODES))
def undrain(c: Context, nodes: str | Iterable[str] = (), queue_file: StrPath | None = None) -> None:
    """Tell the runs of a queue to give drained nodes jobs again, as in inv undrain gpu-3."""
    with reported():
        from pegasus.errands import steering

        expression = expression_of(nodes, "inv undrain")
        settings = Settings.from_config(c.config, queue_file=queue_file)
        steering.undrain(settings, expression, dry=c.config.run.dry)
