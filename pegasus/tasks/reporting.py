"""The task that writes a run down for people who were not there."""

from __future__ import annotations

import os
from pathlib import Path

from invoke import Context, task

from pegasus.settings import Settings
from pegasus.tasks.options import StrPath
from pegasus.tasks.task import PegasusTask, help_for, reported


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=help_for(
        "queue_file",
        output_file="where to write it; - is stdout (default: report-RUN.html beside the queue)",
        run="the id of the run, or last",
    ),
)
def report(
    c: Context,
    output_file: StrPath | None = None,
    run: str = "last",
    queue_file: StrPath | None = None,
) -> Path | None:
    """Write one HTML file of a run: what each node did when, durations, all attempts.

    It needs no network and no server to be looked at, and links to the logs where they are. Of a
    run that is still on, it shows how far it has come. Returns the file.
    """
    with reported():
        from pegasus.errands.report import report as errand

        settings = Settings.from_config(c.config, queue_file=queue_file)
        return errand(settings, os.fspath(output_file or ""), str(run), dry=c.config.run.dry)
