"""What a report costs: to be written, to be opened, to be used.

A journal of so many attempts is made up; `inv report` writes it as HTML, and headless Chromium,
without a graphics card, opens that. It needs plotly and chromium.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path

from browser import Browser, browsing
from longrun import LongRun

from benchmarks.lab import Lab
from benchmarks.measuring import Row, Verdict, at_most, not_run

TITLE = "a report of 10,000 attempts on 64 nodes"

ATTEMPTS, NODES = 10_000, 64

#: Seconds to write it and until all of it is there, and megabytes of the file.
MOST_WRITING, MOST_OPENING, MOST_SIZE = 10.0, 15.0, 12.0

_TIMED = (
    "(async () => {{ const begin = performance.now(); {}; return performance.now() - begin }})()"
)

_USES = {
    "to zoom": "await Plotly.relayout('timeline', "
    "{'xaxis.range': data.timeline.layout.xaxis.range})",
    "to search": "byId('search').value = 'opt-66b'; renew()",
    "to sort": "document.querySelector('[data-sort=duration] button').click()",
}


def measure(lab: Lab) -> Iterator[Row]:
    """Write a report, open it and use it."""
    if not importlib.util.find_spec("plotly"):
        yield not_run("to write it", f"≤ {MOST_WRITING:g} s", "plotly is not installed")
        return
    directory = lab.directory()
    queue_file = LongRun(directory, ATTEMPTS, NODES).write()
    path = directory / "report.html"
    run = lab.pegasus(directory, "report", f"--queue-file={queue_file}", f"-o={path}")
    yield _within("to write it", run.wall, MOST_WRITING, "s")
    yield _within("its size", path.stat().st_size / 1e6, MOST_SIZE, "MB")
    if lab.peer("chromium") is None:
        yield not_run("to open it", f"≤ {MOST_OPENING:g} s", "Chromium is not installed")
        return
    with browsing(directory) as browser:
        yield from _opened(browser, path)


def _opened(browser: Browser, path: Path) -> Iterator[Row]:
    begin = time.monotonic()
    browser.open(path)
    table = time.monotonic() - begin
    browser.wait_for("document.documentElement.dataset.drawn")
    drawn = time.monotonic() - begin
    yield Row("until the table is there", "", f"{table:.1f} s", Verdict.MEASURED)
    yield _within("until all of it is there", drawn, MOST_OPENING, "s")
    browser.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    for what, script in _USES.items():
        milliseconds = browser.run(_TIMED.format(script))
        yield Row(what, "", f"{milliseconds:.0f} ms", Verdict.MEASURED)


def _within(what: str, figure: float, most: float, unit: str) -> Row:
    target, shown = f"≤ {most:g} {unit}", f"{figure:.1f} {unit}"
    return Row(what, target, shown, at_most(figure, most))
