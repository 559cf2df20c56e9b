"""What others say, made fit for a message of ours."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return a text that a server or a program chose, in one line and without control characters.

    A terminal would obey those: they could hide the message, or write one of their own.
    """
    lines = (line.strip() for line in text.splitlines())
    return "".join(map(_visible, "; ".join(line for line in lines if line)))


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
