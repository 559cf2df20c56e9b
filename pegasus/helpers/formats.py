"""Texts in JSON, YAML and TOML, and the values they stand for.

Values are those of JSON. Objects are written with their keys sorted, as they are gone through by
`each`. A format's name may be written in any case.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from pegasus.handlebars import runtime


class Format(NamedTuple):
    """How a text is read, and how a value is written. Both raise ValueError."""

    read: Callable[[str], object]
    write: Callable[[object], str]


def read(text: str, name: object) -> object:
    """Return the value of a text in the format `name`; an empty text is "".

    Raises:
        ValueError: it isn't such a text, or there is no such format.
    """
    chosen = _named(name)
    return plain(chosen.read(text)) if text else ""


def write(value: object, name: object) -> str:
    """Return a value in the format `name`; null and "" are an empty text in all of them.

    Raises:
        ValueError: the format can't express it, or there is no such format.
    """
    chosen = _named(name)
    return "" if value is None or value == "" else chosen.write(plain(value))


def _named(name: object) -> Format:
    known = FORMATS.get(name.lower()) if isinstance(name, str) else None
    if known is None:
        raise ValueError(f"there is no such format; the formats are {', '.join(FORMATS)}")
    return known


def plain(value: object) -> object:
    """Return a value with the types that JSON has, keys sorted; dates and times become text.

    Raises:
        ValueError: there is something else in it.
    """
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the number {value} is out of range")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(f"a value of type {type(value).__name__} has no place in JSON")


def _read_json(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"the text is not JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"the text is not JSON: {constant} is no number there")


def _write_json(value: object) -> str:
    if isinstance(value, float):
        return runtime.text(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write_pretty_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


# Their libraries are imported when they are needed.


def _read_yaml(text: str) -> object:
    from pegasus.helpers import yaml_format

    return yaml_format.read(text)


def _write_yaml(value: object) -> str:
    from pegasus.helpers import yaml_format

    return yaml_format.write(value)


def _read_toml(text: str) -> object:
    from pegasus.helpers import toml_format

    return toml_format.read(text)


def _write_toml(value: object) -> str:
    from pegasus.helpers import toml_format

    return toml_format.write(value, is_long=False)


def _write_pretty_toml(value: object) -> str:
    from pegasus.helpers import toml_format

    return toml_format.write(value, is_long=True)


FORMATS = {
    "json": Format(_read_json, _write_json),
    "json_pretty": Format(_read_json, _write_pretty_json),
    "yaml": Format(_read_yaml, _write_yaml),
    "toml": Format(_read_toml, _write_toml),
    "toml_pretty": Format(_read_toml, _write_pretty_toml),
}
