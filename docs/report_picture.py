"""Makes the picture of a report in docs/images: a run that never was, as Chromium shows it.

    python docs/report_picture.py

wants plotly and chromium. The run is the same each time.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "support")]

from browser import browsing  # noqa: E402 - the path comes first
from longrun import LongRun  # noqa: E402

from pegasus.errands.report import report  # noqa: E402
from pegasus.settings import Settings  # noqa: E402


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        LongRun(folder, jobs=420, nodes=16).write()
        os.chdir(folder)  # The queue file is shown as it is named.
        path = folder / "report.html"
        report(Settings(), str(path))
        with browsing(folder, width=1280, height=1060) as browser:
            browser.open(path)
            browser.wait_for("document.documentElement.dataset.drawn")
            # The buttons of charts show when the mouse is there.
            browser.run("document.querySelectorAll('.modebar').forEach((one) => one.remove())")
            browser.screenshot(HERE / "images" / "report.png")


if __name__ == "__main__":
    main()
