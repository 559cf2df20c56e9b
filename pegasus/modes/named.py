"""The nodes of a run that somebody names while it is on, as `inv drain` does."""

from __future__ import annotations

from collections.abc import Sequence

from pegasus.errors import SettingsError
from pegasus.model import Node, printable
from pegasus.nodesets import fold
from pegasus.patterns import ExpressionError
from pegasus.selection import matching

#: How many characters of a list of nodes stand in a message.
LISTED = 1000


def named(nodes: Sequence[Node], expression: str) -> list[Node]:
    """Return the nodes that an expression is for, written as for `--limit`, in their order.

    Raises:
        SettingsError: it is wrong, or for none of them.
    """
    found = _matching(nodes, expression)
    if not found:
        there = fold(nodes)
        shown = there if len(there) <= LISTED else f"{there[:LISTED]}… (inv status shows all)"
        raise SettingsError(f"no node matches `{printable(expression)}`; there are {shown}")
    return found


def check(expression: str) -> None:
    """Refuse what is no expression, whatever nodes there are.

    Raises:
        SettingsError: it is none.
    """
    _matching((), expression)


def _matching(nodes: Sequence[Node], expression: str) -> list[Node]:
    try:
        return matching(nodes, expression)
    except ExpressionError as error:
        where = f"column {error.column} of `{printable(expression)}`"
        raise SettingsError(f"{where}: {error}") from None
