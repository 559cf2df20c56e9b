"""Tell the runs of a queue what to do with jobs and nodes from now on, while they go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from pegasus.control.client import Answer, Report, tell_all
from pegasus.errors import StopError
from pegasus.inputs import runs_folder
from pegasus.locking import FileLock
from pegasus.modes.named import check
from pegasus.settings import Settings
from pegasus.terminal.errands import told
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen


def pause(settings: Settings, *, dry: bool = False) -> None:
    """Tell the runs that use the queue file to take no jobs for now, and say what each was told.

    Args:
        settings: which queue file.
        dry: tell nobody.

    Raises:
        StopError: nobody was told, or some run could not be.
    """
    _tell(settings, "pause", told.describe_pause, "there is nothing to pause", dry=dry)


def resume(settings: Settings, *, dry: bool = False) -> None:
    """Tell the runs that use the queue file to take jobs again; see `pause`."""
    _tell(settings, "resume", told.describe_resume, "there is nothing to resume", dry=dry)


def drain(settings: Settings, nodes: str, *, dry: bool = False) -> None:
    """Tell the runs that use the queue file to give some nodes no more jobs; see `pause`.

    Args:
        nodes: an expression, as for `limit`. It may be for no node of some runs.

    Raises:
        SettingsError: it is no expression.
        StopError: it is for no node at all; and as for `pause`.
    """
    advice = f"inv queue --exclude {shlex.quote(nodes)} leaves nodes out of the next one"
    _tell(settings, "drain nodes", told.describe_drain, advice, nodes, dry=dry)


def undrain(settings: Settings, nodes: str, *, dry: bool = False) -> None:
    """Tell the runs that use the queue file to give some nodes jobs again; see `drain`."""
    advice = "drained nodes are drained as long as their run is on"
    _tell(settings, "undrain nodes", told.describe_undrain, advice, nodes, dry=dry)


def _tell(
    settings: Settings,
    do: str,
    describe: Callable[[Answer], str],
    advice: str,
    nodes: str = "",
    *,
    dry: bool,
) -> None:
    check(nodes)
    printer = Printer(Screen())
    if dry:
        what = f"{do} {nodes}".strip()
        printer.say(f"this would tell the runs of {settings.queue_file}: {what}; none was told")
        return
    folder = runs_folder(FileLock.of(Path(settings.queue_file)))
    report = tell_all(folder, do, nodes=nodes)
    for answer in report.told:
        printer.say(describe(answer))
    if not report.told:
        problem = f"no run uses {settings.queue_file}; {advice}"
        raise StopError("\n".join(_excuses(report)) or problem)
    if report.troubles:
        raise StopError("\n".join(report.troubles))


def _excuses(report: Report) -> list[str]:
    """Return why no run has done what was wanted."""
    if len(report.answers) == 1:
        return [*report.troubles, report.answers[0].why]
    return [*report.troubles, *(f"{answer.run}: {answer.why}" for answer in report.answers)]
