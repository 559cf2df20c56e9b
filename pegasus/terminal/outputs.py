"""The output of a running attempt: cut into lines, thinned out, and shown now or at its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path

from pegasus.events import Stream
from pegasus.terminal.holding import Held
from pegasus.terminal.lines.splitter import LineSplitter
from pegasus.terminal.lines.thinning import EveryNth
from pegasus.terminal.screen import OURS, Screen

#: How many held lines are written in one go.
_BATCH = 100


class _Thinned:
    """The lines of one stream, of which every Nth passes."""

    def __init__(self, period: int) -> None:
        self._passing = EveryNth(period)
        self._splitter = LineSplitter()

    def feed(self, data: bytes) -> list[str]:
        # What nobody is going to see isn't cut, either: that would cost most of the time.
        return self._passing.of(self._splitter.feed(data)) if self._passing.period else []

    def finish(self) -> list[str]:
        return self._passing.of(self._splitter.finish())


class Live:
    """Shows what an attempt writes as it comes.

    Args:
        screen: where.
        whose: the label of the node, to stand in front of each line, and behind it of the job,
            or "" where the node has none beside it.
        period: every how many lines of each stream one is shown; 0 shows none.
    """

    def __init__(self, screen: Screen, whose: tuple[str, str], period: int) -> None:
        self._screen = screen
        self._whose = whose
        self._streams = {stream: _Thinned(period) for stream in Stream}

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what a stream has got; one thread may do that for each stream."""
        self._take(stream, self._streams[stream].feed(data))

    def frame(self, lines: list[str]) -> None:
        """Take lines of ours that stand around the output."""
        self._take(Stream.STDOUT, lines)

    def finish(self) -> None:
        """Take what is left when the attempt has ended: an unterminated last line."""
        for stream in Stream:
            self._take(stream, self._streams[stream].finish())

    def release(self) -> None:
        """Show what is held back, if anything is."""

    def _take(self, stream: Stream, lines: list[str]) -> None:
        if lines:
            self._write(stream, lines)

    def _write(self, stream: Stream, lines: list[str]) -> None:
        write = self._screen.out if stream is Stream.STDOUT else self._screen.err
        write(lines, *self._whose)


class Grouped(Live):
    """Holds what an attempt writes, and shows it in one piece when it is released.

    The lines of both streams come in the order in which they came, each on its own stream. What
    can't be held, as on a full disk, is shown as it comes; so is what comes after the release.

    Args:
        screen, whose, period: as for `Live`.
        folder: where a file is made for what is too long for the memory.
    """

    def __init__(
        self, screen: Screen, whose: tuple[str, str], period: int, folder: Path | None
    ) -> None:
        super().__init__(screen, whose, period)
        self._lock = threading.Lock()
        self._held: Held | None = Held(folder)

    def release(self) -> None:
        with self._lock:
            self._show()

    def _take(self, stream: Stream, lines: list[str]) -> None:
        if not lines:
            return
        with self._lock:
            if self._held is None:
                self._write(stream, lines)
                return
            try:
                self._held.add(_record(stream, line) for line in lines)
            except OSError:  # All of it is held, but no more can be.
                self._show()

    def _show(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        try:
            with self._screen.alone():
                for stream, lines in _batches(held.records()):
                    self._write(stream, lines)
        except OSError as error:
            label = " ".join(filter(None, self._whose))
            lost = f"[{label}] the output that was held can't be read ({error}); inv logs can"
            self._screen.err([lost], OURS)
        finally:
            held.close()


_STREAMS = {b"o": Stream.STDOUT, b"e": Stream.STDERR}
_MARKS = {stream: mark for mark, stream in _STREAMS.items()}


def _record(stream: Stream, line: str) -> bytes:
    return b"%b%b\n" % (_MARKS[stream], line.encode())


def _batches(records: Iterator[bytes]) -> Iterator[tuple[Stream, list[str]]]:
    """Yield the lines of records that follow one another on the same stream."""
    for mark, same in groupby(records, lambda record: record[:1]):
        while batch := [*islice(same, _BATCH)]:
            yield _STREAMS[mark], [record[1:-1].decode() for record in batch]
