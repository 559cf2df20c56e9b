"""The jobs at some positions of a queue file, and the file without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.known import Known, Replaced
from pegasus.files.queuetext import Cut, Edit, applied, cut, emptied, without_aliases
from pegasus.files.reader import Reader
from pegasus.files.tree import Layout, Span
from pegasus.files.validation import validate
from pegasus.model import Job


class Pick(NamedTuple):
    """Jobs of one entry.

    Attributes:
        number: of the entry, counted from the head from 0.
        entry: the entry.
        places: which of its jobs, counted from 0, ascending.
    """

    number: int
    entry: Entry
    places: Sequence[int]

    @property
    def jobs(self) -> Iterator[Job]:
        """The jobs themselves."""
        wanted = {*self.places}
        first = islice(jobs_of(self.entry), self.places[-1] + 1)
        return (job for place, job in enumerate(first) if place in wanted)


def jobs_of(entry: Entry) -> Iterator[Job]:
    """Yield the jobs that an entry makes, in their order."""
    for head, params in entry.expand():
        yield Job(head.value, params, entry.options, entry.slots, source=head)


def pick(known: Known, positions: Sequence[int]) -> list[Pick]:
    """Return the jobs at positions, which are counted from the head from 0 and ascending."""
    places: dict[int, list[int]] = {}
    for position in positions:
        number, place = known.index.find(position)
        places.setdefault(number, []).append(place)
    entries = known.entries([*places])
    return [
        Pick(number, entry, places[number]) for number, entry in zip(places, entries, strict=True)
    ]


def without(known: Known, picks: Sequence[Pick]) -> Known:
    """Return the content without the jobs that were picked; they are not none."""
    if sum(len(one.places) for one in picks) == known.index.jobs:
        return _emptied(known)
    numbers = {one.number for one in picks}

    def above(at: int) -> Entry | None:
        number = picks[at].number - 1
        return known.entries([number])[0] if number >= 0 and number not in numbers else None

    cuts = [Cut(one.entry, one.places) for one in picks]
    edits = cut(known.source.text, Layout(known.is_flow), cuts, above)
    if any(item.has_anchor for one in picks for item in one.entry.items):
        return _without_anchors(known, edits)
    return known.changed(
        [
            Replaced(one.number, 1, edit, [(1, one.entry.need)] * len(edit.entries))
            for one, edit in zip(picks, edits, strict=True)
        ]
    )


def _emptied(known: Known) -> Known:
    reader = Reader(known.source)
    entries = [*join(reader, QUEUE)]
    text = known.source.text
    edit = Edit(Span(0, len(text)), emptied(text, reader.layout, entries))
    return known.changed([Replaced(0, len(entries), edit)])


def _without_anchors(known: Known, edits: Sequence[Edit]) -> Known:
    """Return the content edited, and nothing in it that refers to an anchor which is gone."""
    reader, source = Reader(known.source), known.source
    for _ in join(reader, QUEUE):
        pass  # All aliases have been met then.
    more = without_aliases(reader.aliases, [edit.span for edit in edits])
    text = applied(source.text, sorted([*edits, *more], key=lambda edit: edit.span))
    return validate((source.bom + text).encode(), source.file, lambda _: None, None)
