"""Tell the runs of a queue to end."""

from __future__ import annotations

from pathlib import Path

from pegasus.control.client import tell_all
from pegasus.errors import StopError
from pegasus.inputs import runs_folder
from pegasus.locking import FileLock
from pegasus.settings import Settings
from pegasus.terminal.errands.told import describe, excuse
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen


def stop(
    settings: Settings, *, now: bool = False, job: int | None = None, dry: bool = False
) -> None:
    """Tell the runs that use the queue file to end, and say what each was told.

    Args:
        settings: which queue file.
        now: cancel what runs, instead of waiting for it.
        job: cancel the job of this id and nothing else, whatever `now` says.
        dry: tell nobody.

    Raises:
        StopError: nobody was told, or some run could not be.
    """
    printer = Printer(Screen())
    if dry:
        printer.say(f"this would tell the runs of {settings.queue_file}; none was told")
        return
    do = "cancel job" if job is not None else "cancel" if now else "drain"
    report = tell_all(runs_folder(FileLock.of(Path(settings.queue_file))), do, job)
    for answer in report.told:
        printer.say(describe(answer, now, job))
    if not report.told:
        raise StopError(excuse(report, job) or f"no run uses {settings.queue_file}")
    if report.troubles and job is None:
        raise StopError("\n".join(report.troubles))
