"""Goes through the entries of a queue file: by lines as long as these are plain, else by YAML.

A parser takes twenty times as long for an entry, and long queues are mostly plain lines. These need
not come first: where many follow one another, the parser is left there, and another begins behind.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from pegasus.files.entries import Entry
from pegasus.files.plainlines import entry_of, scan
from pegasus.files.queuetext import begin, gap_end
from pegasus.files.reader import Reader
from pegasus.files.source import Source
from pegasus.files.tree import Layout

#: So many plain lines in a row are worth another parser behind them.
MANY = 16

#: Makes a parser of a text, and what yields its entries.
Parse = Callable[[Source], tuple[Reader, Iterator[Entry]]]


class Single(NamedTuple):
    """An entry that a parser has read, and how far from the end of the text it begins.

    The spans of its items are those in the part that was left to the parser.
    """

    entry: Entry
    distance: int


class Lines:
    """Entries that are plain lines, one behind the other.

    Args:
        source: where they stand.
        begins: the offsets at which they begin, and then that of what comes behind.
    """

    def __init__(self, source: Source, begins: array[int]) -> None:
        self._source = source
        self._begins = begins

    def __len__(self) -> int:
        return len(self._begins) - 1

    def __iter__(self) -> Iterator[Entry]:
        for begins, ends in pairwise(self._begins):
            entry = entry_of(self._source, begins, ends)
            assert entry is not None  # `scan` has found it.  # noqa: S101
            yield entry

    @property
    def end(self) -> int:
        """Where the line begins that is behind them, and for a parser to read."""
        return self._begins[-1]

    @property
    def distances(self) -> array[int]:
        """How far from the end of the text they begin."""
        length = len(self._source.text)
        distances = array("q", [length - begins for begins in self._begins])
        distances.pop()
        return distances


class Stretches:
    """The entries of a text, from an offset on, each as a Single or one of Lines.

    Args:
        source: the text.
        parse: makes a parser of what is left of it.
        start: where an entry begins that may be read without those before; or 0.
        stop: no entry that begins there, or behind, is one of Lines; by default, the text's end.
    """

    def __init__(
        self, source: Source, parse: Parse, start: int = 0, stop: int | None = None
    ) -> None:
        self._source = source
        self._parse = parse
        self._start = start
        self._stop = len(source.text) if stop is None else stop
        self._looked = 0  # Up to where there are not so many lines.
        self._was_plain = True
        self._layout = Layout()
        if source.text.startswith("%", gap_end(source.text, 0)):
            self._stop = 0  # What is behind a directive may mean something else without it.

    @property
    def is_plain(self) -> bool:
        """Whether each entry, as far as has been read, means the same without the others."""
        return self._was_plain and self._layout.is_plain

    @property
    def is_flow(self) -> bool:
        """Whether the list is in brackets; known once an entry has been read."""
        return self._layout.is_flow

    def __iter__(self) -> Iterator[Single | Lines]:
        start: int | None = self._start
        lines = self._lines(self._start)
        while start is not None:
            if lines:
                yield lines
                start = lines.end
            begin, start = start, None
            for entry, at in self._parsed(begin):
                if self.is_plain and not self.is_flow and (lines := self._lines(at)):
                    start = at
                    break
                yield Single(entry, len(self._source.text) - at)

    def _parsed(self, start: int) -> Iterator[tuple[Entry, int]]:
        """Yield what a parser reads from an offset on, and where each entry begins."""
        reader, entries = self._parse(self._source.part(start) if start else self._source)
        self._was_plain, self._layout = self.is_plain, reader.layout
        for entry in entries:
            yield entry, start + begin(reader.source.text, reader.layout, entry)

    def _lines(self, start: int) -> Lines | None:
        """Return the plain lines that follow one another from an offset on, if they are many."""
        if start < self._looked:
            return None
        begins = scan(self._source.text, start, self._stop)
        self._looked = begins[-1] + 1 if begins else start + 1
        return Lines(self._source, begins) if len(begins) > MANY else None
