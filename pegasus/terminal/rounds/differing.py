"""How outputs differ from one another, as diff -u has it.

Comparing takes time that grows with the square of what differs, and a run waits for it: what is too
much is not compared, but said to differ.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from pegasus.terminal.rounds.spooling import Captured

#: Outputs of more bytes than this are not compared line by line,
LARGEST = 1 << 20
#: nor are those with more lines from the first that differs to the last one,
MOST_LINES = 2000
#: nor more of them than this comes to, added up for all that are compared with the same one.
MOST_WORK = 25 * MOST_LINES**2
#: So many lines are shown of a difference.
SHOWN = 200
#: So many lines are shown around what differs.
CONTEXT = 3

_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")
_NO_NEWLINE = "\\ No newline at the end"


class Reference:
    """An output that others are compared with.

    Args:
        name: of the nodes that it is from.
    """

    def __init__(self, name: str, output: Captured) -> None:
        self._name = name
        self._size = output.size
        self._lines = _lines(output)
        self._work = 0

    def differences(self, name: str, output: Captured) -> tuple[list[str], str]:
        """Return how an output differs: lines, and what they don't show, in words, or "".

        Args:
            name: of the nodes that the output is from.

        Raises:
            OSError: it can't be read.
        """
        head = [f"--- {self._name}", f"+++ {name}"]
        lines = _lines(output)
        if self._lines is None or lines is None:
            return head, f"they differ: {self._size} and {output.size} bytes, too many to compare"
        if any("\0" in line for line in (*self._lines, *lines)):
            return head, f"they differ: binary, of {self._size} and {output.size} bytes"
        start, end = _same(self._lines, lines)
        ours, theirs = len(self._lines) - start - end, len(lines) - start - end
        self._work += ours * theirs
        if max(ours, theirs) > MOST_LINES or self._work > MOST_WORK:
            return head, f"they differ from line {start + 1} on, in too many lines to compare"
        shown = [*_hunks(self._lines, lines, start, end)]
        if not shown:
            return head, "they differ in bytes that are no text"
        left = len(shown) - SHOWN
        return head + shown[:SHOWN], f"{left} more lines of difference" if left > 0 else ""


def _lines(output: Captured) -> list[str] | None:
    """Return the lines of an output, or None where it is too large.

    The last one has a mark where no newline stands at its end. Bytes that are no UTF-8, and
    carriage returns, are written as escapes: they may be all that differs.
    """
    if output.size > LARGEST:
        return None
    text = b"".join(output.chunks()).decode(errors="backslashreplace").replace("\r", "\\r")
    *lines, rest = text.split("\n")
    return lines + ([f"{rest}\n{_NO_NEWLINE}"] if rest else [])


def _same(ours: Sequence[str], theirs: Sequence[str]) -> tuple[int, int]:
    """Return how many lines are the same at the beginning, and at the end."""
    least = min(len(ours), len(theirs))
    start = next((at for at in range(least) if ours[at] != theirs[at]), least)
    rest = range(least - start)
    end = next((at for at in rest if ours[-1 - at] != theirs[-1 - at]), len(rest))
    return start, end


def _hunks(ours: Sequence[str], theirs: Sequence[str], start: int, end: int) -> Iterator[str]:
    """Yield a unified diff, without its head, given what is the same on both sides."""
    first, last = max(0, start - CONTEXT), max(0, end - CONTEXT)
    ours, theirs = ours[first : len(ours) - last], theirs[first : len(theirs) - last]
    for line in [*difflib.unified_diff(ours, theirs, n=CONTEXT, lineterm="")][2:]:
        if found := _HUNK.fullmatch(line):
            yield _moved(found, first)
        else:
            yield from line.split("\n")


def _moved(hunk: re.Match[str], by: int) -> str:
    ours, theirs = int(hunk[1]) + by, int(hunk[3]) + by
    return f"@@ -{ours}{hunk[2] or ''} +{theirs}{hunk[4] or ''} @@"
