"""How soon the first of very many jobs of one entry starts.

From the start of the process until the job prints the clock of the machine, all included. The
program is killed then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.lab import Lab
from benchmarks.measuring import Row, Verdict, alternate, at_most, median
from benchmarks.running import CLOCK, clock_readings, ending, wait_until

TITLE = "an entry of 100,000 jobs"

MOST_SECONDS = 2.0
JOBS = 100_000


def measure(lab: Lab) -> Iterator[Row]:
    """Start the first job of a list of values, of a grid of two lists, and of one without."""
    queues = {
        f"one list of {JOBS:,} values": _entry(a=JOBS),
        f"a grid of {JOBS // 100:,} × 100": _entry(a=JOBS // 100, b=100),
        "one job, for comparison": f"- {CLOCK}; sleep 600\n",
    }
    deeds = {name: lambda text=text: _first(lab, text) for name, text in queues.items()}
    for what, seconds in alternate(deeds, lab.times).items():
        figure = median(seconds)
        is_promised = what != "one job, for comparison"
        yield Row(
            f"the first job starts: {what}",
            f"≤ {MOST_SECONDS:g} s" if is_promised else "",
            f"{figure:.2f} s",
            at_most(figure, MOST_SECONDS) if is_promised else Verdict.MEASURED,
            {"seconds": seconds},
        )


def _entry(**lengths: int) -> str:
    """Return an entry with a list of so many values for each parameter."""
    tags = " ".join(f"{{{{{name}}}}}" for name in lengths)
    lists = (f"  {name}: [{', '.join(map(str, range(n)))}]\n" for name, n in lengths.items())
    return f"- command: ['{CLOCK}; sleep 600 # {tags}']\n" + "".join(lists)


def _first(lab: Lab, queue: str) -> float:
    project = lab.project(1, queue)
    output = project / "output"
    begin = time.time()
    with ending(lab.start_pegasus(project, "queue")) as run:
        wait_until(lambda: bool(clock_readings(output)), "first job", run)
        return clock_readings(output)[0] - begin
