"""What nodes cost while their commands run and say nothing.

A broadcast of `sleep` on many connections to one server. Only pegasus' own process is measured,
once all commands run: its processor time as a share of one core, and its memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.lab import Lab, processor_time, resident
from benchmarks.measuring import Row, at_most
from benchmarks.running import ending, records, share_of_core, wait_until

TITLE = "500 nodes, each asleep"

MOST_PERCENT, MOST_MEGABYTES = 5.0, 250.0
NODES, SECONDS = 500, 15.0

#: How long what the start has stirred up may take to settle, in seconds.
SETTLING = 4.0


def measure(lab: Lab) -> Iterator[Row]:
    """Broadcast, wait until all commands run, and watch."""
    project = lab.project(NODES, ["sleep 3600"])
    begin = time.monotonic()
    with ending(lab.start_pegasus(project, "broadcast")) as run:
        wait_until(lambda: len(records(project, "attempt_announced")) == NODES, "command", run)
        until_all_run = time.monotonic() - begin
        cpu = processor_time(run.pid)
        time.sleep(SETTLING)
        percent = share_of_core(run.pid, SECONDS)
        megabytes = resident(run.pid) / 1e6
    yield Row(
        "processor",
        f"≤ {MOST_PERCENT:g} % of a core",
        f"{percent:.2f} %",
        at_most(percent, MOST_PERCENT),
        {"percent": percent, "seconds_until_all_run": until_all_run, "cpu_seconds_by_then": cpu},
    )
    yield Row(
        "memory",
        f"≤ {MOST_MEGABYTES:g} MB",
        f"{megabytes:.0f} MB",
        at_most(megabytes, MOST_MEGABYTES),
        {"megabytes": megabytes},
    )
