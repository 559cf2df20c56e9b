"""What hosts.yaml and queue.yaml hold, before it is known which of the two: items of a list.

An item is a text or a mapping, which is flat but for `options`, and for `env` in there. Each knows
where it stands in the file, so that it can be cut out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pegasus.model import Place, Text

#: The key whose value may be a mapping, and then is no parameter.
OPTIONS = "options"
#: The key that is never a parameter: which slots a node has, or how many a job needs.
SLOTS = "slots"

Texts = tuple[Text, ...]


class Field(NamedTuple):
    """One key of a mapping and its value, a tuple of which is never empty."""

    name: Text
    value: Value


Fields = tuple[Field, ...]
Value = Text | Texts | Fields


def first(value: Value) -> Text:
    """Return the first text in a value."""
    if isinstance(value, Text):
        return value
    return value[0].name if isinstance(value[0], Field) else value[0]


def fields_of(value: Value) -> Fields:
    """Return the fields of a mapping; none of another value."""
    if isinstance(value, Text):
        return ()
    return tuple(field for field in value if isinstance(field, Field))


def texts_of(value: Value) -> Texts:
    """Return a text, or those of a list; none of a mapping."""
    if isinstance(value, Text):
        return (value,)
    return tuple(text for text in value if isinstance(text, Text))


class Span(NamedTuple):
    """Where something stands: offsets into the text that was read."""

    start: int
    end: int


class Alias(NamedTuple):
    """An alias and what it stands for; `source` is where its anchor's node begins."""

    span: Span
    source: int
    value: Value


class Item(NamedTuple):
    """One item of the list.

    Attributes:
        span: from the dash (in a flow list, from the item itself) to the end of its content.
        place: where its content begins.
        content: a text, or the fields of a mapping.
        leaves: the spans of its scalars, in order.
        has_anchor: whether an anchor is set in it.
    """

    span: Span
    place: Place
    content: Text | Fields
    leaves: tuple[Span, ...]
    has_anchor: bool


@dataclass
class Layout:
    """How the list is written; complete when all items are read.

    Attributes:
        is_flow: whether it is in brackets.
        brackets: where those stand.
        document_end: where the `...` stands that ends the document.
        is_plain: whether there are no anchors, aliases and tags, so that each item means the
            same without the others.
    """

    is_flow: bool = False
    brackets: tuple[int, ...] = ()
    document_end: Span | None = None
    is_plain: bool = True
