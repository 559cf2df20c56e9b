"""The nodes, and who of them answers: as a table, or as one JSON document.

docs/hosts.md describes the document. Its `version` grows when a reader of the old one would be
misled; fields may be added without.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pegasus.files.slots import GPUS
from pegasus.journal.records import option_fields
from pegasus.model import ONE_SLOT, Node, printable
from pegasus.modes.ping import Ping
from pegasus.terminal.drawing import console, drawn
from pegasus.terminal.lines.colours import is_dumb, is_terminal
from pegasus.terminal.screen import was_read, write
from pegasus.terminal.words import count

if TYPE_CHECKING:
    from rich.table import Table

VERSION = 1

#: The columns that say which node it is, and those that are numbers.
_WHO = ("#", "host", "user", "port", "parameters")
_NUMBERS = ("#", "port", "time")


def show(nodes: Sequence[Node], *, as_json: bool) -> None:
    """Write the nodes to stdout.

    Raises:
        StorageError: stdout can't be written to.
    """
    if as_json:
        _write_json([_node(node) for node in nodes])
        return
    are_all_one = all(node.slots == ONE_SLOT.indices for node in nodes)
    rows = [[*_who(node), "" if are_all_one else _slots(node), _options(node)] for node in nodes]
    _write([*_table([*_WHO, "slots", "options"], rows), count(len(nodes), "node")])


def show_pings(pings: Sequence[Ping], *, as_json: bool) -> None:
    """Write to stdout what came of each node; errors are those of `show`."""
    reached = sum(not one.error for one in pings)
    if as_json:
        _write_json([{**_node(one.node), **_answer(one)} for one in pings], reached=reached)
        return
    rows = [[*_who(one.node), *_cells(one)] for one in pings]
    failed = {number for number, one in enumerate(pings) if one.error}
    lines = _table([*_WHO, "time", "as", "answer"], rows, failed)
    _write([*lines, f"{reached} of {count(len(pings), 'node')} can be reached"])


def waited(pings: Iterable[Ping], total: int) -> Iterator[Ping]:
    """Yield what comes, and say meanwhile on a terminal how much that is."""
    if not is_terminal(sys.stderr) or is_dumb():
        yield from pings
        return
    screen = console(stderr=True)
    with screen.status(f"0 of {total} have answered") as status:
        for number, one in enumerate(pings, 1):
            yield one
            status.update(f"{number} of {total} have answered")


def _who(node: Node) -> list[str]:
    host = node.host
    port = "" if host.port is None else str(host.port)
    return [str(node.index), host.name, host.user or "", port, _pairs(node.params)]


def _slots(node: Node) -> str:
    """Return the slots of a node as hosts.yaml has them."""
    if node.slots is None:
        return GPUS
    is_count = node.slots == tuple(range(len(node.slots)))
    return str(len(node.slots)) if is_count else f"[{', '.join(map(str, node.slots))}]"


def _options(node: Node) -> str:
    options: list[tuple[str, str]] = []
    for name, value in node.options.written:
        if isinstance(value, str):
            options.append((name, value))
        else:
            options += [(f"{name}.{inner}", text) for inner, text in value]
    return _pairs(options)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs)


def _cells(one: Ping) -> list[str]:
    if one.error or not one.peer:
        return ["", "", f"{one.error.step}: {one.error.problem}" if one.error else ""]
    return [_milliseconds(one), one.peer.user, one.peer.server or "this machine, without SSH"]


def _milliseconds(one: Ping) -> str:
    return f"{one.seconds * 1000:,.0f} ms"


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], red: Collection[int] = ()
) -> list[str]:
    """Return the lines of a table, without the columns that are empty.

    Args:
        red: the numbers of rows in which something is wrong.
    """
    used = [number for number in range(len(columns)) if any(row[number] for row in rows)]

    def draw(_: int) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for number in used:
            name = columns[number]
            table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold")
        for at, row in enumerate(rows):
            style = "red" if at in red else ""
            table.add_row(*(Text(printable(row[number]), style) for number in used))
        return table

    return drawn(draw)


def _node(node: Node) -> dict[str, Any]:
    host = node.host
    return {
        "node": node.label,
        "index": node.index,
        "host": host.text,
        "name": host.name,
        "user": host.user,
        "port": host.port,
        "params": dict(node.params),
        "slots": None if node.slots is None else [*node.slots],
        "options": option_fields(node.options),
    }


def _answer(one: Ping) -> dict[str, Any]:
    return {
        "reached": one.error is None,
        "seconds": round(one.seconds, 3),
        "login": one.peer.user if one.peer else None,
        "server": one.peer.server or None if one.peer else None,
        "step": one.error.step if one.error else None,
        "problem": one.error.problem if one.error else None,
    }


def _write_json(nodes: Sequence[dict[str, Any]], **more: int) -> None:
    _write([json.dumps({"version": VERSION, **more, "nodes": nodes})])


def _write(lines: Sequence[str]) -> None:
    """Write lines to stdout, if there is somebody who reads it."""
    was_read(write(sys.stdout, lines))
