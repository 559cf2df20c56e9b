"""Checks a queue file's content, but what is known of it already not once more.

Other runs take jobs from the file or put some back, users add to its end or edit it somewhere:
what is before that, and what is behind it, stays as it was, and is read and linted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pegasus.errors import QueueFileError
from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.known import Known
from pegasus.files.queueindex import Index, Standing
from pegasus.files.queuetext import begin
from pegasus.files.reader import Reader
from pegasus.files.source import Source

#: The last entry that begins as before may be part of the one above by now.
_MAY_BE_ONE = 2


def validate(data: bytes, file: str, lint: Callable[[Entry], None], known: Known | None) -> Known:
    """Check a queue file's content, as far as it is not the begin or the end of what is known.

    Args:
        lint: called with every entry that is new.

    Raises:
        QueueFileError: it is wrong.
    """
    source = Source(data, file, QueueFileError)
    old = known.index if known else Index()
    before = _same_before(known, source.text) if known else 0
    start = known.begin(before) if known and before else 0
    reader = Reader(source.part(start) if start else source)
    shared = _shared_end(known.source.text, source.text) if known and known.is_plain else 0
    behind = 0

    def new() -> Iterator[Standing]:
        nonlocal behind
        text, layout = reader.source.text, reader.layout
        for entry in join(reader, QUEUE):
            distance = len(text) - begin(text, layout, entry)
            if known and distance <= shared and layout.is_plain and old.has(distance):
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
    return Known(data, source, index, reader.layout.is_plain, reader.layout.is_flow)


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
