"""What it costs to take jobs so that nothing is lost: with journal, consumed.yaml and fsync.

A queue file of plain entries is made in a folder, on whose disk all depends; jobs are taken from
it one at a time and 16 at a time, as for so many free nodes. What it costs to sync a file there is
measured beside it, for comparison.

    python benchmarks/taking.py [--folder .] [--entries 100 10000] [--times 50]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pegasus.files.queuefile import QueueFile


def main() -> int:
    """Measure, and print JSON and a table; times are medians in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=".", help="on the disk that is meant")
    parser.add_argument("--entries", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--times", type=int, default=50, help="how often each thing is done")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = {
            "sync_ms": sync(Path(folder), options.times),
            "take_ms": {
                entries: taking(Path(folder, str(entries)), entries, options.times)
                for entries in options.entries
            },
        }
    print(json.dumps(result, indent=2))
    print(f"{'entries':>10} {'first':>8} {'one job':>8} {'16 jobs':>8}")
    for entries, times in result["take_ms"].items():
        print(f"{entries:>10} " + " ".join(f"{number:8.2f}" for number in times.values()))
    return 0


def sync(folder: Path, times: int) -> float:
    """Return what it costs to write and sync a line."""
    descriptor = os.open(folder / "line", os.O_WRONLY | os.O_CREAT)

    def write() -> None:
        os.write(descriptor, b"x" * 200)
        os.fsync(descriptor)

    try:
        return median(write, times)
    finally:
        os.close(descriptor)


def taking(folder: Path, entries: int, times: int) -> dict[str, float]:
    """Return what it costs to take from a file of so many entries; the first take reads it all."""
    folder.mkdir()
    path = folder / "queue.yaml"
    path.write_text("".join(f"- python train.py --seed {number}\n" for number in range(entries)))
    queue = QueueFile(path, folder / "consumed.yaml")
    with queue.lock.hold("a benchmark"):
        return {
            "first": median(lambda: queue.take(1), 1),
            "one": median(lambda: queue.take(1), min(times, entries // 2)),
            "sixteen": median(lambda: queue.take(16), min(times, entries // 64)),
        }


def median(deed: Callable[[], object], times: int) -> float:
    """Return how long a deed takes, in milliseconds."""
    taken = []
    for _ in range(max(times, 1)):
        began = time.perf_counter()
        deed()
        taken.append(time.perf_counter() - began)
    return round(statistics.median(taken) * 1e3, 3)


if __name__ == "__main__":
    sys.exit(main())
