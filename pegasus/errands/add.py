"""Add entries to the queue."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping

from pegasus.errands.queues import queue_of
from pegasus.errors import QueueFileError, SettingsError, StorageError
from pegasus.files.additions import Addition
from pegasus.helpers.registry import REGISTRY
from pegasus.model import Place
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen
from pegasus.terminal.words import count

#: The command that stands for what comes on stdin.
STDIN = "-"

_LINE_END = re.compile(rb"\r?\n")


def add(
    settings: Settings,
    command: str,
    params: Iterable[str] = (),
    *,
    slots: str | None = None,
    on: str | None = None,
    head: bool = False,
    dry: bool = False,
) -> None:
    """Add an entry at the end of the queue, or one for each line of stdin, and say so.

    Args:
        settings: which queue file, and whose nodes templates are checked for.
        command: a template; or `-` for stdin.
        params: `name=value`, of which those with the same name make a grid.
        slots: how many slots of a node each job needs.
        on: on which nodes the jobs may run.
        head: add at the head.
        dry: only say so.

    Raises:
        SettingsError: something in `params` has no `=`.
        QueueFileError: an entry can't be added, or the queue file is wrong; nothing was added.
        ProblemsError: several entries can't be.
        StorageError: something can't be read or written; nothing was added.
    """
    printer = Printer(Screen())
    REGISTRY.use(settings.helpers)
    given = _given(params)
    texts = _lines() if command == STDIN else [(Place("the command", 1, 1), command)]
    additions = [Addition.of(text, given, place, slots, on) for place, text in texts]
    queue = queue_of(settings, "inv add", printer)
    if dry:
        queue.check(additions)
    else:
        queue.put(additions, head=head)
    printer.say(_told(additions, settings.queue_file, head, dry))


def _given(params: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in params:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise SettingsError(f"--param {one}: write it as name=value, such as --param bs=8")
        found.setdefault(name, []).append(value)
    return found


def _lines() -> Iterator[tuple[Place, str]]:
    """Yield the lines of stdin that are not blank, with their places."""
    if sys.stdin is None:  # Whoever started this has closed it.
        raise StorageError("stdin can't be read: it is closed; give the commands in a pipe")
    try:
        data = sys.stdin.buffer.read()
    except (AttributeError, OSError) as error:  # It is of text alone, or broken.
        raise StorageError(f"stdin can't be read: {error}") from None
    for number, line in enumerate(_LINE_END.split(data), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            column = len(line[: error.start].decode()) + 1
            raise QueueFileError("this is not UTF-8", Place("stdin", number, column)) from None
        if text.strip():
            yield Place("stdin", number, 1), text


def _told(additions: list[Addition], file: str, head: bool, dry: bool) -> str:
    if not additions:
        return "there was no command on stdin; nothing is added"
    number = len(additions)
    entries = "1 entry" if number == 1 else f"{number} entries"
    jobs = count(sum(addition.size for addition in additions), "job")
    return (
        f"{'this would add' if dry else 'added'} {entries} ({jobs})"
        f" at the {'head' if head else 'end'} of {file}"
    )
