"""Lines are cut at the width of a terminal, counting what characters take there."""

from __future__ import annotations

import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus.terminal.lines.sequences import RESET
from pegasus.terminal.lines.wrapping import columns, wrap

FAMILY = "👨‍👩‍👧"
FLAG = "🇩🇪"
THUMB = "👍🏽"


@pytest.mark.parametrize(
    ("line", "width", "pieces"),
    [
        ("", 10, [""]),
        ("short", 10, ["short"]),
        ("exactly 10", 10, ["exactly 10"]),
        ("exactly ten", 10, ["exactly te", "n"]),
        ("漢字漢字漢", 4, ["漢字", "漢字", "漢"]),
        ("漢字漢字漢", 5, ["漢字", "漢字", "漢"]),
        ("a漢字", 4, ["a漢", "字"]),
        (FAMILY * 2, 8, [FAMILY, FAMILY]),
        (FLAG * 3, 9, [FLAG * 2, FLAG]),
        (THUMB * 2, 5, [THUMB, THUMB]),
        ("❤️" * 3, 5, ["❤️❤️", "❤️"]),
        ("e\u0301" * 5, 4, ["e\u0301" * 3, "e\u0301" * 2]),
        ("\u0301x", 10, ["\u0301x"]),
        ("漢字", 1, ["漢", "字"]),
        (FAMILY * 2, 1, [FAMILY, FAMILY]),
        ("a\tb", 20, ["a       b"]),
        ("漢\tb", 20, ["漢      b"]),
        ("12345678\tb", 20, ["12345678        b"]),
        ("a\tb\tc", 12, ["a       b   ", "c"]),
        ("a\tb", 4, ["a   ", "b"]),
        ("\t\t\t", 10, [" " * 10]),
        ("\x1b[31mred", 10, [f"\x1b[31mred{RESET}"]),
        ("\x1b[31mred\x1b[0m", 3, [f"\x1b[31mred\x1b[0m{RESET}"]),
        ("\x1b[31mabcd", 2, [f"\x1b[31mab{RESET}", f"\x1b[31mcd{RESET}"]),
        ("\x1b[31mab\x1b[0mcd", 2, [f"\x1b[31mab\x1b[0m{RESET}", "cd"]),
        ("a\x1b[1mb\x1b[42mcd", 2, [f"a\x1b[1mb\x1b[42m{RESET}", f"\x1b[1;42mcd{RESET}"]),
        ("\x1b[38;5;9m漢字", 3, [f"\x1b[38;5;9m漢{RESET}", f"\x1b[38;5;9m字{RESET}"]),
    ],
)
def test_lines_are_cut_into_pieces(line: str, width: int, pieces: list[str]) -> None:
    assert wrap(line, width) == pieces


@pytest.mark.parametrize(
    ("text", "width"),
    [("plain", 5), ("漢字", 4), ("e\u0301", 1), ("❤️", 2), ("☕", 2), ("", 0), ("ﾊﾟ", 2)],
)
def test_columns_are_counted(text: str, width: int) -> None:
    assert columns(text) == width


_CLUSTERS = ["a", " ", "é", "e\u0301", "漢", "字", FAMILY, FLAG, THUMB, "❤️", "한", "क्षि", "\u2500"]
_STYLES = ["\x1b[31m", "\x1b[1m", "\x1b[0m", "\x1b[38;5;100m", "\x1b[44;4m", "\x1b[39m"]
_LINES = st.lists(st.sampled_from(_CLUSTERS + _STYLES), max_size=60)
_SGR = re.compile(r"\x1b\[[0-9;]*m")


class EachCharacter(pyte.Screen):
    """A screen that pyte's losses at characters without columns don't concern."""

    def draw(self, data: str) -> None:
        for character in data:
            super().draw(character)


@given(_LINES, st.integers(1, 40))
def test_nothing_is_lost_or_torn_at_any_width(parts: list[str], width: int) -> None:
    pieces = [_SGR.sub("", piece) for piece in wrap("".join(parts), width)]
    assert "".join(pieces) == _SGR.sub("", "".join(parts))
    starts = {piece[0] for piece in pieces if piece}
    assert not starts & set("\u0301\u200d\ufe0f🏽")
    assert all(piece.count("🇩") == piece.count("🇪") for piece in pieces)


@given(_LINES, st.integers(8, 40))
def test_a_terminal_shows_each_piece_in_a_row_of_its_own(parts: list[str], width: int) -> None:
    pieces = wrap("".join(parts), width)
    screen = EachCharacter(width, len(pieces) + 1)
    stream = pyte.Stream(screen)
    for piece in pieces:
        stream.feed(f"{piece}\r\n")
    assert screen.cursor.y == len(pieces)
    assert (screen.cursor.attrs.fg, screen.cursor.attrs.bold) == ("default", False)


@given(_LINES, st.integers(8, 40))
def test_colours_go_on_in_the_next_piece(parts: list[str], width: int) -> None:
    def colours(texts: list[str]) -> list[tuple[str, str, str, bool, bool]]:
        screen = EachCharacter(400, len(texts) + 1)
        stream = pyte.Stream(screen)
        for text in texts:
            stream.feed(f"{text}\r\n")
        rows = [screen.buffer[row] for row in range(len(texts))]
        cells = [row[column] for row in rows for column in range(400)]
        return [(c.data, c.fg, c.bg, c.bold, c.underscore) for c in cells if c.data.strip()]

    line = "".join(parts)
    assert colours(wrap(line, width)) == colours([line + RESET])


def test_a_line_of_any_length_is_cut_in_no_time() -> None:
    line = "\x1b[31m漢\x1b[1mx" * 10_000
    assert len(wrap(line, 60)) == 500
