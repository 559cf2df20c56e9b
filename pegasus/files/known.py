"""What is known of a queue file's text, so that it is checked once and not with every job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple, overload

from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.plainlines import entry_of
from pegasus.files.queueindex import Change, Index, Made
from pegasus.files.queuetext import Edit, applied
from pegasus.files.reader import Reader
from pegasus.files.source import Source
from pegasus.files.tree import Span
from pegasus.model import Need

#: How many entries are read at once by who goes through all of them.
_AT_ONCE = 1000


class Replaced(NamedTuple):
    """Entries that an edit has put others in the place of.

    Attributes:
        first: the number of the first of them, counted from the head from 0.
        gone: how many go.
        edit: what is done to the text.
        made: how many jobs each entry makes that the edit puts in, and what they need.
    """

    first: int
    gone: int
    edit: Edit
    made: Sequence[tuple[int, Need]] = ()


@dataclass(frozen=True)
class Known:
    """A queue file's content that is right. Its entries have numbers, from the head, from 0.

    Attributes:
        data: the content.
        source: the content as text.
        index: its entries.
        is_plain: whether each entry means the same without the others; see `Layout`.
        is_flow: whether the list is in brackets.
        head: the first entry, if it has been read, so that it is not read again to be taken: it
            may be very long.
    """

    data: bytes
    source: Source
    index: Index = field(repr=False)
    is_plain: bool
    is_flow: bool
    head: Entry | None = field(default=None, compare=False, repr=False)

    @property
    def is_apart(self) -> bool:
        """Whether each entry can be read without the others."""
        return self.is_plain and not self.is_flow

    def begin(self, number: int) -> int:
        """Return at which offset an entry begins; behind the last one, where the text ends."""
        distance = self.index.begin(number) if number < len(self.index) else 0
        return len(self.source.text) - distance

    def entries(self, numbers: Sequence[int]) -> list[Entry]:
        """Return the entries with these numbers, which are ascending."""
        if self.head and numbers and numbers[0] == 0:
            return [self.head, *self._read(numbers[1:])]
        return self._read(numbers)

    def _read(self, numbers: Sequence[int]) -> list[Entry]:
        """Read entries from the text."""
        if self.is_apart:
            return [entry for run in _runs(numbers) for entry in self._lines(run) or self._run(run)]
        wanted = {*numbers}
        found = enumerate(islice(join(Reader(self.source), QUEUE), max(wanted, default=-1) + 1))
        return [entry for number, entry in found if number in wanted]

    def _lines(self, numbers: range) -> list[Entry]:
        """Return entries that follow one another if they are plain lines; else none."""
        found: list[Entry] = []
        for number in numbers:
            entry = entry_of(self.source, self.begin(number), self.begin(number + 1))
            if entry is None:
                return []
            found.append(entry)
        return found

    def _run(self, numbers: range) -> Iterator[Entry]:
        """Yield entries that follow one another, without a look at those before."""
        start = self.begin(numbers.start)
        part = self.source.part(start, self.begin(numbers.stop))
        entries = join(Reader(part), QUEUE)
        return (_moved(entry, start) for entry in entries) if start else entries

    def changed(self, replaced: Sequence[Replaced]) -> Known:
        """Return what is known once entries, in their order, are replaced."""
        text = self.source.text
        edited = applied(text, [one.edit for one in replaced])
        data = (self.source.bom + edited).encode()
        index = self.index.changed([_change(one, len(text)) for one in replaced])
        # Brackets go with the last entry, and where there was none.
        is_flow = self.is_flow and len(self.index) > 0 and len(index) > 0
        return Known(data, self.source.with_text(edited), index, self.is_plain, is_flow)


class Entries(Sequence[Entry]):
    """The entries of a content, read from its text when they are wanted: there may be many."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def __len__(self) -> int:
        return len(self._known.index)

    def __iter__(self) -> Iterator[Entry]:
        for first in range(0, len(self), _AT_ONCE):
            yield from self._known.entries(range(first, min(first + _AT_ONCE, len(self))))

    @overload
    def __getitem__(self, number: int) -> Entry: ...
    @overload
    def __getitem__(self, number: slice) -> list[Entry]: ...
    def __getitem__(self, number: int | slice) -> Entry | list[Entry]:
        numbers = range(len(self))[number]
        if isinstance(numbers, range):
            return self._known.entries(numbers)
        return self._known.entries([numbers])[0]


def _change(replaced: Replaced, length: int) -> Change:
    """Return what a replacement is in numbers, in a text of that length."""
    first, gone, edit, made = replaced
    alike = groupby(zip(edit.entries, made, strict=True), key=itemgetter(1))
    sizes = [Made([len(text) for text, _ in texts], *one) for one, texts in alike]
    grown = len(edit.text) - (edit.span.end - edit.span.start)
    return Change(first, gone, length - edit.span.end, grown, sizes)


def _runs(numbers: Sequence[int]) -> Iterator[range]:
    """Yield ascending numbers, those together that follow one another."""
    run = range(0)
    for number in numbers:
        if run and number != run.stop:
            yield run
            run = range(0)
        run = range(run.start if run else number, number + 1)
    if run:
        yield run


def _moved(entry: Entry, by: int) -> Entry:
    """Return an entry of a part of a text as one of the whole, in which the part begins there."""

    def moved(span: Span) -> Span:
        return Span(span.start + by, span.end + by)

    items = (
        item._replace(span=moved(item.span), leaves=tuple(map(moved, item.leaves)))
        for item in entry.items
    )
    return replace(entry, items=tuple(items))
