"""Helpers for JSON: values to text and back, and queries in JMESPath."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pegasus.handlebars.runtime import Undefined
from pegasus.helpers import formats
from pegasus.helpers.arguments import accepts_missing, as_text, as_text_or_empty, refuse_missing

if TYPE_CHECKING:
    import jmespath


@accepts_missing
def json_to_str(value: object, *, format: object = "json") -> str:  # noqa: A002 - its name
    """A value as text in a format; null, "" and a parameter that isn't there as ""."""
    refuse_missing(format)
    return formats.write(None if isinstance(value, Undefined) else value, format)


@accepts_missing
def str_to_json(text: object, *, format: object = "json") -> object:  # noqa: A002
    """The value that a text in a format stands for; "" for "", null and what isn't there."""
    refuse_missing(format)
    return formats.read(as_text_or_empty(text), format)


def json_query(expression: object, value: object) -> object:
    """What a JMESPath expression finds in a value; null if nothing."""
    return _search(as_text(expression), formats.plain(value))


@accepts_missing
def json_str_query(expression: object, text: object, *, format: object = "json") -> str:  # noqa: A002
    """What a JMESPath expression finds in a text of a format, as text of that format.

    A single value is written as JSON in any format: TOML could not express it.
    """
    refuse_missing(expression, format)
    value = formats.read(as_text_or_empty(text), format)
    found = _search(as_text(expression), value)
    is_single = not isinstance(found, (dict, list))
    return formats.write(found, "json" if is_single else format)


def _search(expression: str, value: object) -> object:
    import jmespath

    try:
        return jmespath.search(expression, value, _options())
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"`{expression}`: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(":")


@cache
def _options() -> jmespath.Options:
    """Return JMESPath's functions, with a `to_string` that writes JSON as the rest does."""
    import jmespath
    from jmespath import functions

    class Functions(functions.Functions):
        @functions.signature({"types": []})
        def _func_to_string(self, value: object) -> str:
            return value if isinstance(value, str) else formats.write(value, "json")

    return jmespath.Options(custom_functions=Functions())
