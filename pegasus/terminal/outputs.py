"""The output of a running attempt: cut into lines, thinned out, and shown now or at its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from pegasus.events import Stream
from pegasus.terminal.holding import Held
from pegasus.terminal.lines.splitter import WholeLines, lines_of, text_of
from pegasus.terminal.lines.thinning import EveryNth
from pegasus.terminal.screen import OURS, Screen


class _Thinned:
    """The lines of one stream, of which every Nth passes; as texts of whole lines."""

    def __init__(self, period: int) -> None:
        self._passing = EveryNth(period)
        self._lines = WholeLines()

    def feed(self, data: bytes) -> str:
        # What nobody is going to see isn't read, either: that would cost most of the time.
        return self._thinned(self._lines.feed(data)) if self._passing.period else ""

    def finish(self) -> str:
        return self._thinned(self._lines.finish())

    def _thinned(self, text: str) -> str:
        if self._passing.period == 1:
            return text
        return text_of(self._passing.of(lines_of(text)))


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
        self._period = period
        self._streams: dict[Stream, _Thinned] = {}  # Those that have been written to.

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what a stream has got; one thread may do that for each stream."""
        if (lines := self._streams.get(stream)) is None:
            lines = self._streams.setdefault(stream, _Thinned(self._period))
        self._take(stream, lines.feed(data))

    def frame(self, lines: list[str]) -> None:
        """Take lines of ours that stand around the output."""
        self._take(Stream.STDOUT, text_of(lines))

    def finish(self) -> None:
        """Take what is left when the attempt has ended: an unterminated last line."""
        for stream in Stream if self._streams else ():
            if stream in self._streams:
                self._take(stream, self._streams[stream].finish())

    def release(self) -> None:
        """Show what is held back, if anything is."""

    def _take(self, stream: Stream, text: str) -> None:
        if text:
            self._write(stream, text)

    def _write(self, stream: Stream, text: str) -> None:
        write = self._screen.out_text if stream is Stream.STDOUT else self._screen.err_text
        write(text, *self._whose)


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

    def _take(self, stream: Stream, text: str) -> None:
        if not text:
            return
        with self._lock:
            if self._held is None:
                self._write(stream, text)
                return
            try:
                self._held.add(_records(stream, text))
            except OSError:  # All of it is held, but no more can be.
                self._show()

    def _show(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        try:
            with self._screen.alone():
                for records in held.batches():
                    for stream, text in _texts(records):
                        self._write(stream, text)
        except OSError as error:
            label = " ".join(filter(None, self._whose))
            lost = f"[{label}] the output that was held can't be read ({error}); inv logs can"
            self._screen.err([lost], OURS)
        finally:
            held.close()


_STREAMS = {b"o": Stream.STDOUT, b"e": Stream.STDERR}
_MARKS = {stream: mark for mark, stream in _STREAMS.items()}


def _records(stream: Stream, text: str) -> bytes:
    """Return the lines of a text as records: in front of each stands the mark of its stream."""
    mark = _MARKS[stream]
    return mark + text[:-1].encode().replace(b"\n", b"\n" + mark) + b"\n"


def _texts(records: bytes) -> Iterator[tuple[Stream, str]]:
    """Yield the lines of records that follow one another on the same stream, as texts."""
    first = records[:1]
    other = next(mark for mark in _STREAMS if mark != first)
    if b"\n" + other not in records:  # Mostly so: then they need not be taken apart.
        yield _STREAMS[first], records[1:-1].replace(b"\n" + first, b"\n").decode() + "\n"
        return
    for mark, same in groupby(records.split(b"\n")[:-1], lambda record: record[:1]):
        yield _STREAMS[mark], text_of([record[1:].decode() for record in same])
