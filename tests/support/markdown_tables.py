"""Read tables of the documentation."""

from __future__ import annotations

import re

_SPAN = re.compile(r"(`+)(.+?)\1(?!`)")


def tables(text: str) -> list[list[list[str]]]:
    """Return the rows of each table below its head, as lists of cells."""
    found = re.findall(r"^\|[-|]+\|\n((?:\|.*\n?)*)", text, re.M)
    return [[_cells(line) for line in table.splitlines()] for table in found]


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]


def values(cell: str) -> list[str]:
    """Return what is written as code in a cell, each piece as a reader sees it."""
    return [_shown(found[2]) for found in _SPAN.finditer(cell)]


def _shown(text: str) -> str:
    """Return code as it is shown: of a space on both sides, one goes."""
    return text[1:-1] if re.fullmatch(r" .*\S.* ", text) else text


def code(cell: str) -> str:
    """Return the one piece of code in a cell; `nothing` is the empty text."""
    if cell == "nothing":
        return ""
    (only,) = values(cell)
    assert _SPAN.fullmatch(cell), cell
    return only
