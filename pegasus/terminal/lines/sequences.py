"""What a terminal obeys instead of showing it: found in texts, and kept away from the terminal.

The forms are those of ECMA-48 and of xterm's ctlseqs. Of all of them only *SGR* passes, which sets
colours and the like and moves nothing.
"""

from __future__ import annotations

import re

from pegasus.model import printable

#: Ends what SGR has set.
RESET = "\x1b[0m"

_SEQUENCE = re.compile(
    r"""
    (?:\x1b\[|\x9b) (?P<sgr>[0-9;:]*) m                # colours and the like
    | (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?             # CSI: moves, clears, asks, switches
    | (?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])              # OSC, DCS and so on: titles, links, images
      (?:[^\x07\x18\x1a\x1b\x9c]* (?:\x07|\x1b\\|\x9c))?  # … with their text, if that has an end
    | \x1b [ -/]* [0-~]?                               # two characters and more: charsets, resets
    | [\x00-\x08\x0a-\x1f\x7f-\x9f]                    # any other control character but tabs
    """,
    re.VERBOSE,
)


def shown(line: str, *, sgr: bool = True) -> str:
    """Return a line of a job's output without what would move a cursor or clear a screen.

    Of a sequence that the line does not end, the beginning goes, and what follows stays as text.

    Args:
        line: one line, without its end.
        sgr: whether colours and the like pass.
    """
    if line.isprintable():
        return line
    return _SEQUENCE.sub(_only_sgr if sgr else "", line)


def _only_sgr(found: re.Match[str]) -> str:
    return "" if found["sgr"] is None else f"\x1b[{found['sgr']}m"


def harmless(text: str) -> str:
    """Return a text of ours in which others had a word: with escapes for what is not seen.

    These are control characters and those that reorder what a reader sees. Tabs and newlines stay.
    """
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


class Style:
    """What SGR sequences have set, so that it can be set again.

    Of each thing that they set, such as the foreground, the last setting counts.
    """

    def __init__(self) -> None:
        self._set: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._set)

    def __str__(self) -> str:
        """Return the sequence that sets all of it, or nothing."""
        return f"\x1b[{';'.join(self._set.values())}m" if self._set else ""

    def update(self, parameters: str) -> None:
        """Take notice of a sequence, given what stands in it before its `m`."""
        codes = parameters.split(";")
        while len(codes) >= (taken := _length(codes)):
            self._apply(codes[0].partition(":")[0].lstrip("0") or "0", ";".join(codes[:taken]))
            del codes[:taken]

    def _apply(self, code: str, text: str) -> None:
        if code == "0":
            self._set.clear()
        elif code in _ENDS:
            for kind in _ENDS[code]:
                self._set.pop(kind, None)
        elif code in _KINDS:
            self._set.pop(_KINDS[code], None)  # What is set last stands last.
            self._set[_KINDS[code]] = text


def _length(codes: list[str]) -> int:
    """Return how many codes belong together at the beginning: `38;5;208` are one thing."""
    if not codes or codes[0] not in ("38", "48", "58") or len(codes) == 1:
        return 1
    return {"5": 3, "2": 5}.get(codes[1], 1)


_KINDS = {
    "1": "bold",
    "2": "faint",
    "3": "slant",
    "4": "underline",
    "5": "blink",
    "6": "blink",
    "7": "inverse",
    "8": "hidden",
    "9": "strike",
    "21": "underline",
    "53": "overline",
    "58": "underline colour",
    **dict.fromkeys([*map(str, range(30, 39)), *map(str, range(90, 98))], "foreground"),
    **dict.fromkeys([*map(str, range(40, 49)), *map(str, range(100, 108))], "background"),
}
_ENDS = {
    "22": ("bold", "faint"),
    "23": ("slant",),
    "24": ("underline",),
    "25": ("blink",),
    "27": ("inverse",),
    "28": ("hidden",),
    "29": ("strike",),
    "39": ("foreground",),
    "49": ("background",),
    "55": ("overline",),
    "59": ("underline colour",),
}
