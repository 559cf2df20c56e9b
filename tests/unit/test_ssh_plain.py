"""What others say, as part of our messages."""

from __future__ import annotations

import pytest

from pegasus.ssh.plain import plain


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Connection refused", "Connection refused"),
        ("Grüße, 你好", "Grüße, 你好"),
        ("one\r\n\n  two\n", "one; two"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("c1 \x9b31m", r"c1 \x9b31m"),
        ("turned \u202e round", r"turned \u202e round"),
        ("", ""),
    ],
)
def test_a_text_becomes_one_line_that_a_terminal_only_shows(said: str, shown: str) -> None:
    assert plain(said) == shown
