"""Write a run as one HTML page."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from types import ModuleType

from pegasus import storage
from pegasus.errors import NoSuchJobError, PegasusError, StorageError
from pegasus.inputs import history_of
from pegasus.journal.choosing import LAST
from pegasus.journal.history import History
from pegasus.journal.logs import logs_folder
from pegasus.journal.nodes import RunHistory
from pegasus.locking import FileLock
from pegasus.report.account import Account
from pegasus.settings import Settings
from pegasus.terminal.errands.logs import LogScreen, NobodyReadsError
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen
from pegasus.terminal.words import count

#: The file that stands for stdout.
STDOUT = "-"


def report(
    settings: Settings, output: str = "", run: str = LAST, *, dry: bool = False
) -> Path | None:
    """Write the report of a run, and say where. No run is asked, and no lock is taken.

    Args:
        settings: which queue file.
        output: the file, which may be an earlier report; or a folder, or `-` for stdout. By
            default, `report-<run>.html` beside the queue file.
        run: the id of the run, or `last`.
        dry: only say what would be written.

    Returns:
        The file; None where it is stdout, and where nothing is written.

    Raises:
        PegasusError: plotly is not installed.
        NoSuchJobError: there is no such run.
        JournalError: the journal is of another version.
        StorageError: it can't be read, or the file can't be written, or is no report.
    """
    pages = _pages()
    queue_file = Path(settings.queue_file)
    history = history_of(FileLock.of(queue_file))
    history.catch_up()
    told = _run(history, run)
    path = None if output == STDOUT else _path(output, queue_file, told)
    if path:
        _check(path, pages.BEGINNING)
    account = Account(history, told, settings.queue_file, datetime.now().astimezone())
    what = f"run {told.id}, {count(sum(account.attempts.values()), 'attempt')}"
    if dry:
        Printer(Screen()).say(f"this would write {path or 'to stdout'}: {what}")
        return None
    data = _page(pages, account, history.folder, path.parent if path else Path())
    if path is None:
        _show(data)
        return None
    storage.replace(path, data)
    Printer(Screen()).say(f"{path} written: {what} ({len(data) / 1e6:.1f} MB)")
    return path


def _pages() -> ModuleType:
    """Return the room that needs plotly, which is not installed with pegasus."""
    try:
        from pegasus.report import page
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "plotly":
            raise
        hint = "inv report needs plotly, which is not there: pip install plotly"
        raise PegasusError(hint) from error
    return page


def _run(history: History, name: str) -> RunHistory:
    runs = history.runs
    if not runs:
        raise NoSuchJobError("no run has begun yet, so there is nothing to report")
    if name == LAST:
        return [*runs.values()][-1]
    if name not in runs:
        raise NoSuchJobError(f"there is no run {name}; there are: {', '.join(runs)}")
    return runs[name]


def _path(output: str, queue_file: Path, run: RunHistory) -> Path:
    name = f"report-{run.id}.html"
    if not output:
        return queue_file.parent / name
    path = Path(os.path.expanduser(output))
    return path / name if path.is_dir() else path


def _check(path: Path, beginning: str) -> None:
    """Refuse to write over what is no report, be it by a slip of the fingers."""
    if not os.path.lexists(path):
        return
    if path.exists() and not path.is_file():
        raise StorageError(f"{path} is not an ordinary file; name another one")
    with storage.failing(path, "read"), open(path, "rb") as file:
        begins = file.read(len(beginning))
    if begins and begins != beginning.encode():
        raise StorageError(f"{path} is there and is no report; name another file, or remove it")


def _page(pages: ModuleType, account: Account, folder: Path, beside: Path) -> bytes:
    logs = logs_folder(folder)
    try:
        names = frozenset(os.listdir(logs))
    except FileNotFoundError:
        names = frozenset()
    except OSError as error:
        raise storage.failure(logs, "read", error) from error
    data: bytes = pages.page(account, logs, beside, names)
    return data


def _show(data: bytes) -> None:
    try:
        LogScreen(titled=False).write(data)
    except NobodyReadsError:
        return
