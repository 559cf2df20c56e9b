"""How lines look on one stream: for a terminal fitted to it, for anything else as they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TextIO

from pegasus.terminal.lines.colours import ALARM, Colours, depth_of, is_dumb, is_terminal
from pegasus.terminal.lines.sequences import RESET, shown
from pegasus.terminal.lines.splitter import lines_of, text_of
from pegasus.terminal.lines.wrapping import columns, wrap

#: The columns of a terminal that does not say how many it has.
USUAL_WIDTH = 80
#: With less room than this behind a prefix, in columns, pieces go without it.
LEAST_ROOM = 8


class Layout:
    """Fits lines to a stream, which is judged by itself: the other one may lead elsewhere.

    Args:
        stream: None is one that leads nowhere.
        colours: of the labels.
    """

    def __init__(self, stream: TextIO | None, colours: Colours) -> None:
        self._stream = stream
        self._colours = colours
        self.at_terminal = is_terminal(stream)
        #: Whether there is a terminal that obeys.
        self.can_redraw = self.at_terminal and not is_dumb()

    @property
    def width(self) -> int:
        """The columns of the terminal, as they are at this moment."""
        try:
            found = os.get_terminal_size(self._stream.fileno()).columns if self._stream else 0
        except (OSError, ValueError):  # It has been closed.
            found = 0
        told = os.environ.get("COLUMNS", "")
        return found or (int(told) if told.isdecimal() else 0) or USUAL_WIDTH

    @cached_property
    def _depth(self) -> int:
        return depth_of(self._stream)

    def alarming(self, line: str) -> str:
        """Return a line of ours that tells of a failure: red, where colours of ours may be."""
        return f"{ALARM}{line}{RESET}" if self._depth else line

    def text(self, text: str, label: str = "", job: str = "") -> str:
        """Return a text of whole lines as it is written.

        Args:
            text: lines, each with its newline. A terminal gets no control sequence of theirs but
                SGR.
            label: what stands in brackets in front of each line, and of each piece of one.
            job: what stands behind the label there, and has no part in its colour.
        """
        prefix = f"[{label} {job}] " if job else f"[{label}] " if label else ""
        start = self._colours.start(label, self._depth) if label else ""
        painted = f"{start}{prefix[:-1]}{RESET} " if start else prefix
        if not self.at_terminal:
            return _in_front(painted, text)
        lines = lines_of(text)
        room = self.width - columns(prefix)
        if prefix and room < LEAST_ROOM:
            return text_of([*self._pieces((painted + line for line in lines), self.width)])
        if not _surely_fit(lines, room):
            text = text_of([*self._pieces(lines, room)])
        return _in_front(painted, text)

    def _pieces(self, lines: Iterable[str], room: int) -> Iterator[str]:
        for line in lines:
            yield from wrap(shown(line, sgr=self.can_redraw), room)

    def fitted(self, line: str) -> str:
        """Return as much of a line as fits a terminal without reaching its edge."""
        return wrap(shown(line), max(1, self.width - 1))[0]


def _in_front(prefix: str, text: str) -> str:
    """Return a text with a prefix in front of each line."""
    if not prefix or not text:
        return text
    return f"{prefix}{text[:-1]}".replace("\n", f"\n{prefix}") + "\n"


def _surely_fit(lines: list[str], room: int) -> bool:
    """Return whether each line is one piece, as it is: all of them at once, and so in no time."""
    bare = "".join(lines)
    return bare.isascii() and bare.isprintable() and max(map(len, lines), default=0) <= room
