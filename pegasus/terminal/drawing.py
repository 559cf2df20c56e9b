"""What rich draws, as lines: as wide as the terminal, and as wide as it likes elsewhere."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pegasus.terminal.lines.colours import is_terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: The columns of what is no terminal: nothing is cut off there.
_WIDE = 100_000


def drawn(draw: Callable[[int], RenderableType]) -> list[str]:
    """Return lines for stdout.

    Args:
        draw: returns what is to be drawn, for a number of columns.
    """
    is_for_terminal, text = is_terminal(sys.stdout), io.StringIO()
    screen = console(
        file=text,
        width=shutil.get_terminal_size().columns if is_for_terminal else _WIDE,
        force_terminal=is_for_terminal or None,  # None: as FORCE_COLOR has it.
    )
    screen.print(draw(screen.width))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def console(**more: Any) -> Console:
    """Return a screen for what rich draws; colours are as the environment says."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, **more)
