"""The page: one file of HTML, with its scripts, styles and data in it.

What users wrote, commands above all, is not to be trusted: it is escaped where it becomes HTML, and
the page's policy lets no script run but the two that are in it, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Container
from importlib.resources import files
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from pegasus.model import printable
from pegasus.report import figures
from pegasus.report.account import Account
from pegasus.report.head import escaped, head, nodes
from pegasus.report.spread import Choice, choices
from pegasus.report.table import address, table

#: What a report begins with; the id of its run follows.
BEGINNING = "<!DOCTYPE html>\n<!-- A report of pegasus, of run "

_KINDS = {"parameter": "", "node": "node", "template": "command template"}


def page(account: Account, logs: Path, beside: Path, names: Container[str] = frozenset()) -> bytes:
    """Return the report of a run.

    Args:
        account: the run.
        logs: the folder of its logs.
        beside: the folder in which the page is going to be.
        names: of the logs that are there.
    """
    scripts = [get_plotlyjs(), _own("charts.js") + _own("table.js")]
    data = _data(account, address(logs, beside), names)
    parts = [
        f"{BEGINNING}{account.run.id} -->",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>Run {escaped(account.run.id)} · pegasus</title>",
        f"<style>{_own('page.css')}</style></head><body>",
        head(account),
        _own("body.html").replace("<!-- nodes -->", nodes(account)),
        f'<script type="application/json" id="data">{_json(data)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode()


def _policy(scripts: list[str]) -> str:
    """Return what the page may do: nothing but run its own scripts and draw."""
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _own(name: str) -> str:
    return files("pegasus.report").joinpath(name).read_text(encoding="utf-8")


def _data(account: Account, folder: str, logs: Container[str]) -> dict[str, Any]:
    timeline = figures.timeline(account) if account.nodes and account.end else None
    return {
        **table(account, folder, logs),
        "timeline": timeline and timeline.to_plotly_json(),
        "spreads": [_spread(account, choice) for choice in choices(account)],
    }


def _spread(account: Account, choice: Choice) -> dict[str, Any]:
    figure = figures.spread(account, choice)
    name = _KINDS[choice.kind] or printable(choice.name)
    return {"kind": choice.kind, "name": name, "figure": figure.to_plotly_json()}


def _json(data: dict[str, Any]) -> str:
    """Return data as JSON that does not end the element it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    for one in "<>&":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return text
