"""A colour for each node, the same in each run; and whether a stream may have colours at all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from typing import TextIO

#: Of the 256 colours, whose values are the same everywhere, some that are neither too light for
#: white nor too dark for black: the contrast (of WCAG 2) is 3.6 or more with both, and 3 or more
#: with the softer ones that people use instead. Neighbours in the list differ much.
PALETTE = (166, 27, 28, 164, 100, 99, 30, 197, 64, 129, 31, 131, 63, 66, 162, 97)
#: Of the 16 colours, which are as the terminal has them, those that can be read on both in xterm.
PALETTE_OF_16 = (1, 12, 5, 9, 13)
#: Begins what is to stand out as something has failed: the red that the terminal's user has chosen.
ALARM = "\x1b[31m"


class Colours:
    """Which node has which colour: nodes are known by their labels."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._free = set(range(len(PALETTE)))

    def assign(self, labels: Iterable[str]) -> None:
        """Give each label that has none its colour, and none twice as long as there are others.

        The label says which it gets, so that it is the same in the next run; of two that would
        get the same, the first one in the order of `labels` does, and the other the next in turn.
        """
        for label in labels:
            if label in self._numbers:
                continue
            number = zlib.crc32(label.encode("utf-8", "surrogatepass")) % len(PALETTE)
            while self._free and number not in self._free:
                number = (number + 1) % len(PALETTE)
            self._free.discard(number)
            self._numbers[label] = number

    def start(self, label: str, depth: int) -> str:
        """Return the sequence that begins the colour of a label, or nothing if it has none.

        Args:
            depth: how many colours there are: 0, 16 or 256; see `depth_of`.
        """
        if not depth or label not in self._numbers:
            return ""
        number = self._numbers[label]
        if depth == 256:
            return f"\x1b[38;5;{PALETTE[number]}m"
        colour = PALETTE_OF_16[number % len(PALETTE_OF_16)]
        return f"\x1b[{30 + colour if colour < 8 else 90 + colour - 8}m"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream leads to a terminal."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # It is no file, or a closed one.
        return False


def is_dumb() -> bool:
    """Whether the terminal shows every character that it gets, and obeys none."""
    return os.environ.get("TERM", "").strip().lower() in ("dumb", "unknown")


def depth_of(stream: TextIO | None) -> int:
    """Return how many colours of ours a stream may have: none, 16 or 256.

    NO_COLOR (https://no-color.org) forbids them, and FORCE_COLOR (https://force-color.org) wants
    them where there is no terminal; each counts unless it is empty.
    """
    at_terminal = is_terminal(stream)
    is_wanted = not is_dumb() if at_terminal else bool(os.environ.get("FORCE_COLOR"))
    if os.environ.get("NO_COLOR") or not is_wanted:
        return 0
    from rich.console import Console

    system = Console(file=stream, force_terminal=True).color_system
    return 16 if system in (None, "standard") else 256
