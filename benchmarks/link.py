"""One command after another over a link with a round trip of 50 ms, counted in round trips.

The jobs print the clock of the machine as they begin and as they end, so a gap is what the host
sees of it: the end of one job has to be told, and the next one to be started. Less than half a
round trip each is not possible for one that waits for the end.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, Verdict, alternate, at_most, median, not_run
from benchmarks.running import CLOCK, clock_readings
from benchmarks.slow_link import UnavailableError, slow_link

if TYPE_CHECKING:
    from sshd import Sshd

TITLE = "a link with a round trip of 50 ms"

#: How late a packet comes, in seconds.
ONE_WAY = 0.025
JOBS = 20
MOST_ROUND_TRIPS = 2.0

_GAP = "from the end of a job to the start of the next"
_TARGET = f"≤ {MOST_ROUND_TRIPS:g} round trips"


def measure(lab: Lab) -> Iterator[Row]:
    """Run jobs on a host at the far end, and on the same machine without a link."""
    try:
        with slow_link(ONE_WAY) as link:
            far = lab.server(link.address, link.prefix)
            try:
                yield from _compare(lab, far, link.means)
            finally:
                far.stop()  # Its namespace goes away.
    except UnavailableError as error:
        yield not_run(_GAP, _TARGET, str(error))


def _compare(lab: Lab, far: Sshd, means: str) -> Iterator[Row]:
    near = lab.sshd
    round_trip = median([_round_trip(far) for _ in range(lab.times)])
    gaps: list[float] = []
    seconds = alternate(
        {
            "far": lambda: _run(lab, far, gaps),
            "near": lambda: _run(lab, near, []),
            "ssh far": lambda: _ssh(far),
            "ssh near": lambda: _ssh(near),
        },
        lab.times,
    )
    gap = median(gaps) / round_trip
    yield Row(
        _GAP,
        _TARGET,
        f"{gap:.2f} round trips",
        at_most(gap, MOST_ROUND_TRIPS),
        {"round_trip": round_trip, "gap": median(gaps), "gaps": len(gaps), "delayed_by": means},
    )
    ours, ssh = (
        (median(seconds[f"{who}far"]) - median(seconds[f"{who}near"])) / round_trip
        for who in ("", "ssh ")
    )
    yield Row(
        "connecting",
        "",
        f"{ours:.1f} round trips; `ssh HOST true`, all of it: {ssh:.1f}",
        Verdict.MEASURED,
        {"seconds": seconds, "round_trip": round_trip},
    )


def _run(lab: Lab, server: Sshd, gaps: list[float]) -> float:
    """Run the jobs on one node; note the gaps, and return how long connecting took."""
    project = lab.project(1, [f"{CLOCK}; {CLOCK}"] * JOBS, server)
    run = lab.pegasus(project, "queue")
    clock = clock_readings(run.output)
    if len(clock) != 2 * JOBS:
        raise FailedError(f"{len(clock) // 2} of {JOBS} jobs have run")
    gaps += [start - end for end, start in zip(clock[1::2], clock[2::2], strict=False)]
    return run.times("node_connected")[0] - run.times("run_started")[0]


def _ssh(server: Sshd) -> float:
    begin = time.monotonic()
    subprocess.run(["ssh", "-q", "-F", server.ssh_config, "n0", "true"], check=True)
    return time.monotonic() - begin


def _round_trip(server: Sshd) -> float:
    """Return how long a TCP connection takes, which is one round trip."""
    begin = time.monotonic()
    with socket.create_connection((server.address, server.port)):
        return time.monotonic() - begin
