"""A long queue on nodes that do nothing: what the scheduler, the files and the journal cost.

The nodes are scripted, so nothing is spent on SSH or on commands; all else is what a run does,
fsync included. What one fsync costs on that disk is measured beside it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, at_least, median

TITLE = "draining a long queue on scripted nodes"

LEAST_A_SECOND = 500.0
JOBS, NODES = 10_000, 16

#: How often at most; nothing is compared, and each time is the mean of all its jobs.
TIMES = 3


def measure(lab: Lab) -> Iterator[Row]:
    """Run the queue, some times."""
    runs = [_drain(lab) for _ in range(min(lab.times, TIMES))]
    rate = median([run["jobs_a_second"] for run in runs])
    cpu = median([run["cpu_ms_a_job"] for run in runs])
    yield Row(
        f"{JOBS:,} jobs on {NODES} nodes",
        f"≥ {LEAST_A_SECOND:g} jobs/s",
        f"{rate:,.0f} jobs/s; {cpu:.2f} ms of processor a job",
        at_least(rate, LEAST_A_SECOND),
        {"runs": runs},
    )


def _drain(lab: Lab) -> dict[str, Any]:
    project = lab.project(NODES, ["work"] * JOBS)
    lab.run(project, sys.executable, "-m", "benchmarks.draining")
    numbers: dict[str, Any] = json.loads((project / "figures.json").read_text())
    if numbers["jobs"] != JOBS:
        raise FailedError(f"{numbers['jobs']} of {JOBS} jobs have run")
    return numbers


def drain() -> dict[str, Any]:
    """Run the queue that lies here on scripted nodes, from the first attempt to the last."""
    from pegasus import runs
    from pegasus.events import AttemptEnded, AttemptStarted, Event
    from pegasus.settings import Settings
    from pegasus.ssh.fake import FakeHosts

    hosts = FakeHosts()
    vars(runs)["connector_of"] = lambda settings: hosts.connect
    started: list[tuple[float, float]] = []
    ended = []

    def listen(event: Event) -> None:
        if isinstance(event, AttemptStarted) and not started:
            started.append((time.perf_counter(), time.process_time()))
        if isinstance(event, AttemptEnded):
            ended.append(time.perf_counter())

    runs.queue(Settings(), [listen])
    (begin, cpu), jobs = started[0], len(ended)
    return {
        "jobs": jobs,
        "jobs_a_second": jobs / (ended[-1] - begin),
        "cpu_ms_a_job": (time.process_time() - cpu) / jobs * 1e3,
    }


if __name__ == "__main__":
    Path("figures.json").write_text(json.dumps(drain()))
