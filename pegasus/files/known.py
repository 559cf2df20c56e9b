"""What is known of a queue file's text, so that it is checked once and not with every job.

The text is known to be right from some entry on, up to its end. When another process has taken
jobs from the head, or put some there, what is behind them is as it was: only the head is new.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat

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
        totals: how many jobs there are from each of them to the end.
        is_plain: whether each entry means the same without the others; see `Layout`.
    """

    data: bytes
    source: Source
    begins: array[int] = field(repr=False)
    totals: array[int] = field(repr=False)
    is_plain: bool

    @classmethod
    def of(cls, data: bytes, reader: Reader, entries: Sequence[Entry]) -> Known:
        """Return what is known once `reader` has read `data` to its end, as these entries."""
        text, layout = reader.source.text, reader.layout
        begins = array("q", (len(text) - begin(text, layout, entry) for entry in entries))
        begins.reverse()
        totals = array("q", accumulate(entry.size for entry in reversed(entries)))
        return cls(data, reader.source, begins, totals, layout.is_plain)

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return self.totals[-1] if self.totals else 0

    def changed(self, result: Result, sizes: Iterable[int] = repeat(1)) -> Known:
        """Return what is known once the text is `result`, whose tail is the end of this one.

        Args:
            sizes: how many jobs each of the entries makes that were put in.
        """
        data = (self.source.bom + result.text).encode()
        distance = len(result.tail)
        kept = bisect_right(self.begins, distance)
        begins, totals = self.begins[:kept], self.totals[:kept]
        for text, size in reversed([*zip(result.jobs, sizes, strict=False)]):
            distance += len(text)
            begins.append(distance)
            totals.append(size + (totals[-1] if totals else 0))
        source = Source(data, self.source.file, self.source.error)
        return Known(data, source, begins, totals, self.is_plain)

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
    sizes: list[int] = []
    rest: array[int] = array("q")
    totals: array[int] = array("q")
    for entry in join(reader, QUEUE):
        distance = len(source.text) - begin(source.text, reader.layout, entry)
        if known and distance <= shared and reader.layout.is_plain and known.has(distance):
            kept = bisect_right(known.begins, distance)
            rest, totals = known.begins[:kept], known.totals[:kept]
            break
        lint(entry)
        begins.append(distance)
        sizes.append(entry.size)
    for size in reversed(sizes):
        totals.append(size + (totals[-1] if totals else 0))
    begun = rest + array("q", reversed(begins))
    return Known(data, source, begun, totals, reader.layout.is_plain)


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
