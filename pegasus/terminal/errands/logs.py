"""Logs of jobs on stdout: raw bytes, with a headline for each log where there are several."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pegasus.journal.logs import log_path
from pegasus.terminal.screen import is_read, was_read, write_bytes

#: How many lines are shown of a job that failed, and how far back they are looked for, in bytes.
LINES = 10
LONGEST_TAIL = 1 << 16


class NobodyReadsError(Exception):
    """Whoever read stdout has gone, as `head` does when it has seen enough."""


class LogScreen:
    """Stdout, where logs are shown one after another, or in turns.

    Args:
        titled: whether the first log gets a headline, too; the others always do.
    """

    def __init__(self, titled: bool) -> None:
        self._current: str | None = None if titled else ""
        self._is_first = True

    def begin(self, title: str) -> None:
        """Say which log comes now, unless it is that of the time before.

        The headline is that of tail(1), which stands between empty lines, too.
        """
        if self._current == "":
            self._current = title
        if self._current != title:
            space = "" if self._is_first else "\n"
            self.write(f"{space}==> {title} <==\n".encode(errors="backslashreplace"))
        self._current = title

    def write(self, data: bytes) -> None:
        """Write bytes as they are.

        Raises:
            NobodyReadsError: there is no use in going on.
            StorageError: stdout can't be written to.
        """
        if not was_read(write_bytes(sys.stdout, data)):
            raise NobodyReadsError
        self._is_first = False

    def check(self) -> None:
        """Look whether somebody still reads, while there is nothing to write.

        Raises:
            NobodyReadsError: nobody does.
        """
        if not is_read(sys.stdout):
            raise NobodyReadsError


def last_lines(path: os.PathLike[str]) -> bytes:
    """Return the end of a log: some lines, each with a newline; nothing where it is empty.

    Raises:
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - LONGEST_TAIL, 0))
        lines = file.read(LONGEST_TAIL).removesuffix(b"\n").split(b"\n")
    return b"\n".join(lines[-LINES:]) + b"\n" if size else b""


def telling_log(folder: Path, job: int, attempt: int) -> tuple[Path | None, bytes]:
    """Return the log of an attempt that tells more, and its last lines: see `last_lines`.

    That is stderr's, or stdout's where there is nothing on stderr; None where neither is there.

    Args:
        folder: `.pegasus/<queue file name>`.
    """
    found: Path | None = None
    for stream in ("err", "out"):
        path = log_path(folder, job, attempt, stream)
        try:
            tail = last_lines(path)
        except OSError:
            continue
        if tail:
            return path, tail
        found = found or path
    return found, b""
