"""Entries that are a line of plain words, `- python train.py --bs 8`, read without a YAML parser.

Most entries of long queues are like that, and to YAML such a line can be nothing else, where it
begins an entry of a block list and another entry follows: a text, which ends with the line. It has
no template in it either, so there is nothing to fill. Any other line is left to the parser.
"""

from __future__ import annotations

import re
from array import array

from pegasus.files.entries import Entry
from pegasus.files.source import Source
from pegasus.files.tree import Item, Span
from pegasus.model import Text

#: A dash and words of ASCII. The first begins like a name or a path: no sign of YAML's does. None
#: ends with a colon or begins with `#`, and there is no brace in it, which a template may have.
_ENTRY = r"- (?P<text>(?:\./|[A-Za-z_/])[!-z|}~]*(?<!:)(?: +[!-\"$-z|}~][!-z|}~]*(?<!:))*)\n"
#: Lines that mean nothing.
_NOTHING = r"(?: *(?:#[ -~]*)?\n)*"

_LINE = re.compile(rf"{_NOTHING}(?P<entry>{_ENTRY})")
_ALONE = re.compile(rf"{_ENTRY}{_NOTHING}")


def scan(text: str, start: int, stop: int) -> array[int]:
    """Return where the entries begin that follow one another from an offset on.

    Args:
        start: where an entry of a block list begins, or the list; its dashes are at column 0.
        stop: no entry that begins there, or behind, is looked at.

    Returns:
        The offsets of the dashes, and then that of the last entry of them, which what comes
        behind may belong to: that one is to be read by a parser. There is none but that, or not
        even that, where the parser has to read on at once.
    """
    begins = array("q")
    match = _LINE.match
    while start < stop and (found := match(text, start)):
        begins.append(found.start("entry"))
        start = found.end()
    while begins and begins[-1] >= stop:
        begins.pop()
    return begins


def entry_of(source: Source, begin: int, end: int) -> Entry | None:
    """Return the entry that stands alone between two offsets, if it is such a line."""
    found = _ALONE.fullmatch(source.text, begin, end)
    if not found:
        return None
    span = Span(*found.span("text"))
    text = Text(found["text"], source.place(span.start), found["text"])
    return Entry((text,), {}, (Item(Span(begin, span.end), text.place, text, (span,), False),))
