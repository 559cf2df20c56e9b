"""Draws numbers of a run as one line of a given width: a bar, counts and times."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pegasus.measures import Progress
from pegasus.terminal.lines.colours import depth_of
from pegasus.terminal.times import duration

#: The least and the most columns of the bar.
SHORTEST, LONGEST = 8, 60
#: Columns between the parts.
GAP = 2

_SYSTEMS = {0: None, 16: "standard", 256: "256"}


class _Part(NamedTuple):
    """A part of the line. Where there is no room, those of the highest `rank` go first."""

    rank: int
    text: Text


class Gauge:
    """Draws lines of a width.

    Args:
        width: in columns.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._drawn = io.TextIOWrapper(io.BytesIO(), encoding=_encoding(), errors="replace")
        self._console = Console(
            file=self._drawn,
            width=max(width, 1),
            force_terminal=True,
            color_system=_SYSTEMS[depth_of(sys.stderr)],  # type: ignore[arg-type]
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def draw(self, progress: Progress) -> str:
        """Return the line, with SGR sequences if stderr may have colours."""
        parts = _fitting([*_parts(progress)], self.width)
        room = self.width - _length(parts) - GAP
        table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
        cells: list[ProgressBar | Text] = [part.text for part in parts]
        if room >= SHORTEST:
            cells.insert(0, _bar(progress, min(room, LONGEST)))
        for _ in cells:
            table.add_column(no_wrap=True, overflow="crop")
        table.add_row(*cells)
        with self._console.capture() as captured:
            self._console.print(table, end="")
        return captured.get().split("\n")[0].rstrip()


def _bar(progress: Progress, width: int) -> ProgressBar:
    total = progress.total or 1
    return ProgressBar(
        total=total,
        completed=min(progress.done, total),
        width=width,
        complete_style="green",
        finished_style="green",
    )


def _parts(progress: Progress) -> Iterator[_Part]:
    """Yield the parts, in the order in which they stand."""
    total = "" if progress.total is None else f"/{progress.total}"
    yield _Part(0, Text(f"{progress.done}{total} done"))
    if progress.on_nodes:
        ended, there = progress.on_nodes
        yield _Part(5, Text(f"round: {ended}/{there} nodes"))
    failed = progress.failed
    yield _Part(1 if failed else 7, Text(f"{failed} failed", "red" if failed else ""))
    if progress.unfit:
        yield _Part(1, Text(f"{progress.unfit} unfit", "red"))
    yield _Part(4, Text(f"{progress.running} running"))
    what = "free" if progress.slots == progress.connected else "slots free"
    yield _Part(6, Text(f"{progress.free}/{progress.slots} {what}"))
    if progress.is_paused:
        yield _Part(1, Text("paused", "yellow"))
    yield _Part(3, Text(duration(progress.elapsed)))
    if progress.remaining is not None:
        yield _Part(2, Text(f"ETA {duration(progress.remaining)}"))


def _fitting(parts: list[_Part], width: int) -> list[_Part]:
    """Return as many parts as have room, those first without which the others say little."""
    while len(parts) > 1 and _length(parts) > width:
        parts.remove(max(parts, key=lambda part: part.rank))
    return parts


def _length(parts: list[_Part]) -> int:
    return sum(cell_len(part.text.plain) for part in parts) + GAP * (len(parts) - 1)


def _encoding() -> str:
    """Return what stderr can write: the bar is of ASCII where that is not all of Unicode."""
    return getattr(sys.stderr, "encoding", None) or "utf-8"
