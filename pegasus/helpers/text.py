"""Helpers that trim, replace and quote text."""

from __future__ import annotations

import re
import shlex

from pegasus.helpers.arguments import of_text

# What Unicode calls White_Space. Python strips the separators U+001C to U+001F as well.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


@of_text
def trim(text: str) -> str:
    """Without white space at both ends."""
    return text.strip(_WHITE_SPACE)


@of_text
def trim_start(text: str) -> str:
    """Without white space at the start."""
    return text.lstrip(_WHITE_SPACE)


@of_text
def trim_end(text: str) -> str:
    """Without white space at the end."""
    return text.rstrip(_WHITE_SPACE)


@of_text
def replace(text: str, old: str, new: str) -> str:
    """With each `old` replaced by `new`; both are taken literally."""
    return text.replace(old, new)


@of_text
def quote(symbol: str, text: str) -> str:
    """Between two `symbol`s (its first character), those inside and backslashes escaped.

    This is not what a shell needs; `shell_quote` is.
    """
    mark = symbol[:1] or '"'
    escaped = "".join(f"\\{char}" if char in (mark, "\\") else char for char in text)
    return f"{mark}{escaped}{mark}"


_SIMPLE_ESCAPES = dict(zip("abfnrtv\\\"'`", "\a\b\f\n\r\t\v\\\"'`", strict=True))
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\\"'`])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))|(?P<plain>[^\\])",
    re.DOTALL,
)


@of_text
def unquote(text: str) -> str:
    """Without a matching pair of quotes, and with the escapes inside decoded.

    The quotes are `"`, `'` or a backtick; the escapes those of C and Go. Text that isn't quoted
    well is unchanged.
    """
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'`":
        return text
    inner, pieces, position = text[1:-1], [], 0
    while position < len(inner):
        found = _ESCAPE.match(inner, position)
        piece = _decode(found, text[0]) if found else None
        if found is None or piece is None:
            return text
        pieces.append(piece)
        position = found.end()
    return "".join(pieces)


def _decode(found: re.Match[str], mark: str) -> str | None:
    """Return the character that is meant, or None if there is none."""
    if found["plain"]:
        return None if found["plain"] == mark else found["plain"]
    if found["simple"]:
        return _SIMPLE_ESCAPES[found["simple"]]
    number = int(found["octal"], 8) if found["octal"] else _hexadecimal(found)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return None
    return chr(number)


def _hexadecimal(found: re.Match[str]) -> int:
    return int(found["hex"] or found["short"] or found["long"], 16)


@of_text
def shell_quote(text: str) -> str:
    """As one word of a POSIX shell, whatever is in it."""
    return shlex.quote(text)
