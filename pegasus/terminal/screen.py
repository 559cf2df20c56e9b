"""The two output streams, each with one lock, so that lines of different threads never mix."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Iterable
from typing import TextIO

from pegasus.errors import StorageError


class Screen:
    """Writes whole lines to stdout and stderr.

    A stream that can't be written to any more (a pipe whose reader has gone, a full disk) is
    given up, with one word about it where that can be said: jobs are worth more than their
    output, and an event sink must not raise.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out: TextIO | None = out or sys.stdout
        self._err: TextIO | None = err or sys.stderr
        self._out_lock = threading.Lock()
        self._err_lock = threading.Lock()

    def out(self, lines: Iterable[str]) -> None:
        """Write lines to stdout in one go, and flush."""
        lost: Exception | None = None
        with self._out_lock:
            if self._out is not None:
                lost = write(self._out, lines)
                self._out = None if lost else self._out
        if lost:
            self.err([f"[pegasus] stdout can't be written to ({lost}); jobs go on without it"])

    def err(self, lines: Iterable[str]) -> None:
        """Write lines to stderr in one go, and flush."""
        with self._err_lock:
            if self._err is not None and write(self._err, lines):
                self._err = None


def write(stream: TextIO | None, lines: Iterable[str]) -> Exception | None:
    """Write and flush; return what went wrong, or None.

    Nothing goes wrong where there is no stream: whoever started this has closed it.
    """
    if stream is None:
        return None
    text = "".join(f"{line}\n" for line in lines)
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as error:
        _drop(stream)
        return error
    return None


def write_bytes(stream: TextIO | None, data: bytes) -> Exception | None:
    """Write bytes as they are, and flush; return what went wrong, or None. See `write`."""
    if stream is None:
        return None
    try:
        if hasattr(stream, "buffer"):
            stream.flush()
            stream.buffer.write(data)
        else:  # It is of text alone, as one that somebody has put in the place of stdout may be.
            stream.write(data.decode(errors="replace"))
        stream.flush()
    except (OSError, ValueError) as error:
        _drop(stream)
        return error
    return None


def was_read(lost: Exception | None) -> bool:
    """Return whether what went to stdout has a reader; `lost` is what `write` has returned.

    Raises:
        StorageError: it could not be written for another reason.
    """
    if lost is None or isinstance(lost, BrokenPipeError):
        return lost is None
    raise StorageError(f"stdout can't be written to: {lost}")


def is_read(stream: TextIO | None) -> bool:
    """Return whether a stream leads anywhere: a pipe's reader may be gone, as with `| head`."""
    if stream is None:
        return False
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # It is no file.
        return True
    return not poll.poll(0)


def _drop(stream: TextIO) -> None:
    """Forget what a stream could not write.

    Python would try it once more at its end, fail, and change the exit status to 120.
    """
    with contextlib.suppress(OSError, ValueError):  # such as a stream that is no file
        number = stream.fileno()
        with open(os.devnull, "w") as nowhere:
            kept = os.dup(number)
            try:
                os.dup2(nowhere.fileno(), number)
                stream.flush()
            finally:
                os.dup2(kept, number)
                os.close(kept)
