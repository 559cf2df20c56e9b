"""The jobs at the head of a queue file, and the file without them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pegasus.files import queuetext
from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.known import Known, validate
from pegasus.files.queuetext import Result
from pegasus.files.reader import Reader
from pegasus.model import Job


class Head(NamedTuple):
    """The first jobs, and where they come from.

    Attributes:
        jobs: the jobs themselves.
        left: the jobs of the last entry that are not among them.
        entries: the entries they come from.
        others: the entries behind, of which reading goes on here.
        reader: what reads them.
    """

    jobs: list[Job]
    left: Iterator[Job]
    entries: list[Entry]
    others: Iterator[Entry]
    reader: Reader


def head_of(known: Known, count: int) -> Head:
    """Return the first `count` jobs, or as many as there are."""
    reader = Reader(known.source)
    others = join(reader, QUEUE)
    jobs: list[Job] = []
    left: Iterator[Job] = iter(())
    entries: list[Entry] = []
    while len(jobs) < count and (entry := next(others, None)):
        entries.append(entry)
        left = jobs_of(entry)
        jobs += islice(left, count - len(jobs))
    return Head(jobs, left, entries, others, reader)


def jobs_of(entry: Entry) -> Iterator[Job]:
    """Yield the jobs that an entry makes, in their order."""
    for head, params in entry.expand():
        yield Job(head.value, params, entry.options, source=head)


def without(known: Known, head: Head) -> Known:
    """Return the content without the jobs of the head; they are not none."""
    text, layout, left = known.source.text, head.reader.layout, [*head.left]
    if not left and next(head.others, None) is None:
        return known.changed(Result(queuetext.emptied(text, layout, head.entries), [], ""))
    if not any(item.has_anchor for entry in head.entries for item in entry.items):
        return known.changed(queuetext.cut(text, layout, head.entries, left))
    for _ in head.others:
        pass  # All aliases have been met then.
    result = queuetext.cut(text, layout, head.entries, left, head.reader.aliases)
    data = (known.source.bom + result.text).encode()
    return validate(data, known.source.file, lambda _: None, None)
