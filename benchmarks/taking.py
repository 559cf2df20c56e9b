"""What it costs to take a job so that nothing is lost: with journal, consumed.yaml and fsync.

From files of plain entries, at the head, in the middle and at the end; reading a file for the
first time is apart. All depends on the disk: what it takes there to write as large a file anew,
with fsync, is measured beside it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, at_most, median
from pegasus.files.queuefile import QueueFile

TITLE = "taking a job from a long queue file"

#: The most that a take may cost, in milliseconds, for files of so many entries.
MOST_MILLISECONDS = {100: 5.0, 10_000: 5.0, 100_000: 50.0}
#: For this one it is how many times more than that of a tenth.
LARGEST, MOST_GROWTH = 1_000_000, 10.0

#: How often a job is taken from each place, in times what else is repeated.
MORE = 3

#: Where a job stands that is taken, as a share of all that stand before the last.
_PLACES = {"head": 0.0, "middle": 0.5, "end": 1.0}


def measure(lab: Lab) -> Iterator[Row]:
    """Take from each file, one after the other."""
    slowest = 0.0
    for entries in (*MOST_MILLISECONDS, LARGEST):
        # In a process of its own, which a million entries make a large one.
        words = ("benchmarks.taking", str(entries), str(MORE * lab.times))
        run = lab.run(lab.directory(), sys.executable, "-m", *words)
        numbers = json.loads(run.output.read_text())
        yield _row(entries, numbers, slowest)
        slowest = max(numbers["take_ms"].values())


def _row(entries: int, numbers: dict[str, Any], slowest_before: float) -> Row:
    takes: dict[str, float] = numbers["take_ms"]
    slowest = max(takes.values())
    figure = "{head:.1f} / {middle:.1f} / {end:.1f} ms".format(**takes)
    if entries in MOST_MILLISECONDS:
        limit = MOST_MILLISECONDS[entries]
        target, verdict = f"≤ {limit:g} ms", at_most(slowest, limit)
    else:
        growth = slowest / slowest_before
        target, verdict = f"≤ {MOST_GROWTH:g} × that of a tenth", at_most(growth, MOST_GROWTH)
        figure += f", {growth:.1f} ×"
    figure += "; first read {first_read_s:.2f} s; writing it {write_ms:.1f} ms".format(**numbers)
    return Row(f"{entries:,} entries: head / middle / end", target, figure, verdict, numbers)


def take(folder: Path, entries: int, times: int) -> dict[str, Any]:
    """Take from a file of so many entries; return medians."""
    path = folder / "queue.yaml"
    path.write_text("".join(f"- python train.py --seed {number}\n" for number in range(entries)))
    queue = QueueFile(path, folder / "consumed.yaml")
    with queue.lock.hold("a benchmark"):
        first = _milliseconds(queue.look, 1)
        queue.take(1)  # The first one makes the journal.
        takes = {
            name: _milliseconds(partial(_take_one, queue, share), times)
            for name, share in _PLACES.items()
        }
    return {
        "take_ms": takes,
        "first_read_s": first / 1e3,
        "write_ms": _milliseconds(partial(_write, folder / "beside", path.read_bytes()), times),
        "sync_ms": _milliseconds(partial(_write, folder / "line", b"x" * 200), times),
    }


def _take_one(queue: QueueFile, share: float) -> None:
    jobs = queue.look().jobs
    if len(queue.take([int(share * (jobs - 1))])) != 1:
        raise FailedError("no job was taken")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _milliseconds(deed: Callable[[], object], times: int) -> float:
    """Return how long a deed takes."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        deed()
        taken.append(time.perf_counter() - begin)
    return median(taken) * 1e3


if __name__ == "__main__":
    print(json.dumps(take(Path.cwd(), int(sys.argv[1]), int(sys.argv[2]))))
