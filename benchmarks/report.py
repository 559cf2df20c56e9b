"""What a report costs: to be written, to be opened, to be used.

A journal of so many attempts is made up; `inv report` writes it as HTML, and headless Chromium,
without a graphics card, opens that.

    python benchmarks/report.py [--attempts 10000] [--nodes 64]

It needs plotly and chromium. Everything it makes lies in a temporary directory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from browser import Browser, browsing  # noqa: E402 - the path comes first
from longrun import LongRun  # noqa: E402

from pegasus.errands.report import report  # noqa: E402
from pegasus.settings import Settings  # noqa: E402

#: What the project promises for 10,000 attempts: seconds to write it and until all of it is there,
#: and megabytes of the file.
MOST_WRITING, MOST_OPENING, MOST_SIZE = 10.0, 15.0, 12.0

_TIMED = (
    "(async () => {{ const begin = performance.now(); {}; return performance.now() - begin }})()"
)


def main() -> int:
    """Measure, print JSON; return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pegasus-report-") as name:
        queue_file = LongRun(Path(name), options.attempts, options.nodes).write()
        begin = time.monotonic()
        path = Path(name) / "report.html"
        report(Settings(queue_file=str(queue_file)), str(path))
        found = {
            "seconds_to_write": time.monotonic() - begin,
            "megabytes": path.stat().st_size / 1e6,
        }
        with browsing(Path(name)) as browser:
            found |= measure(browser, path)
    print(json.dumps({key: round(value, 2) for key, value in found.items()}, indent=2))
    kept = (
        found["seconds_to_write"] <= MOST_WRITING
        and found["seconds_until_drawn"] <= MOST_OPENING
        and found["megabytes"] <= MOST_SIZE
    )
    return 0 if kept else 1


def measure(browser: Browser, path: Path) -> dict[str, float]:
    """Open a report and use it; return what that takes."""
    begin = time.monotonic()
    browser.open(path)
    table = time.monotonic() - begin
    browser.wait_for("document.documentElement.dataset.drawn")
    drawn = time.monotonic() - begin
    browser.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    zoom = "await Plotly.relayout('timeline', {'xaxis.range': data.timeline.layout.xaxis.range})"
    search = "byId('search').value = 'opt-66b'; renew()"
    sort = "document.querySelector('[data-sort=duration] button').click()"
    metrics = browser.call("Performance.enable") or browser.call("Performance.getMetrics")
    values = {one["name"]: one["value"] for one in metrics["metrics"]}
    return {
        "seconds_until_table": table,
        "seconds_until_drawn": drawn,
        "milliseconds_to_zoom": browser.run(_TIMED.format(zoom)),
        "milliseconds_to_search": browser.run(_TIMED.format(search)),
        "milliseconds_to_sort": browser.run(_TIMED.format(sort)),
        "elements": values["Nodes"],
        "megabytes_of_heap": values["JSHeapUsedSize"] / 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())
