"""Many short jobs on nodes that are connected: what a job costs beyond its command.

The loops that one would write by hand run what pegasus runs: the command under its watchdog, which
makes several processes of one. What plain commands come to is shown beside it.

Rates count from when all nodes are connected to the end of the last job. The original and GNU
parallel do not tell of connections: theirs count from when each node has been given a job, and from
the end of so many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import original
from benchmarks.comparing import absent, faster
from benchmarks.lab import FailedError, Lab, Run, processor_time
from benchmarks.measuring import Row, Verdict, alternate, median
from benchmarks.peers import ask, missing
from benchmarks.peers.command_lines import parallel

TITLE = "1,000 × `true` on 16 nodes that are connected"

NODES, JOBS = 16, 1000

#: How many jobs GNU parallel is given, which takes far longer for each.
OF_PARALLEL = 160

LEAST_OF_LOOP, LEAST_OF_PARALLEL, LEAST_OF_ORIGINAL = 0.9, 10.0, 1.0

#: The loops by hand: their program, and the module that it needs.
_LOOPS = {"Paramiko": ("raw_paramiko", "paramiko"), "asyncssh": ("with_asyncssh", "asyncssh")}

Deeds = dict[str, Callable[[], float]]


def measure(lab: Lab) -> Iterator[Row]:
    """Compare rates."""
    ours = _Ours(lab)
    found = alternate({"pegasus": ours.rate, **_loops(lab), **_programs(lab)}, lab.times)
    yield from _rows(found)
    rates = {name: median(figures) for name, figures in found.items()}
    shown = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
    yield Row("all, in jobs a second", "", shown, Verdict.MEASURED, {"jobs_per_second": found})
    yield ours.row()


def _rows(found: dict[str, list[float]]) -> Iterator[Row]:
    best = max((name for name in _LOOPS if name in found), key=lambda name: median(found[name]))
    peers = {
        f"beside the best loop by hand ({best})": (best, LEAST_OF_LOOP),
        "beside GNU parallel -M": ("GNU parallel", LEAST_OF_PARALLEL),
        "beside the original, which has no watchdog": ("original", LEAST_OF_ORIGINAL),
    }
    for what, (name, least) in peers.items():
        if name in found:
            yield faster(what, least, found["pegasus"], found[name], _shown)
        else:
            yield absent(what, "≥", least)


class _Ours:
    """pegasus, and the processor time that it and the server use a job."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._own: list[float] = []
        self._servers: list[float] = []

    def rate(self) -> float:
        """Return how many jobs have ended a second, from when all nodes were connected."""
        few, servers_few = self._run(NODES)
        run, servers = self._run(JOBS)
        # What is done once, such as connecting, falls out of the difference.
        self._own.append((run.cpu - few.cpu) / (JOBS - NODES) * 1e3)
        self._servers.append((servers - servers_few) / (JOBS - NODES) * 1e3)
        return _rate(max(run.times("node_connected")), run.times("attempt_ended"))

    def row(self) -> Row:
        """Return what a job takes of the processors."""
        figure = f"pegasus {median(self._own):.2f} ms, server {median(self._servers):.2f} ms"
        numbers = {"pegasus_ms": self._own, "server_ms": self._servers}
        return Row("processor time a job", "", figure, Verdict.MEASURED, numbers)

    def _run(self, jobs: int) -> tuple[Run, float]:
        """Run so many jobs; return the run, and the processor time of the server."""
        before = self._server_time()
        run = self._lab.pegasus(self._lab.project(NODES, ["true"] * jobs), "queue")
        outcomes = [one.data["outcome"] for one in run.events if one.kind == "attempt_ended"]
        if outcomes != ["succeeded"] * jobs:
            raise FailedError(f"{outcomes.count('succeeded')} of {jobs} jobs have succeeded")
        return run, self._server_time() - before

    def _server_time(self) -> float:
        """Return what the server has used; sessions count when they have ended, and their jobs."""
        while self._lab.sshd.sessions():
            time.sleep(0.02)
        return processor_time(self._lab.sshd.pid)


def _loops(lab: Lab) -> Deeds:
    deeds: Deeds = {}
    for name, (program, module) in _LOOPS.items():
        if not missing(module):
            deeds[name] = partial(_loop, lab, program, "queue")
    if "Paramiko" in deeds:
        deeds["Paramiko (plain)"] = partial(_loop, lab, "raw_paramiko", "plain")
    return deeds


def _programs(lab: Lab) -> Deeds:
    deeds: Deeds = {}
    if there := original.find():
        deeds["original"] = partial(_original, lab, there)
    if lab.peer("parallel"):
        deeds["GNU parallel"] = partial(_parallel, lab)
    return deeds


def _loop(lab: Lab, program: str, deed: str) -> float:
    numbers, _ = ask(lab, program, deed, NODES, JOBS)
    if numbers["done"] != JOBS:
        raise FailedError(f"{program}: {numbers['done']} of {JOBS} jobs are done")
    return float(JOBS / numbers["seconds"])


def _parallel(lab: Lab) -> float:
    ends = parallel(lab, NODES, OF_PARALLEL)
    return _rate(ends[NODES - 1], ends)


def _original(lab: Lab, program: str) -> float:
    """Return its rate, by the lines that it prints; it gives each node a job first."""
    project = lab.project(NODES, ["'true'"] * JOBS)
    lines = lab.watch(project, program, "q", env=original.environment(lab))
    begun = [at for at, line in lines if b"=== run" in line]
    ended = [at for at, line in lines if b"=== done (exit status: 0)" in line]
    if len(ended) != JOBS:
        raise FailedError(f"the original: {len(ended)} of {JOBS} jobs are done")
    return _rate(begun[NODES - 1], ended)


def _rate(since: float, ends: list[float]) -> float:
    """Return how many have ended a second since then, until the last one.

    Raises:
        FailedError: all have ended before.
    """
    later = sum(end > since for end in ends)
    if not later:
        raise FailedError("all jobs had ended before the last node was connected")
    return later / (max(ends) - since)


def _shown(rate: float) -> str:
    return f"{rate:.0f}/s"
