"""What a terminal would obey does not reach it, but for colours."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus.terminal.lines.sequences import Style, harmless, shown


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("plain", "plain"),
        ("漢字 e\u0301 👩‍👧", "漢字 e\u0301 👩‍👧"),
        ("a\tb", "a\tb"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[m", "\x1b[m"),
        ("\x1b[1;38;2;255;0;0m", "\x1b[1;38;2;255;0;0m"),
        ("\x1b[4:3mcurly", "\x1b[4:3mcurly"),
        ("\x9b31mred", "\x1b[31mred"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("up\x1b[1A, back\x1b[1000D, gone\x1b[K", "up, back, gone"),
        ("\x1b[?25l\x1b[?1049hhidden", "hidden"),
        ("\x1b[>4;2mkeys, no colour", "keys, no colour"),
        ("\x1b[1$mrectangle", "rectangle"),
        ("\x1b[6n\x1b[cquestions", "questions"),
        ("\x1b]0;title\x07told", "told"),
        ("\x1b]2;title\x1b\\told", "told"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9ctold", "told"),
        ("\x1bP1$r0m\x1b\\reply", "reply"),
        ("\x1b_app\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x", "x"),
        ("\x1b(0lqqk\x1b(B\x0e\x0f", "lqqk"),
        ("\x1bc\x1b7\x1b8\x1bM\x1b#8reset", "reset"),
        ("\x1b[31", ""),
        ("a\x1b", "a"),
        ("a\x1b[", "a"),
        ("\x1b]0;no end", "0;no end"),
        ("\x1b]0;cut\x1b[2Jx", "0;cutx"),
        (
            "bell\x07 back\x08 form\x0c vertical\x0b nul\x00 del\x7f",
            "bell back form vertical nul del",
        ),
        ("c1\x84\x85\x8d\x9a.", "c1."),
        ("\x1b\x1b[2Jtwice", "twice"),
        ("\x1b[3\x1b[2J1mnested", "1mnested"),
    ],
)
def test_only_colours_and_tabs_pass(line: str, left: str) -> None:
    assert shown(line) == left


def test_where_nothing_is_obeyed_colours_do_not_pass_either() -> None:
    assert shown("\x1b[31mred\x1b[0m \x9b1mbold", sgr=False) == "red bold"


_CONTROLS = [
    "\x1b",
    "\x1b[",
    "\x1b]",
    "\x9b",
    "\x90",
    "\x9c",
    "\x07",
    "\x08",
    "\x0e",
    "\x84",
    "\x18",
]
_ENDS = ["(0", "2J", "1;1H", "31m", "0;title", "?25l", "m", "\\", "c", "#8", ";", "x", " ", "P"]
_PARTS = st.sampled_from([*_CONTROLS, *_ENDS])


@given(st.lists(_PARTS, max_size=12).map("".join))
def test_whatever_comes_a_terminal_only_shows_it(line: str) -> None:
    screen = pyte.Screen(200, 3)
    stream = pyte.Stream(screen)
    stream.feed("above\r\n")
    left = shown(line)
    stream.feed(left)
    assert screen.display[0].rstrip() == "above"
    assert screen.display[2].strip() == ""
    assert not screen.title
    assert screen.cursor.y == 1
    assert shown(left) == left


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain\ttext\nand more", "plain\ttext\nand more"),
        ("\x1b[2J\x9b\r\x07", "\\x1b[2J\\x9b\\r\\x07"),
        ("rm \u202e fdp\u2066", "rm \\u202e fdp\\u2066"),
        ("zero\u200bwidth\u00a0space", "zero\\u200bwidth\\xa0space"),
        ("日本語 é 🎉", "日本語 é 🎉"),
    ],
)
def test_in_texts_of_ours_what_is_not_seen_is_escaped(text: str, result: str) -> None:
    assert harmless(text) == result


@pytest.mark.parametrize(
    ("sequences", "result"),
    [
        (["31"], "\x1b[31m"),
        (["31", "32"], "\x1b[32m"),
        (["31", "1", "44"], "\x1b[31;1;44m"),
        (["1;31", "0"], ""),
        (["1;31", ""], ""),
        (["1;31;00;4"], "\x1b[4m"),
        (["1", "2", "22"], ""),
        (["38;5;208", "1"], "\x1b[38;5;208;1m"),
        (["38;2;1;2;3;4"], "\x1b[38;2;1;2;3;4m"),
        (["38:2::1:2:3"], "\x1b[38:2::1:2:3m"),
        (["48;5;0", "39"], "\x1b[48;5;0m"),
        (["91", "39"], ""),
        (["4:3", "24"], ""),
        (["38;5"], ""),
        (["999", "1"], "\x1b[1m"),
    ],
)
def test_a_style_is_what_the_last_sequences_have_set(sequences: list[str], result: str) -> None:
    style = Style()
    for parameters in sequences:
        style.update(parameters)
    assert str(style) == result
    assert bool(style) == bool(result)
