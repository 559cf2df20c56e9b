"""What a person waits for before anything happens: `inv --list`, and a run of one small job."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import FailedError, Lab, environment
from benchmarks.measuring import Row, alternate, at_most, median

TITLE = "starting"

MOST_TIMES, MOST_SECONDS = 1.3, 0.5

#: These take so short that more of them cost little, in times what others are repeated.
MORE = 3

_PYTHON, _INVOKE = [sys.executable], [sys.executable, "-m", "invoke"]


def measure(lab: Lab) -> Iterator[Row]:
    """Compare with Invoke, and with Python that has imported it."""
    empty, ours = lab.project([], []), lab.project(["localhost"], [])
    (empty / "tasks.py").write_text("")
    (ours / "tasks.py").write_text("from pegasus.tasks import ns\n")
    seconds = alternate(
        {
            "empty": lambda: _run(empty, [*_INVOKE, "--list"], "No tasks found"),
            "list": lambda: _run(ours, [*_INVOKE, "--list"], "broadcast"),
            "import": lambda: _run(
                ours, [*_PYTHON, "-c", "import invoke; print('imported')"], "imported"
            ),
            "queue": lambda: _queue(ours),
        },
        MORE * lab.times,
    )
    empty_list, our_list, imported, queue = (median(each) for each in seconds.values())
    yield Row(
        "`inv --list`",
        f"≤ {MOST_TIMES:g} × that of an empty tasks.py",
        f"{our_list / empty_list:.2f} ×: {our_list:.3f} s, {empty_list:.3f} s",
        at_most(our_list / empty_list, MOST_TIMES),
        {"ours": seconds["list"], "empty": seconds["empty"]},
    )
    more = queue - imported
    yield Row(
        "`inv queue`, one `true` on localhost",
        f"≤ {MOST_SECONDS:g} s more than `import invoke`",
        f"{more:.2f} s more: {queue:.2f} s, {imported:.2f} s",
        at_most(more, MOST_SECONDS),
        {"ours": seconds["queue"], "import": seconds["import"]},
    )


def _queue(project: Path) -> float:
    (project / "queue.yaml").write_text("- 'true'\n")
    return _run(project, [*_INVOKE, "queue"], "=== done (exit status: 0")


def _run(directory: Path, command: list[str], expected: str) -> float:
    """Return how long a command takes, which prints what is expected."""
    begin = time.monotonic()
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.monotonic() - begin
    if expected not in done.stdout + done.stderr:
        raise FailedError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return wall
