"""What came of experiments: as JSON, as lines while they go on, as the table in the docs.

The JSON is one object:

    version        of this form: 1
    machine        facts: cores, processor, memory_mb, system, python, openssh, libraries
    notes          what whoever reads the figures must know
    repetitions    how often each thing was done; figures are medians
    began          when, in ISO 8601
    seconds        how long all of it took
    experiments    a list of objects of `name`, `title`, `seconds`, `load` (the load average when it
                   began) and `rows`: objects of `what`, `target`, `figure`, `verdict`, `numbers`
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import Row

VERSION = 1

#: What the table in the docs stands between.
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"

_WIDTHS = (60, 16, 34)


@dataclass(frozen=True)
class Outcome:
    """What came of one experiment; `load` is the load average when it began."""

    name: str
    title: str
    seconds: float
    load: float
    rows: tuple[Row, ...]


def document(outcomes: list[Outcome], **facts: Any) -> dict[str, Any]:
    """Return the JSON of experiments."""
    return {"version": VERSION, **facts, "experiments": [_plain(one) for one in outcomes]}


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write the JSON to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Return the JSON of a file.

    Raises:
        ValueError: it has another form.
    """
    result: dict[str, Any] = json.loads(path.read_text())
    if result.get("version") != VERSION:
        raise ValueError(f"{path}: version {result.get('version')}; this reads {VERSION}")
    return result


def line(row: Row) -> str:
    """Return a row as a line for people who watch."""
    cells = zip((row.what, row.target, row.figure), _WIDTHS, strict=True)
    return "  ".join([*(text.ljust(width) for text, width in cells), row.verdict.value])


def table(result: Mapping[str, Any]) -> str:
    """Return all rows as a table of Markdown, with what was measured on."""
    return "\n".join([_measured_on(result), "", *_table_lines(result)])


def publish(result: Mapping[str, Any], page: Path) -> None:
    """Put the table into a page, in the place of the one that was there; no other word changes.

    Raises:
        ValueError: the page has no place for it.
    """
    text = page.read_text()
    parts = re.split(f"({re.escape(_BEGIN)}|{re.escape(_END)})", text)
    if len(parts) != 5 or parts[1] != _BEGIN or parts[3] != _END:
        raise ValueError(f"{page} must have {_BEGIN} and, behind it, {_END}")
    page.write_text(f"{parts[0]}{_BEGIN}\n\n{table(result)}\n\n{_END}{parts[4]}")


def _plain(outcome: Outcome) -> dict[str, Any]:
    rows = [{**asdict(row), "verdict": row.verdict.value} for row in outcome.rows]
    return {**asdict(outcome), "rows": rows}


def _measured_on(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    libraries = [f"{name} {text}" for name, text in machine["libraries"].items() if text]
    words = (
        f"Measured {result['began'][:16].replace('T', ' ')} in {result['seconds']:.0f} s, each "
        f"thing {result['repetitions']} times, at a load average of {_load(result):g}: "
        f"{machine['cores']} cores ({machine['processor']}), {machine['system']}, "
        f"Python {machine['python']}, {machine['openssh']}, {', '.join(libraries)}."
    )
    return " ".join([words, *result["notes"]])


def _load(result: Mapping[str, Any]) -> float:
    """Return the load average before there was anything of ours."""
    experiments = result["experiments"]
    return float(experiments[0]["load"]) if experiments else 0.0


def _table_lines(result: Mapping[str, Any]) -> Iterator[str]:
    yield "| experiment | what | target | figure | verdict |"
    yield "|---|---|---|---|---|"
    for experiment in result["experiments"]:
        link = f"[{experiment['name']}](#{experiment['name']})"
        for row in experiment["rows"]:
            cells = [link, row["what"], row["target"], row["figure"], row["verdict"]]
            yield "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
