"""TOML. Written in the two ways that pegasus 1.4 has: with a list on one line, or on many.

tomli-w, which one would expect here, knows only the second way and lays tables out differently.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pegasus.handlebars import runtime

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]')
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPES = dict(
    zip('\b\t\n\f\r"\\', ["\\b", "\\t", "\\n", "\\f", "\\r", '\\"', "\\\\"], strict=True)
)


def read(text: str) -> object:
    """Return the value of a TOML document.

    Raises:
        ValueError: it isn't one.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the text is not TOML: {error}") from None


def write(value: object, *, is_long: bool) -> str:
    """Return an object as TOML, without what is null. Plain values come first, tables last.

    Args:
        is_long: give each item of a list a line of its own.

    Raises:
        ValueError: it is no object, or a number has more than 64 bits.
    """
    if not isinstance(value, Mapping):
        raise ValueError("only an object can be written as TOML")
    return "\n".join(_parts((), value, is_long=is_long))


def _parts(
    path: tuple[str, ...], table: Mapping[str, Any], *, is_long: bool, is_item: bool = False
) -> Iterator[str]:
    """Yield the text of a table, and that of each table in it, with a heading where needed."""
    items = _in_order(table)
    inner = [(key, value) for key, value in items if _is_table(value) or _are_tables(value)]
    own = "".join(
        f"{_key(key)} = {_value(value, is_long)}\n"
        for key, value in items
        if not _is_table(value) and not _are_tables(value)
    )
    name = ".".join(map(_key, path))
    if is_item:
        yield f"[[{name}]]\n{own}"
    elif path and (own or not inner):
        yield f"[{name}]\n{own}"
    elif own:
        yield own
    for key, value in inner:
        for each in value if isinstance(value, list) else [value]:
            yield from _parts((*path, key), each, is_long=is_long, is_item=isinstance(value, list))


def _in_order(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what is in a table: plain values, lists, tables, each by their keys."""

    def rank(item: tuple[str, Any]) -> tuple[bool, bool, str]:
        key, value = item
        return _is_table(value), isinstance(value, list), key

    return sorted(((key, value) for key, value in table.items() if value is not None), key=rank)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else f'"{_SPECIAL.sub(_escape, key)}"'


def _value(value: object, is_long: bool) -> str:
    if isinstance(value, Mapping):
        items = [f"{_key(key)} = {_value(each, is_long)}" for key, each in _in_order(value)]
        return f"{{ {', '.join(items)} }}" if items else "{}"
    if isinstance(value, list):
        items = [_value(each, is_long) for each in value if each is not None]
        if is_long and len(items) > 1:
            return "[" + "".join(f"\n    {item}," for item in items) + "\n]"
        return f"[{', '.join(items)}]"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"TOML has no whole number as large as {value}")
    return _text(value) if isinstance(value, str) else runtime.text(value)


def _text(text: str) -> str:
    """Return a text in the quotes that suit it: backslashes are left alone where that can be."""
    line = "\n" if "\n" in text else ""
    can_be_literal = not (_CONTROL.search(text) or "'''" in text or text.endswith("'"))
    if "\\" in text and can_be_literal:
        marks = "'''" if line or "'" in text else "'"
        return f"{marks}{line}{text}{marks}"
    if line:
        escaped = "\n".join(_SPECIAL.sub(_escape, each) for each in text.split("\n"))
        return f'"""\n{escaped}"""'
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    return _ESCAPES.get(char, f"\\u{ord(char):04X}")
