"""Cuts lines into pieces that fit a terminal, counting what each character takes there.

How wide a character is, rich knows. Terminals differ in what they join: one shows a family of
three as one picture, another one as three. The widest that a terminal may make of it is counted, so
that no terminal breaks a piece by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pegasus.terminal.lines.sequences import RESET, Style

#: How far apart tab stops are.
TAB = 8

#: No character takes more columns.
_WIDEST = 2

_TOKEN = re.compile(r"\x1b\[([0-9;:]*)m|\t")

_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"


def wrap(line: str, width: int) -> list[str]:
    """Return the pieces of a line, each of `width` columns at most; an empty line is one piece.

    Colours go on from piece to piece, and each piece ends without any. Tabs become blanks.

    Args:
        line: without control sequences other than SGR; see `sequences.shown`.
        width: in columns. A character that is wider has a piece for itself.
    """
    if line.isascii() and line.isprintable():
        return [line[at : at + width] for at in range(0, len(line), width)] or [line]
    if _surely_fits(line, width):
        return [line + RESET if "\x1b" in line else line]
    wrapper = _Wrapper(width)
    at = 0
    for found in _TOKEN.finditer(line):
        wrapper.add(line[at : found.start()])
        wrapper.tab() if found[1] is None else wrapper.style(found[0], found[1])
        at = found.end()
    wrapper.add(line[at:])
    return wrapper.finish()


def columns(text: str) -> int:
    """Return how many columns a text without control sequences takes."""
    if text.isascii():
        return len(text)
    return sum(width for _, width in _clusters(text))


def _surely_fits(line: str, width: int) -> bool:
    """Return whether a line is one piece, in the cases where that is told in no time."""
    if "\t" in line:
        return False
    text = _TOKEN.sub("", line) if "\x1b" in line else line
    return (1 if text.isascii() else _WIDEST) * len(text) <= width


class _Wrapper:
    """The pieces that are done, and the one that grows."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pieces: list[str] = []
        self._parts: list[str] = []
        self._column = 0
        self._style = Style()

    def add(self, text: str) -> None:
        if text.isascii():
            self._add_ascii(text)
            return
        for cluster, width in _clusters(text):
            # What takes no column, some terminals put into the next line at the very edge.
            reach = width + (len(cluster) > 1)
            if self._column and self._column + reach > self._width:
                self._break()
            self._parts.append(cluster)
            self._column += width

    def _add_ascii(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self._column >= self._width:
                self._break()
            part = text[at : at + self._width - self._column]
            self._parts.append(part)
            self._column += len(part)
            at += len(part)

    def tab(self) -> None:
        """Go on at the next tab stop, or at the edge, as a terminal does."""
        stop = min((self._column // TAB + 1) * TAB, self._width)
        self._parts.append(" " * (stop - self._column))
        self._column = max(self._column, stop)

    def style(self, sequence: str, parameters: str) -> None:
        self._parts.append(sequence)
        self._style.update(parameters)

    def finish(self) -> list[str]:
        self._end_piece()
        return self._pieces

    def _break(self) -> None:
        self._end_piece()
        self._parts = [str(self._style)]
        self._column = 0

    def _end_piece(self) -> None:
        piece = "".join(self._parts)
        self._pieces.append(piece + RESET if "\x1b" in piece else piece)


def _clusters(text: str) -> Iterator[tuple[str, int]]:
    """Yield what must not be torn, each with its columns: a character and all that changes it."""
    start = width = 0
    before, is_flag = "", False
    for at, character in enumerate(text):
        own = _columns_of(character)
        is_pair = own == _WIDEST and not is_flag and _is_region(before) and _is_region(character)
        if at and own and not (is_pair or before == _JOINER or _is_tone(character)):
            yield text[start:at], width
            start, width = at, 0
        if character == _EMOJI_STYLE and width == 1:
            own = 1  # It makes a picture of a character that may have been narrow.
        width += own
        before, is_flag = character, is_pair
    if text:
        yield text[start:], width


@lru_cache(maxsize=4096)
def _columns_of(character: str) -> int:
    """Return the most columns that a terminal gives to a character."""
    from rich.cells import get_character_cell_size

    if _is_region(character) or _is_tone(character):
        return _WIDEST
    return max(0, get_character_cell_size(character))


def _is_region(character: str) -> bool:
    """Whether a character is half of a flag."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_tone(character: str) -> bool:
    """Whether a character is the colour of the skin of the one before."""
    return "\U0001f3fb" <= character <= "\U0001f3ff"
