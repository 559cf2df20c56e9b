"""Lock mode: an editor on the queue file, while nobody takes from it."""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

from pegasus import storage
from pegasus.errors import EditorError, PegasusError
from pegasus.interrupts import Interrupts


class Choice(Enum):
    """What to do with a queue file that the editor left wrong."""

    EDIT = "edit"
    KEEP = "keep"
    RESTORE = "restore"


def editor_command(setting: str) -> list[str]:
    """Return the editor as words: the setting, else `$EDITOR`, else vim.

    Raises:
        EditorError: it has quotes that don't match.
    """
    text = setting or os.environ.get("EDITOR", "").strip() or "vim"
    try:
        return shlex.split(text)
    except ValueError as error:
        raise EditorError(f"the editor {text!r} can't be split into words: {error}") from None


def edit(
    path: Path,
    editor: Sequence[str],
    check: Callable[[], object],
    ask: Callable[[PegasusError], Choice] | None,
) -> Path | None:
    """Run the editor on the queue file until what it leaves is right, or is to be kept.

    The caller holds the queue's lock.

    Args:
        path: the queue file; it may be missing, as a new one may be written.
        editor: the command, to which the path is appended.
        check: raises a PegasusError when the file can't be used.
        ask: asks the user about a wrong file; None where there is nobody to ask, and the file
            is restored.

    Returns:
        Where the refused text is, if the user chose to restore what was there.

    Raises:
        EditorError: the editor can't be run or failed, or its text was refused unasked.
    """
    before = storage.read(path) if path.exists() else None
    status = _run([*editor, os.path.abspath(path)])
    error = _problem(check, path)
    while error and ask and (choice := ask(error)) is not Choice.KEEP:
        if choice is Choice.RESTORE:
            return _restore(path, before)
        status = _run([*editor, os.path.abspath(path)])
        error = _problem(check, path)
    if error and not ask:
        rejected = _restore(path, before)
        raise EditorError(f"{error}\nrestored what was there; the refused text is in {rejected}")
    if status:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise EditorError(f"{editor[0]} {how}; the queue is as it left it")
    return None


def _run(command: list[str]) -> int:
    try:
        # A Ctrl-C in the editor is the editor's.
        with Interrupts([signal.SIGINT]):
            return subprocess.call(command)
    except OSError as error:
        raise EditorError(
            f"can't run the editor {command[0]} ({error.strerror});"
            " name one with --editor or $EDITOR"
        ) from None


def _problem(check: Callable[[], object], path: Path) -> PegasusError | None:
    if not path.exists():
        return None  # Nothing was written where nothing was, or the user removed the file.
    try:
        check()
    except PegasusError as error:
        return error
    return None


def _restore(path: Path, before: bytes | None) -> Path:
    """Put back what was there; keep the refused text beside it, and return where."""
    rejected = path.with_name(path.name + ".rejected")
    if rejected.exists():
        rejected.rename(_free_name(rejected))
    storage.replace(rejected, storage.read(path))
    if before is None:
        os.unlink(os.path.realpath(path))
    else:
        storage.replace(path, before)
    return rejected


def _free_name(path: Path) -> Path:
    """Return a name for what a path holds already: with the first number that is free."""
    names = (path.with_name(f"{path.name}.{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
