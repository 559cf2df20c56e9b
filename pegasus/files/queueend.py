"""Puts jobs and entries behind the last entry of a queue file's text.

Functions on text, as in `pegasus.files.queuetext`. Every character stays, but for a missing
newline at the end, and what `emptied` removes of a list in which there is nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from pegasus.errors import QueueFileError
from pegasus.files.entries import QUEUE, Entry, join
from pegasus.files.queuetext import (
    New,
    column_of,
    emptied,
    gap_end,
    in_block,
    in_flow,
    newline,
)
from pegasus.files.reader import Reader
from pegasus.files.source import BREAKS, Source
from pegasus.files.tree import Field, Item, Layout, Value
from pegasus.model import Text

_LITERAL = re.compile(r"([|>])([1-9]?)([+-]?)([1-9]?)")


class End(NamedTuple):
    """A text to whose list entries can be added.

    Attributes:
        text: the text; nothing in it stands in the way.
        at: where they go.
        column: that of the dashes, or None where the list is in brackets.
        before, between, after: in brackets, what goes around them.
    """

    text: str
    at: int
    column: int | None
    before: str = ""
    between: str = ""
    after: str = ""


def end_of(text: str, layout: Layout, last: Entry | None) -> End:
    """Return the end of a list, all of which has been read; `last` is its last entry, if any."""
    if last is None:
        ready = emptied(text, layout, ())
        return End(ready, len(ready), 0)
    if layout.is_flow:
        return _in_brackets(text, layout.brackets[1], last)
    column = column_of(text, last)
    if layout.document_end:
        return End(text, layout.document_end.start, column)
    ready = _finished(text, last.items[-1])
    return End(ready, len(ready), column)


def add(end: End, new: Sequence[New]) -> End:
    """Put jobs or entries at an end; return the new one, good for more if it has a column."""
    if end.column is None:
        added = end.before + end.between.join(in_flow(new)) + end.after
    else:
        added = "".join(in_block(new, end.column, end.text))
    text = end.text[: end.at] + added + end.text[end.at :]
    return end._replace(text=text, at=end.at + len(added))


class Ending:
    """Adds at the end of a queue file's content, which it reads unless it has written it itself.

    Args:
        file: the name of the queue file, for messages.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._known: tuple[bytes, str, End] | None = None

    def add(self, data: bytes, new: Sequence[New]) -> bytes:
        """Return the content with jobs or entries at its end.

        Raises:
            QueueFileError: the content is wrong.
        """
        bom, end = self._of(data)
        end = add(end, new)
        data = (bom + end.text).encode()
        self._known = None if end.column is None else (data, bom, end)
        return data

    def _of(self, data: bytes) -> tuple[str, End]:
        if self._known and self._known[0] == data:
            return self._known[1:]
        source = Source(data, self._file, QueueFileError)
        reader = Reader(source)
        last = deque(join(reader, QUEUE), maxlen=1)
        return source.bom, end_of(source.text, reader.layout, last[0] if last else None)


def _in_brackets(text: str, close: int, last: Entry) -> End:
    """Return the end of a list in brackets, in whose style it is gone on."""
    stop = last.items[-1].span.end
    comma = gap_end(text, stop)
    has_comma = text[comma] == ","
    behind = comma + 1 if has_comma else stop
    line = text.rfind("\n", behind, close) + 1
    if not line:
        return End(text, behind, None, " " if has_comma else ", ", ", ", "," if has_comma else "")
    # The bracket has a line of its own, and so gets each entry; comments stay with theirs.
    margin, end = _margin(text, last.items[-1].span.start), newline(text)
    if not has_comma:
        text, line = f"{text[:stop]},{text[stop:]}", line + 1
    return End(text, line, None, margin, f",{end}{margin}", ("," if has_comma else "") + end)


def _margin(text: str, start: int) -> str:
    """Return what is before an item on its line, where that is only space."""
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return "  " if before.strip(" ") else before


def _finished(text: str, last: Item) -> str:
    """Return a text whose last line has an end, and whose last item means what it meant."""
    if text[-1] in BREAKS:
        return text
    begin, stop = last.leaves[-1]
    if found := _LITERAL.match(text, begin):
        is_complete = _last_text(last.content).value.endswith("\n")
        if not is_complete:
            # The newline that is missing is missing in the value, too: `-` has it stay so.
            header = f"{found[1]}{found[2]}-{found[4]}"
            text = text[:begin] + header + text[found.end() :]
        elif found[3] == "+" and not text[stop:].strip(" " + BREAKS):
            # An end for the space on the last line would be one more in the value.
            return text.rstrip(" ")
    return text + newline(text)


def _last_text(value: Value) -> Text:
    if isinstance(value, Text):
        return value
    last = value[-1]
    return _last_text(last.value) if isinstance(last, Field) else last
