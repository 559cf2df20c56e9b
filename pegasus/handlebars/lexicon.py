"""The regular parts of a template, as expressions: text, names, strings, numbers, comments."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from pegasus.handlebars.syntax import Path, Problem, Span, brief

_NAME = r"(?:[\w$-]|[^\x00-\x7f\s])+"
_SEGMENT = rf"(?:\[[^\]]*\]|{_NAME})"
_WORD_END = r"(?![\w$.-]|[^\x00-\x7f\s])"

OPENING = re.compile(r"\{\{~?")
CLOSING = re.compile(r"~?\}\}")
SPACE = re.compile(r"[ \t\r\n]*")
GAP = re.compile(r"[ \t\r\n]+")
NAME = re.compile(_NAME)
KEY = re.compile(rf"(?P<key>{_NAME})=")
PATH = re.compile(
    rf"@?(?P<up>(?:\.\./)*)(?:(?:\./)?(?P<inner>{_SEGMENT}(?:[./]{_SEGMENT})*)|(?P<dots>\.\.?){_WORD_END})"
)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'", re.DOTALL)
LITERAL = re.compile(
    r"(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)" + _WORD_END
)
ELSE = re.compile(r"\^|else" + _WORD_END)
AS = re.compile(r"as[ \t\r\n]+\|")
BLOCK_NAMES = re.compile(
    rf"[ \t\r\n]+as[ \t\r\n]+\|[ \t\r\n]*(?P<names>{_NAME}(?:[ \t\r\n]+{_NAME})*)[ \t\r\n]*\|"
)
COMMENT = re.compile(r"\{\{!(?:--.*?--\}\}|(?!--).*?\}\})", re.DOTALL)
RAW_BLOCK = re.compile(
    r"(?P<open>\{{4}[ \t\r\n]*raw[ \t\r\n]*\}{4})(?P<text>.*?)"
    r"(?P<close>\{{4}[ \t\r\n]*/[ \t\r\n]*raw[ \t\r\n]*\}{4})",
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\.|"', re.DOTALL)


def read_text(source: str, start: int) -> tuple[str, int]:
    """Return the text from `start` up to a tag or a `\\{{`, and where it ends.

    A backslash in front of a tag makes its braces text. Of more than one backslash, one goes
    and the tag remains a tag. (So does handlebars-rust 4.3.)
    """
    tag = source.find("{{", start)
    if tag < 0:
        return source[start:], len(source)
    text = source[start:tag]
    backslashes = len(text) - len(text.rstrip("\\"))
    if backslashes == 0:
        return text, tag
    if backslashes > 1:
        return text[:-1], tag
    end = tag
    while source.startswith("{", end):
        end += 1
    return text[:-1] + source[tag:end], end


def read_path(found: re.Match[str]) -> Path:
    """Return the path that PATH has found."""
    text, up, inner = found.group(), len(found["up"]) // 3, found["inner"]
    if inner is None:
        return Path(text, up + (found["dots"] == ".."), text[0] == "@", (), False)
    written = re.findall(_SEGMENT, inner)
    is_plain = text == inner and written[0] != "this" and not inner.startswith("[")
    if written[0] == "this" and not text.startswith("@"):
        written = written[1:]
    segments = tuple(each[1:-1] if each[0] == "[" else each for each in written)
    return Path(text, up, text[0] == "@", segments, is_plain)


def read_string(quoted: str) -> str:
    """Return the value of a string in single or double quotes.

    Escapes are JSON's, and in single quotes `\\'` instead of `\\"`. Line breaks and tabs may
    stand in it as they are.
    """
    as_json = quoted if quoted[0] == '"' else f'"{_ESCAPE.sub(_escape_as_json, quoted[1:-1])}"'
    try:
        value: str = json.loads(as_json, strict=False)
        value.encode()
    except ValueError as error:
        raise Problem(
            f"the string {brief(quoted)} has an escape that isn't one",
            hint=r"write a backslash as \\",
        ) from error
    return value


def _escape_as_json(found: re.Match[str]) -> str:
    """Return how JSON spells an escape, or a double quote, of a string in single quotes."""
    return {r"\'": "'", '"': r"\"", r"\"": r"\x"}.get(found.group(), found.group())


def _not_finite(text: str) -> NoReturn:
    raise Problem(f"the number {brief(text)} is out of range")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_finite(text)


def _integer(text: str) -> int:
    # Python itself refuses to print an integer of more than 4300 digits.
    return int(text) if len(text) <= 1000 else _not_finite(text)


_JSON = json.JSONDecoder(parse_float=_finite, parse_int=_integer, parse_constant=_not_finite)


def read_json(source: str, start: int = 0) -> tuple[object, int]:
    """Return the JSON value that stands at `start`, and where it ends."""
    return _JSON.raw_decode(source, start)


def tag_span(source: str, start: int) -> Span:
    """Return where the tag at `start` ends, as far as that can be told of one that is wrong."""
    end = source.find("}}", start)
    line_end = source.find("\n", start)
    ends = [each for each in (end + 2 if end >= 0 else -1, line_end) if each >= 0]
    return start, min([*ends, start + 60, len(source)])
