"""Helpers that look at values: items, length, defaults, comparisons, logic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from pegasus.handlebars import runtime
from pegasus.helpers.arguments import accepts_missing, as_text, takes_root

_NUMBER = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?\s*")


def lookup(container: object, key: object) -> object:
    """The item of an object by its name, or of a list by its number."""
    if isinstance(container, Mapping):
        return runtime.item(container, as_text(key))
    if isinstance(key, bool) or not isinstance(key, int):
        raise ValueError("only an object has named items; a list's item is a number")
    return runtime.item(container, str(key))


def log(*values: object, **options: object) -> str:
    """Nothing: commands may hold secrets, so nothing of them is logged."""
    return ""


@takes_root
def assign(params: dict[str, object], name: object, value: object) -> str:
    """Nothing; the rest of the template has `value` as the parameter `name`."""
    params[as_text(name)] = value
    return ""


def length(value: object) -> int:
    """How many bytes a text has in UTF-8, or how many items a list or an object; else 0."""
    if isinstance(value, str):
        return len(value.encode())
    return len(value) if isinstance(value, (list, tuple, Mapping)) else 0


@accepts_missing
def first_non_empty(*values: object) -> str:
    """The first text that isn't empty, or "": gives a parameter a default.

    A number counts as text, which it does not in pegasus 1.4.
    """
    for value in values:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            return runtime.text(value)
    return ""


def eq(left: object, right: object) -> bool:
    """Whether two values are the same, in kind too: `1` is neither `"1"` nor `1.0`."""
    return type(left) is type(right) and left == right


def ne(left: object, right: object) -> bool:
    """The opposite of `eq`."""
    return not eq(left, right)


def _number(value: object) -> Decimal:
    written = value if isinstance(value, str) else ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        written = str(value)
    try:
        if _NUMBER.fullmatch(written):
            return Decimal(written.strip())
    except InvalidOperation:
        pass
    raise ValueError("only numbers can be compared, and an argument isn't one")


def gt(left: object, right: object) -> bool:
    """Whether `left` is greater; any numbers, written as text or not."""
    return _number(left) > _number(right)


def gte(left: object, right: object) -> bool:
    """Whether `left` is greater or equal."""
    return _number(left) >= _number(right)


def lt(left: object, right: object) -> bool:
    """Whether `left` is less."""
    return _number(left) < _number(right)


def lte(left: object, right: object) -> bool:
    """Whether `left` is less or equal."""
    return _number(left) <= _number(right)


def and_(left: object, right: object, *more: object) -> bool:
    """Whether all values are true in the sense of `if`."""
    return all((left, right, *more))


def or_(left: object, right: object, *more: object) -> bool:
    """Whether any value is true in the sense of `if`."""
    return any((left, right, *more))


def not_(value: object) -> bool:
    """Whether a value is false in the sense of `if`."""
    return not value
