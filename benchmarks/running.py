"""What a program that runs has used, and what it has written: read in /proc and in its files."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.lab import FailedError, processor_time

#: The command of a job that says when it has begun, in nanoseconds; all on one machine, with one
#: clock.
CLOCK = "date +%s%N"

#: How long anything may take, in seconds; what takes longer has failed.
PATIENCE = 120.0

_CLOCK_READING = re.compile(rb"\b\d{19}\b")


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Kill a process in the end. What it runs elsewhere ends then, too."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(
    condition: Callable[[], bool], what: str, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Wait for a condition.

    Raises:
        FailedError: it didn't come, or `process` has ended before; this says `what` is missing.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process is not None and process.poll() is not None:
            raise FailedError(f"no {what}: the program ended with status {process.returncode}")
        if time.monotonic() > deadline:
            raise FailedError(f"no {what} within {PATIENCE:g} s")
        time.sleep(0.005)


def clock_readings(path: Path) -> list[float]:
    """Return what jobs with `CLOCK` have written to a file, in seconds since the epoch."""
    return [int(found) / 1e9 for found in _CLOCK_READING.findall(path.read_bytes())]


def records(project: Path, event: str) -> list[dict[str, Any]]:
    """Return the records of an event in the journal of a project's queue file."""
    path = project / ".pegasus" / "queue.yaml" / "journal.jsonl"
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        return []
    mark = f'"{event}"'.encode()
    found = (json.loads(line) for line in lines if mark in line and line.endswith(b"\n"))
    return [one for one in found if one.get("event") == event]


def share_of_core(pid: int, seconds: float) -> float:
    """Watch a process for so long; return which share of one core it has used, in per cent."""
    before, since = processor_time(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (processor_time(pid) - before) / (time.monotonic() - since)
