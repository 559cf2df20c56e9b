"""Cuts entries out of a queue file's text, and puts jobs in; every other character stays.

Pure functions on text: `pegasus.files.queuefile` reads and writes the files. This is about entries
anywhere, and about the head, where jobs are put back; `pegasus.files.queueend` is about the end.
Comments that have a line of their own are nobody's: they stay where an entry around them goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from pegasus.files.additions import Addition
from pegasus.files.canonical import Writer, flow, flow_entry, flow_jobs, key, quoted
from pegasus.files.entries import Entry
from pegasus.files.source import BREAKS, GAP
from pegasus.files.tree import Alias, Field, Layout, Span, Value
from pegasus.model import Job, Text

_GAP = re.compile(GAP)
_REST_OF_LINE = re.compile(rf"[ \t]*(?:#[^{BREAKS}]*)?(?:\r\n|[{BREAKS}]|\Z)")
_BLOCK_SCALAR = re.compile(r"[|>]\d?(?P<keeps>\+)?")
_COMMENT_LINE = re.compile(rf"(?<=[{BREAKS}])[ \t]*(#[^{BREAKS}]*)")
_DOCUMENT_END = re.compile(
    rf"(?:(?<=[{BREAKS}])|\A)\.\.\.(?:[ \t]*(?:\r\n|[{BREAKS}]|\Z)|(?=[ \t]))"
)


#: What is put in.
New = Job | Addition


class Edit(NamedTuple):
    """What is put in the place of a part of a text.

    Attributes:
        span: that part.
        kept: what comes first: comments that were in it.
        entries: the entries that come then, one text each.
    """

    span: Span
    kept: str
    entries: Sequence[str] = ()

    @property
    def text(self) -> str:
        return "".join([self.kept, *self.entries])


class Cut(NamedTuple):
    """Jobs of an entry that are to go.

    Attributes:
        entry: the entry.
        places: which of its jobs, counted from 0; None says all.
    """

    entry: Entry
    places: Sequence[int] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether none of its jobs is to stay."""
        return self.places is None or len(self.places) == self.entry.size


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with all edits made, which are in its order."""
    parts: list[str] = []
    at = 0
    for edit in edits:
        parts += text[at : edit.span.start], edit.text
        at = edit.span.end
    return "".join([*parts, text[at:]])


def begin(text: str, layout: Layout, entry: Entry) -> int:
    """Return where an entry begins: with the line of its dash, if it has one."""
    at = entry.items[0].span.start
    while not layout.is_flow and at and text[at - 1] == " ":
        at -= 1
    return at


def cut(
    text: str,
    layout: Layout,
    cuts: Sequence[Cut],
    above: Callable[[int], Entry | None] = lambda _: None,
) -> list[Edit]:
    """Take out entries, and put the jobs in the place of each that are to stay.

    Args:
        cuts: in the order of the text.
        above: called with the index of a cut; returns the entry before it, if that is not cut.
    """
    edits: list[Edit] = []
    start, behind = len(text) + 1, ""
    for number in reversed(range(len(cuts))):
        entry = cuts[number].entry
        span, kept = _region(text, layout, entry, cuts[number].is_whole)
        stop = gap_end(text, span.end)
        gap = text[span.end : stop] if stop < start else text[span.end : start] + behind
        entries = _left(text, layout, cuts[number], gap)
        if layout.is_flow and entries:
            entries[-1] = entries[-1].removesuffix(", ")
        elif not (layout.is_flow or kept or entries):
            kept = _guard(text, entry, gap, partial(above, number))
        edits.append(Edit(span, kept, entries))
        start, behind = span.start, kept + ("" if entries else gap)
    return edits[::-1]


def without_aliases(aliases: Iterable[Alias], gone: Sequence[Span]) -> Iterator[Edit]:
    """Yield what writes out the aliases that stay and refer to an anchor in what is gone."""

    def is_gone(at: int) -> bool:
        return any(span.start <= at < span.end for span in gone)

    for alias in aliases:
        if is_gone(alias.source) and not is_gone(alias.span.start):
            yield Edit(alias.span, _flow(alias.value))


def emptied(text: str, layout: Layout, entries: Sequence[Entry]) -> str:
    """Take out all `entries` that there are, so that a block list may be appended.

    Brackets and the document's end mark go, and the last line gets an end.
    """
    edits = cut(text, layout, [Cut(entry) for entry in entries])
    if layout.brackets:
        first, last = (Edit(Span(at, at + 1), "") for at in layout.brackets)
        edits = [first, *edits, last]
    end = layout.document_end.start if layout.document_end else len(text)
    body = applied(text[:end], edits) + _DOCUMENT_END.sub("", text[end:])
    return body if not body or body[-1] in "\r\n" else body + newline(text)


def insert(text: str, layout: Layout, first: Entry | None, new: Sequence[New]) -> Edit:
    """Put jobs or entries before the first entry; None says that there is none."""
    if first is None:
        return Edit(Span(0, len(text)), emptied(text, layout, ()), in_block(new, 0, text))
    at = begin(text, layout, first)
    return Edit(Span(at, at), "", _written(text, layout, first, new, gap=""))


def in_block(new: Sequence[New], column: int, text: str, *, literal: bool = True) -> list[str]:
    """Return jobs or entries as items of a list whose dashes are at `column` of `text`."""
    writer = Writer(column, newline(text), literal)
    return [
        writer.entry(*one.written) if isinstance(one, Addition) else writer.job(one) for one in new
    ]


def in_flow(new: Sequence[New]) -> list[str]:
    """Return jobs or entries as items of a list in brackets."""
    return [flow_entry(*one.written) if isinstance(one, Addition) else flow(one) for one in new]


def _region(text: str, layout: Layout, entry: Entry, is_whole: bool) -> tuple[Span, str]:
    """Return where an entry stands, as far as it is to go, and what of that is to stay."""
    kept = _comments(text, layout, entry)
    span = Span(begin(text, layout, entry), entry.items[-1].span.end)
    end = span.end
    if not layout.is_flow:
        rest = _REST_OF_LINE.match(text, end)
        return Span(span.start, rest.end() if rest else end), kept
    comma = gap_end(text, end)
    if not is_whole or text[comma] != ",":
        return span, kept
    if "#" in text[end:comma]:
        kept += text[end:comma]
    after = comma + 1
    while text[after] == " " and text[after + 1] != "#":
        after += 1
    return Span(span.start, after), kept


def _comments(text: str, layout: Layout, entry: Entry) -> str:
    """Return the comments inside of an entry that have their own line, at the dash's column."""
    if text.find("#", entry.items[0].span.start, entry.items[-1].span.end) < 0:
        return ""
    found = [comment for gap in _gaps(entry) for comment in _COMMENT_LINE.findall(text, *gap)]
    end = newline(text)
    if layout.is_flow:
        return "".join(end + comment for comment in found) + (end if found else "")
    margin = " " * column_of(text, entry)
    return "".join(margin + comment + end for comment in found)


def _gaps(entry: Entry) -> Iterator[Span]:
    """Yield what is between an entry's texts."""
    at = entry.items[0].span.start
    for item in entry.items:
        for leaf in item.leaves:
            yield Span(at, leaf.start)
            at = leaf.end
    yield Span(at, entry.items[-1].span.end)


def _written(text: str, layout: Layout, first: Entry, new: Sequence[New], gap: str) -> list[str]:
    """Return what is to be put where `first` begins, in the style of the list; `gap` comes then."""
    if layout.is_flow:
        return [f"{one}, " for one in in_flow(new)]
    return in_block(new, column_of(text, first), text, literal=_may_be_literal(text, first, gap))


def _left(text: str, layout: Layout, cut: Cut, gap: str) -> list[str]:
    """Return the jobs that are to stay, as `_written` does."""
    if cut.is_whole:
        return []
    entry, gone = cut.entry, {*(cut.places or ())}
    commands = [head.value for head in entry.heads]
    params = [(name, [one.value for one in texts]) for name, texts in entry.params.items()]
    grid = (commands, params, entry.slots, entry.options.written)
    if layout.is_flow:
        return [f"{job}, " for at, job in enumerate(flow_jobs(*grid)) if at not in gone]
    is_safe = _may_be_literal(text, entry, gap)
    writer = Writer(column_of(text, entry), newline(text), is_safe)
    return [job for at, job in enumerate(writer.jobs(*grid)) if at not in gone]


def _may_be_literal(text: str, first: Entry, gap: str) -> bool:
    """Whether literal blocks may be written where `first` begins; `gap` comes then.

    What is indented deeper than a literal block that it follows would become part of it.
    """
    column = column_of(text, first)
    return not _is_deep(_first_of(gap, column), column + 4)


def _guard(text: str, entry: Entry, gap: str, above: Callable[[], Entry | None]) -> str:
    """Return what keeps an entry above from going on in what stood behind one that is gone."""
    column = column_of(text, entry)
    first = _first_of(gap, column)
    if not re.search(rf"[{BREAKS}]|\S", first) or not (before := above()):
        return ""
    found = _BLOCK_SCALAR.match(text, before.items[-1].leaves[-1].start)
    if found and (found["keeps"] or _is_deep(first, column + 1)):
        return " " * column + "#" + newline(text)
    return ""


def _first_of(gap: str, column: int) -> str:
    """Return what of a gap comes before any comment that would end the block scalar of an item.

    Args:
        column: of the item's dash.
    """
    found = re.search(rf"(?:\A|(?<=[{BREAKS}])) {{0,{column}}}#", gap)
    return gap[: found.start()] if found else gap


def _is_deep(gap: str, indent: int) -> bool:
    """Return whether a line of a gap is indented that much."""
    return bool(re.search(rf"(?:\A|[{BREAKS}])(?:\t| {{{indent}}})", gap))


def _flow(value: Value) -> str:
    if isinstance(value, Text):
        return quoted(value.value)
    if isinstance(value[0], Field):
        return "{" + ", ".join(_flow_field(field) for field in value) + "}"
    return "[" + ", ".join(quoted(text.value) for text in value) + "]"


def _flow_field(field: Field) -> str:
    return f"{key(field.name.value)}: {_flow(field.value)}"


def column_of(text: str, entry: Entry) -> int:
    """Return the column of an entry's dash."""
    return entry.items[0].span.start - begin(text, Layout(), entry)


def gap_end(text: str, at: int) -> int:
    """Return where white space and comments end that begin at an offset."""
    found = _GAP.match(text, at)
    return found.end() if found else at


def newline(text: str) -> str:
    """Return what ends the lines of a text."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
