"""The two output streams, and how they share a terminal without lines ever mixing."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

from pegasus.errors import StorageError
from pegasus.terminal.lines.colours import Colours
from pegasus.terminal.lines.layout import Layout
from pegasus.terminal.lines.splitter import text_of

#: For how long a bottom line is drawn again as it was, in seconds.
FRESH = 0.05

#: Stands in front of messages of our own, as the label of a node does in front of its lines.
OURS = "pegasus"

#: Goes to the first column, and clears what stands there and below.
_ERASE = "\r\x1b[J"

#: Switch off, and on, that what is too long goes on in the next row (DECAWM). A window may be made
#: narrower between the look at its width and the drawing.
_CUT, _FOLD = "\x1b[?7l", "\x1b[?7h"


class _Outlet:
    """One stream: what is written to it, unless it has failed, under which lock."""

    def __init__(self, stream: TextIO | None, colours: Colours) -> None:
        self.stream = stream
        self.layout = Layout(stream, colours)
        self.lock = threading.RLock()

    def write(self, text: str) -> Exception | None:
        """Write, with the lock held; return what went wrong, after which nothing is written."""
        lost = write_text(self.stream, text)
        if lost:
            self.stream = None
        return lost


class _Bottom:
    """The line below the output: what it says, and whether it is drawn at this moment."""

    def __init__(self, layout: Layout) -> None:
        self.source: Callable[[int], str] | None = None
        self._layout = layout
        self._is_drawn = False
        self._line = ""
        self._until = 0.0

    def around(self, text: str, *, anew: bool = False) -> str:
        """Return a text with what takes the line away before it, and draws it again below.

        The cursor is left at the beginning of the line. So all of it is cleared even where a
        terminal that has become narrower has made two rows of it.
        """
        before = _ERASE if self._is_drawn else ""
        self._is_drawn = self.source is not None
        if not self._is_drawn:
            return before + text
        return f"{before}{text}{_CUT}{self._fresh(anew)}{_FOLD}\r"

    def _fresh(self, anew: bool) -> str:
        """Return the line; what it says is not asked for at each of a thousand lines."""
        now = time.monotonic()
        if self.source and (anew or now >= self._until):
            self._line, self._until = self.source(self._layout.width - 1), now + FRESH
        return self._layout.fitted(self._line)


class Screen:
    """Writes whole lines to stdout and stderr, each fitted to where that leads; see `Layout`.

    A stream that can't be written to any more (a pipe whose reader has gone, a full disk) is
    given up, with one word about it where that can be said: jobs are worth more than their
    output, and an event sink must not raise.

    Attributes:
        colours: of the labels that lines have in front.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.colours = Colours()
        self._out = _Outlet(out or sys.stdout, self.colours)
        self._err = _Outlet(err or sys.stderr, self.colours)
        self._is_one = _lead_to_the_same(self._out.stream, self._err.stream)
        if self._is_one:  # Two writers would tear the lines of each other.
            self._err.lock = self._out.lock
        self._bottom = _Bottom(self._err.layout)
        self._is_ended = False

    def out(self, lines: Iterable[str], label: str = "", job: str = "") -> None:
        """Write lines to stdout in one go, with `[label job]` in front of each, and flush."""
        self.out_text(text_of([*lines]), label, job)

    def err(self, lines: Iterable[str], label: str = "", job: str = "") -> None:
        """Write lines to stderr in one go, with `[label job]` in front of each, and flush."""
        self.err_text(text_of([*lines]), label, job)

    def out_text(self, text: str, label: str = "", job: str = "") -> None:
        """Do as `out` does with the lines of a text, each of which has its newline."""
        lost = self._write(self._out, text, label, job)
        if lost:
            self.err([f"stdout can't be written to ({lost}); jobs go on without it"], OURS)

    def err_text(self, text: str, label: str = "", job: str = "") -> None:
        """Do as `err` does with the lines of a text, each of which has its newline."""
        self._write(self._err, text, label, job)

    def end_output(self) -> None:
        """From now on write messages of ours alone: nothing of a job is to stand below them."""
        with self.alone():
            self._is_ended = True

    def alarming(self, lines: Iterable[str], *, on_err: bool = False) -> list[str]:
        """Return lines that tell of a failure, so that they stand out on stdout, or on stderr."""
        layout = (self._err if on_err else self._out).layout
        return [layout.alarming(line) for line in lines]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other thread write meanwhile."""
        with self._out.lock, self._err.lock:
            yield

    @property
    def has_bottom(self) -> bool:
        """Whether a line can be shown at the bottom: stderr is a terminal that obeys."""
        return self._err.stream is not None and self._err.layout.can_redraw

    @property
    def bottom(self) -> Callable[[int], str] | None:
        """What returns the line below all output, given how many columns it may take.

        The line may have SGR sequences, and is cut where it is too long. It is drawn again behind
        whatever is written, and asked for twenty times a second at most, by any thread that
        writes: it must be quick, and must not write. `redraw` shows a change at once; None, and
        `redraw`, take the line away.
        """
        return self._bottom.source

    @bottom.setter
    def bottom(self, source: Callable[[int], str] | None) -> None:
        with self._err.lock:
            self._bottom.source = source if self.has_bottom else None

    def redraw(self) -> None:
        """Draw the bottom line as it is now, or take it away."""
        with self._err.lock:
            if self.has_bottom and (text := self._bottom.around("", anew=True)):
                self._err.write(text)

    def _write(self, outlet: _Outlet, text: str, label: str, job: str) -> Exception | None:
        if outlet.stream is None:
            return None
        text = outlet.layout.text(text, label, job)
        with outlet.lock:
            if self._is_ended and label != OURS:
                return None  # It waited while the end was written.
            if outlet is self._err or (self._is_one and self.has_bottom):
                text = self._bottom.around(text)
            return outlet.write(text)


def _lead_to_the_same(one: TextIO | None, other: TextIO | None) -> bool:
    """Return whether two streams are the same file, such as one terminal."""
    try:
        return one is other or (
            one is not None
            and other is not None
            and (
                os.path.sameopenfile(one.fileno(), other.fileno())
                # A process has one terminal, but it may be open as /dev/tty, too. Only of that
                # one this can be asked.
                or min(os.tcgetpgrp(one.fileno()), os.tcgetpgrp(other.fileno())) > 0
            )
        )
    except (AttributeError, OSError, ValueError):  # They are no files.
        return False


def write(stream: TextIO | None, lines: Iterable[str]) -> Exception | None:
    """Write lines as they are, and flush; return what went wrong, or None.

    Nothing goes wrong where there is no stream: whoever started this has closed it.
    """
    return write_text(stream, text_of([*lines]))


def write_text(stream: TextIO | None, text: str) -> Exception | None:
    """Write text as it is, and flush; see `write`."""
    if stream is None:
        return None
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
