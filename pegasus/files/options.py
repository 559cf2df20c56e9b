"""The reserved key `options`: how the jobs of an entry are run, or those on a node.

::

    options:
      cancel: docker exec {{ container }} pkill -f train.py
      timeout: 2h
      retries: 2

Its value is a mapping, which a parameter's never is. `_PARSERS` holds every option there is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from pegasus import durations
from pegasus.errors import PlacedError
from pegasus.files.tree import Fields, Value, first
from pegasus.model import Options, Text

_WHOLE_NUMBER = re.compile("[0-9]{1,9}")


def parse(fields: Fields, error: type[PlacedError]) -> Options:
    """Return the options that the fields of a mapping are.

    Raises:
        PlacedError: of the class `error`: there is no such option, or it has a wrong value.
    """
    values: dict[str, Any] = {}
    texts: dict[str, Text] = {}
    for field in fields:
        name, text = field.name.value, first(field.value)
        if name not in _PARSERS:
            raise error(_unknown(name), field.name.place)
        try:
            values[name] = _PARSERS[name](field.value)
        except ValueError as problem:
            raise error(f"`{name}`: {problem}", text.place) from None
        texts[name] = text
    written = tuple((name, text.value) for name, text in texts.items())
    return Options(**values, written=written, source=texts.get("cancel"))


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), _PARSERS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(_PARSERS)}"
    return f"`{name}` is not an option; {hint}"


def _cancel(value: Value) -> str:
    text = _one_text(value)
    if not text.strip():
        raise ValueError("it is empty; write the command that cancels the job, or remove it")
    return text


def _timeout(value: Value) -> float:
    return durations.parse(_one_text(value))


def _retries(value: Value) -> int:
    text = _one_text(value)
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number; write 0, 1, 2 or more")
    return int(text)


def _one_text(value: Value) -> str:
    if isinstance(value, Text):
        return value.value
    raise ValueError("it has one value; write no list and no mapping")


#: What makes an option of a value, or raises a ValueError that says what would be right.
_PARSERS: Mapping[str, Callable[[Value], object]] = {
    "cancel": _cancel,
    "timeout": _timeout,
    "retries": _retries,
}
