"""What passes through: a million lines of 80 bytes to a file, from one node and from 16 at once.

The peer is what a person types for one host, `ssh HOST COMMAND | sed`, in a new connection too.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, Verdict, alternate, at_least, at_most, median

TITLE = "a million lines of 80 bytes"

MOST_TIMES, MOST_GROWTH = 1.5, 1.1
LINES, FEW, NODES = 1_000_000, 100_000, 16
_LINE = "x" * 79

#: Its arguments are ssh_config, host, command and the file for the lines.
_PIPE = 'ssh -q -F "$0" "$1" "$2" | sed "s/^/[host] /" > "$3"'


def measure(lab: Lab) -> Iterator[Row]:
    """Measure all in turn; what starting and connecting takes is a deed of its own."""
    memory: dict[int, list[float]] = {LINES: [], FEW: []}
    seconds = alternate(
        {
            "ssh": lambda: _ssh(lab, 1),
            "one node": lambda: _ours(lab, 1, LINES, memory[LINES]),
            "one node, start": lambda: _ours(lab, 1, 0),
            "16 nodes": lambda: _ours(lab, NODES, LINES),
            "16 nodes, start": lambda: _ours(lab, NODES, 0),
            "16 ssh": lambda: _ssh(lab, NODES),
            "few lines": lambda: _ours(lab, 1, FEW, memory[FEW]),
        },
        lab.times,
    )
    yield from _rows({name: median(each) for name, each in seconds.items()}, seconds)
    most, least = median(memory[LINES]), median(memory[FEW])
    yield Row(
        "peak memory, a million lines against 100,000",
        f"≤ {MOST_GROWTH:g} × (flat)",
        f"{most / 1e6:.0f} MB, {least / 1e6:.0f} MB: {most / least:.2f} ×",
        at_most(most / least, MOST_GROWTH),
        {"bytes": {str(lines): each for lines, each in memory.items()}},
    )


def _rows(median_of: dict[str, float], seconds: dict[str, list[float]]) -> Iterator[Row]:
    ssh, one, many = (median_of[name] for name in ("ssh", "one node", "16 nodes"))
    start, start_of_many = median_of["one node, start"], median_of["16 nodes, start"]
    target = f"≤ {MOST_TIMES:g} × `ssh | sed`"
    whole, without_start = one / ssh, (one - start) / ssh
    yield Row(
        "one node, the whole program",
        target,
        f"{whole:.2f} ×: {one:.2f} s, {ssh:.2f} s",
        at_most(whole, MOST_TIMES),
        {"seconds": seconds},
    )
    yield Row(
        "one node, without start and end of the program",
        target,
        f"{without_start:.2f} ×: {one - start:.2f} s, {ssh:.2f} s",
        at_most(without_start, MOST_TIMES),
        {"start": start},
    )
    rates = LINES / (one - start), LINES / (many - start_of_many)
    yield Row(
        f"{NODES} nodes at once, without start and end",
        "≥ 1 × lines a second of one node",
        f"{rates[1] / rates[0]:.2f} ×: {rates[1]:,.0f}/s, {rates[0]:,.0f}/s",
        at_least(rates[1] / rates[0], 1.0),
        {"start": start_of_many},
    )
    peers = median_of["16 ssh"]
    yield Row(
        f"{NODES} times `ssh | sed` at once, for comparison",
        "",
        f"{peers:.2f} s; ours, the whole program: {many:.2f} s",
        Verdict.MEASURED,
    )


def _ours(lab: Lab, nodes: int, lines: int, memory: list[float] | None = None) -> float:
    """Have nodes write so many lines in all; return the time, and note the peak memory."""
    project = lab.project(
        [f"n{number}" for number in range(nodes)], [_command(lines // nodes)] * nodes
    )
    run = lab.pegasus(project, "queue")
    _check(run.output, lines)
    if memory is not None:
        memory.append(run.rss)
    shutil.rmtree(project)
    return run.wall


def _ssh(lab: Lab, times: int) -> float:
    command, config = _command(LINES // times), lab.sshd.ssh_config
    results = [lab.scratch / f"lines-{number}" for number in range(times)]
    begin = time.monotonic()
    running = [
        subprocess.Popen(["sh", "-c", _PIPE, config, f"n{number}", command, result])
        for number, result in enumerate(results)
    ]
    for process in running:
        process.wait()
    wall = time.monotonic() - begin
    for result in results:
        _check(result, LINES // times)
        result.unlink()
    return wall


def _command(lines: int) -> str:
    return f"yes {_LINE} | head -n {lines}"


def _check(path: Path, lines: int) -> None:
    """All lines have come, whole, and each is named."""
    grep = ("grep", "-cF", f"] {_LINE}", path)
    found = subprocess.run(grep, capture_output=True, check=False, env={"LC_ALL": "C"})
    if int(found.stdout) != lines:
        raise FailedError(f"{int(found.stdout)} of {lines} lines have come")
