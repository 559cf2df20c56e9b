"""What a daemon does while its queue is empty: how soon it starts a job, and what waiting costs.

A job is appended to queue.yaml as a shell's `>>` does it, at any moment. It prints the clock of
the machine; its start is what its host sees of it.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import original
from benchmarks.lab import Lab
from benchmarks.measuring import Row, Verdict, at_most, median, not_run
from benchmarks.running import CLOCK, clock_readings, ending, records, share_of_core, wait_until

TITLE = "an idle daemon"

MOST_MILLISECONDS, MOST_PERCENT = 100.0, 1.0

#: How often a job is added, and over which time its moment is spread: as long as it takes until
#: the daemon looks again, in seconds. The original's takes its time, so there are fewer.
APPENDS, SPREAD = 25, 0.1
APPENDS_TO_THE_ORIGINAL, SPREAD_FOR_THE_ORIGINAL = 9, 3.0
NODES, SECONDS, SETTLING = 64, 20.0, 4.0
_JOB = f"- {CLOCK}\n"


def measure(lab: Lab) -> Iterator[Row]:
    """Append to the queue of an idle daemon, and of the original's; then leave one alone."""

    def start(project: Path) -> subprocess.Popen[bytes]:
        return lab.start_pegasus(project, "queue", "--daemon")

    delays = _delays(lab, start, _append, APPENDS, SPREAD)
    milliseconds = median(delays) * 1e3
    yield Row(
        "from an append to queue.yaml to the start of the job",
        f"≤ {MOST_MILLISECONDS:g} ms",
        f"{milliseconds:.0f} ms, at most {max(delays) * 1e3:.0f}",
        at_most(milliseconds, MOST_MILLISECONDS),
        {"seconds": delays},
    )
    yield _of_the_original(lab)
    yield _idle(lab)


def _of_the_original(lab: Lab) -> Row:
    what = "the same, the original"
    program = original.find()
    if program is None:
        return not_run(what, "", "not on PATH")
    environment = original.environment(lab)

    def start(project: Path) -> subprocess.Popen[bytes]:
        return lab.start(project, program, "q", "--daemon", env=environment)

    delays = _delays(lab, start, _write, APPENDS_TO_THE_ORIGINAL, SPREAD_FOR_THE_ORIGINAL)
    figure = f"{median(delays) * 1e3:.0f} ms, at most {max(delays) * 1e3:.0f}"
    return Row(what, "", figure, Verdict.MEASURED, {"seconds": delays})


def _delays(
    lab: Lab,
    start: Callable[[Path], subprocess.Popen[bytes]],
    add: Callable[[Path], None],
    times: int,
    spread: float,
) -> list[float]:
    """Add a job so often, each when the one before has run; return how long until they begin."""
    project = lab.project(1, [CLOCK])
    output, delays = project / "output", []
    with ending(start(project)) as daemon:

        def wait_for(jobs: int) -> float:
            wait_until(lambda: len(clock_readings(output)) >= jobs, "further job", daemon)
            return clock_readings(output)[-1]

        wait_for(1)  # It is ready then.
        for number in range(times):
            time.sleep(0.3 + random.uniform(0, spread))  # noqa: S311
            added = time.time()
            add(project / "queue.yaml")
            delays.append(wait_for(number + 2) - added)
    return delays


def _append(queue: Path) -> None:
    with queue.open("a") as file:
        file.write(_JOB)


def _write(queue: Path) -> None:
    """The original leaves an empty list, to which nothing can be appended."""
    queue.write_text(_JOB)


def _idle(lab: Lab) -> Row:
    project = lab.project(NODES, [])
    with ending(lab.start_pegasus(project, "queue", "--daemon")) as daemon:
        wait_until(lambda: len(records(project, "node_connected")) == NODES, "connection", daemon)
        time.sleep(SETTLING)
        percent = share_of_core(daemon.pid, SECONDS)
    return Row(
        f"processor of an idle daemon with {NODES} nodes",
        f"≤ {MOST_PERCENT:g} % of a core",
        f"{percent:.2f} %",
        at_most(percent, MOST_PERCENT),
        {"percent": percent, "seconds": SECONDS},
    )
