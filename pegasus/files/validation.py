"""Checks a queue file's content: all of it, or only what is not known already.

Other runs take jobs from the file or put some back, users add to its end or edit it somewhere:
what is before that, and what is behind it, stays as it was, and is read and linted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pegasus.errors import QueueFileError
from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.known import Known
from pegasus.files.queueindex import Index, Row, Standing
from pegasus.files.reader import Reader
from pegasus.files.source import Source
from pegasus.files.stretches import Lines, Stretches
from pegasus.files.tolerant import Refuse, TolerantReader

#: The last entry that begins as before may be part of the one above by now.
_MAY_BE_ONE = 2


class Reading:
    """A queue file's content as it is read past what is wrong; see `TolerantReader`.

    Args:
        data: the content.
        file: the name of the file.
        refuse: is told what is wrong.

    Raises:
        QueueFileError: it is no UTF-8; or, while reading, it is no YAML or no list.
    """

    def __init__(self, data: bytes, file: str, refuse: Refuse) -> None:
        self._data = data
        self._source = Source(data, file, QueueFileError)
        self._refuse = refuse
        self._stretches = Stretches(self._source, self._parse)
        self._read: list[Standing | Row] = []
        self._head: Entry | None = None

    def __iter__(self) -> Iterator[Lines | tuple[Entry]]:
        """Yield the entries that are right, those together that differ in words alone."""
        for found in self._stretches:
            if isinstance(found, Lines):
                self._read.append(Row(found.distances))
                yield found
            else:
                entry, distance = found
                self._head = self._head if self._read else entry
                self._read.append(Standing(distance, entry.size, entry.need))
                yield (entry,)

    def known(self) -> Known:
        """Return what is known once all has been read, and nothing was wrong."""
        index, stretches = Index.of(self._read), self._stretches
        is_plain, is_flow = stretches.is_plain, stretches.is_flow
        return Known(self._data, self._source, index, is_plain, is_flow, self._head)

    def _parse(self, source: Source) -> tuple[Reader, Iterator[Entry]]:
        reader = TolerantReader(source, QUEUE, self._refuse)
        return reader, reader.entries()


def validate(data: bytes, file: str, lint: Callable[[Entry], None], known: Known | None) -> Known:
    """Check a queue file's content, as far as it is not the begin or the end of what is known.

    Args:
        lint: called with every entry that is new; of plain lines that follow one another, with
            the first: they differ in words that are not looked at.

    Raises:
        QueueFileError: it is wrong.
    """
    source = Source(data, file, QueueFileError)
    old = known.index if known else Index()
    before = _same_before(known, source.text) if known else 0
    start = known.begin(before) if known and before else 0
    shared = _shared_end(known.source.text, source.text) if known and known.is_plain else 0
    stretches = Stretches(source, _parse, start, len(source.text) - shared)
    behind = 0

    def new() -> Iterator[Standing | Row]:
        nonlocal behind
        for found in stretches:
            if isinstance(found, Lines):
                lint(next(iter(found)))
                yield Row(found.distances)
                continue
            entry, distance = found
            if known and distance <= shared and stretches.is_plain and old.has(distance):
                behind = old.starting_within(distance)
                break
            lint(entry)
            yield Standing(distance, entry.size, entry.need)

    found = Index.of(new(), like=old)
    index = Index(like=old)
    index.put_all_first(old, len(old) - behind, 0)
    index.put_all_first(found, 0, 0)
    grown = len(source.text) - len(known.source.text) if known else 0
    index.put_all_first(old, 0, len(old) - before, grown)
    return Known(data, source, index, stretches.is_plain, stretches.is_flow)


def _parse(source: Source) -> tuple[Reader, Iterator[Entry]]:
    reader = Reader(source)
    return reader, join(reader, QUEUE)


def _same_before(known: Known, text: str) -> int:
    """Return how many entries at the begin of a text are sure to be those that are known."""
    old = known.source.text
    # What is behind a directive may mean something else without it.
    if not known.is_apart or "%" in old[: known.begin(0)]:
        return 0
    shared = _shared_begin(old, text)
    starting = len(known.index) - known.index.starting_within(len(old) - shared - 1)
    return max(starting - _MAY_BE_ONE, 0)


def _shared_begin(one: str, other: str) -> int:
    """Return how many characters at the begin of two texts are the same."""
    most = min(len(one), len(other))
    return _longest(most, lambda since, to: one[since:to] == other[since:to])


def _shared_end(one: str, other: str) -> int:
    """Return how many characters at the end of two texts are the same."""
    ends = len(one), len(other)

    def is_same(since: int, to: int) -> bool:
        return one[ends[0] - to : ends[0] - since] == other[ends[1] - to : ends[1] - since]

    return _longest(min(ends), is_same)


def _longest(most: int, is_same: Callable[[int, int], bool]) -> int:
    """Return how far two texts are the same; `is_same` compares them between two distances."""
    shared, step = 0, 1 << 16
    while step:
        longer = shared + step
        if longer <= most and is_same(shared, longer):
            shared = longer
        else:
            step //= 2
    return shared
