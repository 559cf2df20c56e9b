"""What is known of a queue file's text, so that it is checked once and not with every job.

The text is known to be right from some entry on, up to its end. When another process has taken
jobs from the head, or put some there, what is behind them is as it was: only the head is new.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pegasus.errors import QueueFileError
from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.queuetext import Result, begin
from pegasus.files.reader import Reader
from pegasus.files.source import Source


@dataclass(frozen=True)
class Known:
    """A queue file's content that is right.

    Attributes:
        data: the content.
        source: the content as text.
        begins: how far from the end of the text each entry begins, the last entry first.
        is_plain: whether each entry means the same without the others; see `Layout`.
    """

    data: bytes
    source: Source
    begins: array[int] = field(repr=False)
    is_plain: bool

    @classmethod
    def of(cls, data: bytes, reader: Reader, entries: Sequence[Entry]) -> Known:
        """Return what is known once `reader` has read `data` to its end, as these entries."""
        text, layout = reader.source.text, reader.layout
        begins = array("q", (len(text) - begin(text, layout, entry) for entry in entries))
        begins.reverse()
        return cls(data, reader.source, begins, layout.is_plain)

    def changed(self, result: Result) -> Known:
        """Return what is known once the text is `result`, whose tail is the end of this one."""
        data = (self.source.bom + result.text).encode()
        distance = len(result.tail)
        begins = self.begins[: bisect_right(self.begins, distance)]
        for job in reversed(result.jobs):
            distance += len(job)
            begins.append(distance)
        source = Source(data, self.source.file, self.source.error)
        return Known(data, source, begins, self.is_plain)

    def has(self, distance: int) -> bool:
        """Return whether an entry begins that far from the end of the text."""
        index = bisect_left(self.begins, distance)
        return index < len(self.begins) and self.begins[index] == distance


def validate(data: bytes, file: str, lint: Callable[[Entry], None], known: Known | None) -> Known:
    """Check a queue file's content, as far as it is not the end of what is known.

    Raises:
        QueueFileError: it is wrong.
    """
    source = Source(data, file, QueueFileError)
    reader = Reader(source)
    shared = _shared_end(known.source.text, source.text) if known and known.is_plain else 0
    begins: list[int] = []
    rest: array[int] = array("q")
    for entry in join(reader, QUEUE):
        distance = len(source.text) - begin(source.text, reader.layout, entry)
        if known and distance <= shared and reader.layout.is_plain and known.has(distance):
            rest = known.begins[: bisect_right(known.begins, distance)]
            break
        lint(entry)
        begins.append(distance)
    return Known(data, source, rest + array("q", reversed(begins)), reader.layout.is_plain)


def _shared_end(one: str, other: str) -> int:
    """Return how many characters at the end of two texts are the same."""
    most = min(len(one), len(other))
    shared, step = 0, 1 << 16
    while step:
        longer = shared + step
        if longer <= most and (
            one[len(one) - longer : len(one) - shared]
            == other[len(other) - longer : len(other) - shared]
        ):
            shared = longer
        else:
            step //= 2
    return shared
