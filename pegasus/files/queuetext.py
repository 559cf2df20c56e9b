"""Cuts entries out of a queue file's text, and puts jobs in; every other character stays.

Pure functions on text: `pegasus.files.queuefile` reads and writes the files. This is about the
head, where entries are taken; `pegasus.files.queueend` is about the end. Comments that have a line
of their own are nobody's: they stay where an entry around them goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pegasus.files.additions import Addition
from pegasus.files.canonical import Writer, flow, flow_entry, key, quoted
from pegasus.files.entries import Entry
from pegasus.files.source import BREAKS, GAP
from pegasus.files.tree import Alias, Field, Layout, Span, Value
from pegasus.model import Job, Text

_GAP = re.compile(GAP)
_REST_OF_LINE = re.compile(rf"[ \t]*(?:#[^{BREAKS}]*)?(?:\r\n|[{BREAKS}]|\Z)")
_COMMENT_LINE = re.compile(rf"(?<=[{BREAKS}])[ \t]*(#[^{BREAKS}]*)")
_DOCUMENT_END = re.compile(
    rf"(?:(?<=[{BREAKS}])|\A)\.\.\.(?:[ \t]*(?:\r\n|[{BREAKS}]|\Z)|(?=[ \t]))"
)


#: What is put in.
New = Job | Addition


class Result(NamedTuple):
    """A new text; `jobs` are the entries that were put in, one text each."""

    lead: str
    jobs: list[str]
    tail: str

    @property
    def text(self) -> str:
        return "".join([self.lead, *self.jobs, self.tail])


def begin(text: str, layout: Layout, entry: Entry) -> int:
    """Return where an entry begins: with the line of its dash, if it has one."""
    at = entry.items[0].span.start
    while not layout.is_flow and at and text[at - 1] == " ":
        at -= 1
    return at


def cut(
    text: str,
    layout: Layout,
    entries: Sequence[Entry],
    left: Sequence[Job],
    aliases: Iterable[Alias] = (),
) -> Result:
    """Take out the first entries, and put `left`, jobs of the last of them, in their place.

    Args:
        aliases: all that the text has, if anchors are set in the entries: those that need it
            are written out.
    """
    lead: list[str] = []
    end = 0
    for entry in entries:
        is_whole = not left or entry is not entries[-1]
        span, kept = _region(text, layout, entry, is_whole)
        lead += text[end : span.start], kept
        end = span.end
    gone = Span(begin(text, layout, entries[0]), end)
    jobs = _written(text, layout, entries[0], left, end)
    if layout.is_flow and jobs:
        jobs[-1] = jobs[-1].removesuffix(", ")
    return Result("".join(lead), jobs, _without_aliases(text, gone, aliases))


def emptied(text: str, layout: Layout, entries: Sequence[Entry]) -> str:
    """Take out all `entries` that there are, so that a block list may be appended.

    Brackets and the document's end mark go, and the last line gets an end.
    """
    body = cut(text, layout, entries, ()).text if entries else text
    shift = len(body) - len(text)
    if layout.brackets:
        first, last = layout.brackets
        last += shift
        body = body[:first] + body[first + 1 : last] + body[last + 1 :]
        shift -= 2
    if layout.document_end:
        at = layout.document_end.start + shift
        body = body[:at] + _DOCUMENT_END.sub("", body[at:])
    return body if not body or body[-1] in "\r\n" else body + newline(text)


def insert(text: str, layout: Layout, first: Entry | None, new: Sequence[New]) -> Result:
    """Put jobs or entries before the first entry; None says that there is none."""
    if first is None:
        return Result(emptied(text, layout, ()), in_block(new, 0, text), "")
    at = begin(text, layout, first)
    return Result(text[:at], _written(text, layout, first, new, at), text[at:])


def in_block(new: Sequence[New], column: int, text: str, *, literal: bool = True) -> list[str]:
    """Return jobs or entries as items of a list whose dashes are at `column` of `text`."""
    writer = Writer(column, newline(text), literal)
    return [
        writer.entry(one.command, one.params) if isinstance(one, Addition) else writer.job(one)
        for one in new
    ]


def in_flow(new: Sequence[New]) -> list[str]:
    """Return jobs or entries as items of a list in brackets."""
    return [
        flow_entry(one.command, one.params) if isinstance(one, Addition) else flow(one)
        for one in new
    ]


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


def _written(text: str, layout: Layout, first: Entry, new: Sequence[New], at: int) -> list[str]:
    """Return what is to be put before `at`, in the style of the list."""
    if layout.is_flow:
        return [f"{one}, " for one in in_flow(new)]
    column = column_of(text, first)
    # What is indented deeper than a literal block that it follows would become part of it.
    after = text[at : gap_end(text, at)]
    is_safe = not re.search(rf"(?:\A|[{BREAKS}])(?:\t| {{{column + 4}}})", after)
    return in_block(new, column, text, literal=is_safe)


def _without_aliases(text: str, gone: Span, aliases: Iterable[Alias]) -> str:
    """Return the text behind `gone`, with nothing in it that refers to an anchor in there."""
    parts: list[str] = []
    at = gone.end
    for alias in aliases:
        if alias.span.start >= gone.end and gone.start <= alias.source < gone.end:
            parts += text[at : alias.span.start], _flow(alias.value)
            at = alias.span.end
    return "".join([*parts, text[at:]])


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
