"""The rows of a report's table, as the page reads them: texts stand in it once, however often used.

A row is a list, to be short. What each place of it means stands in `FIELDS`, which the page is
given too.
"""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pegasus.journal.logs import log_path
from pegasus.model import printable
from pegasus.report.account import Account, Row
from pegasus.report.outcomes import LOOKS
from pegasus.report.spread import params_of
from pegasus.terminal.failures import ranges

FIELDS = (
    "job",
    "attempt",
    "node",  # its place among the nodes, or null
    "state",  # its place among the states
    "began",  # milliseconds, or null
    "duration",  # milliseconds, or null
    "command",  # the place of its text, as with the next two
    "why",
    "params",
    "stdout",  # bytes, or null
    "stderr",
    "logs",  # which of them are there: 1 stdout, 2 stderr
    "slots",  # the place of a text that says which it had, or null where that needs no word
)

#: How much of a command, and of other texts, is in the report, in characters.
COMMAND, SHORT = 4000, 500


class _Texts:
    """Texts, each of which is kept once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))

    @property
    def all(self) -> list[str]:
        return [*self._places]


def table(account: Account, folder: str, logs: Container[str]) -> dict[str, Any]:
    """Return all that the page needs to show its table, as JSON can hold it.

    Args:
        account: the run.
        folder: where its logs are, as an address that is relative to the page and ends with `/`.
        logs: the names of the logs that are there.
    """
    texts, params = _Texts(), _Params()
    states = {state: place for place, state in enumerate(LOOKS)}
    rows = [
        [
            row.job,
            row.attempt,
            row.node,
            states[row.state],
            None if row.began is None else row.span[0],
            None if row.began is None else row.duration,
            texts.place(shortened(row.command, COMMAND)),
            texts.place(shortened(row.why, SHORT)),
            params.place(params_of(account, row)),
            row.stdout,
            row.stderr,
            _logs(row, logs),
            texts.place(said) if (said := slots(account, row)) else None,
        ]
        for row in account.rows
    ]
    return {
        "fields": FIELDS,
        "rows": rows,
        "texts": texts.all,
        "params": params.all,
        "states": [*states],
        "colours": [look.colour for look in LOOKS.values()],
        "nodes": [printable(node.node.label) for node in account.nodes],
        "logs": folder,
    }


def slots(account: Account, row: Row) -> str:
    """Return which slots of its node an attempt had; "" where it could have no others."""
    if row.node is None or account.run.mode == "broadcast":
        return ""
    if not row.slots:
        return "no slot"
    if len(account.nodes[row.node].slots) == 1:
        return ""
    return f"{'slot' if len(row.slots) == 1 else 'slots'} {ranges(row.slots)}"


class _Params:
    """Choices of parameters, each of which is kept once, as pairs."""

    def __init__(self) -> None:
        self._places: dict[tuple[tuple[str, str], ...], int] = {}

    def place(self, params: Mapping[str, str]) -> int:
        pairs = tuple((shortened(k, SHORT), shortened(v, SHORT)) for k, v in params.items())
        return self._places.setdefault(pairs, len(self._places))

    @property
    def all(self) -> list[list[tuple[str, str]]]:
        return [[*pairs] for pairs in self._places]


def shortened(text: str, longest: int) -> str:
    """Return a text with escapes for what is not seen, but for ends of lines, and not too long."""
    more = len(text) - longest
    shown = "\n".join(map(printable, text[:longest].expandtabs(4).split("\n")))
    return shown + (f" … ({more:,} more characters)" if more > 0 else "")


def address(folder: Path, page: Path) -> str:
    """Return where a folder is, as an address that is relative to a folder with a page.

    Both may be links: what holds is where they really are.
    """
    relative = Path(os.path.relpath(os.path.realpath(folder), os.path.realpath(page)))
    return "".join(f"{quote(os.fsencode(part), safe='')}/" for part in relative.parts)


def _logs(row: Row, logs: Container[str]) -> int:
    if not row.attempt:
        return 0
    names = (log_path(Path(), row.job, row.attempt, stream).name for stream in ("out", "err"))
    return sum(bit for bit, name in zip((1, 2), names, strict=True) if name in logs)
