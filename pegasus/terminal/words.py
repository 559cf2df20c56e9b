"""Numbers with their nouns, and texts shortened, as messages have them."""

from __future__ import annotations


def first_line(text: str) -> str:
    """Return the first line of a text that is not blank, with `…` where there are more."""
    first, *more = [line for line in text.split("\n") if line.strip()] or [""]
    return first + (" …" if more else "")


def count(number: int, noun: str) -> str:
    """Return `3 nouns`, or `1 noun`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
