"""One command after another on one node: what pegasus adds to a session of SSH.

The yardstick opens a session, executes the same watchdog-wrapped command and reads to its end, with
Paramiko and TCP_NODELAY. pegasus' connection is measured by itself, and as part of a whole run.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.comparing import longer
from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, alternate
from benchmarks.peers import ask

TITLE = "one command after another on one node"

COMMANDS = 300

MOST_OF_RAW = 1.2


def measure(lab: Lab) -> Iterator[Row]:
    """Compare milliseconds a command."""
    found = alternate(
        {
            "attempt": lambda: _asked(lab, "own_connection", "in_turn", COMMANDS),
            "raw": lambda: _asked(lab, "raw_paramiko", "queue", 1, COMMANDS),
            "plain": lambda: _asked(lab, "raw_paramiko", "plain", 1, COMMANDS),
            "run": lambda: _run(lab),
        },
        lab.times,
    )
    raw, plain = "open_session + exec_command", "the same with plain `true`"
    attempt, run = found["attempt"], found["run"]
    yield longer(f"Connection.attempt, beside {raw}", MOST_OF_RAW, attempt, found["raw"], _shown)
    yield longer(f"Connection.attempt, beside {plain}", None, attempt, found["plain"], _shown)
    yield longer(f"a whole `inv queue`, beside {raw}", None, run, found["raw"], _shown)


def _asked(lab: Lab, peer: str, deed: str, *sizes: int) -> float:
    numbers, _ = ask(lab, peer, deed, *sizes)
    if numbers["done"] != COMMANDS:
        raise FailedError(f"{peer}: {numbers['done']} of {COMMANDS} commands have succeeded")
    return float(numbers["seconds"] / COMMANDS * 1e3)


def _run(lab: Lab) -> float:
    """Return the milliseconds a job, from the begin of the first one to the end of the last."""
    run = lab.pegasus(lab.project(1, ["true"] * COMMANDS), "queue")
    begun, ended = run.times("attempt_started"), run.times("attempt_ended")
    if len(ended) != COMMANDS:
        raise FailedError(f"{len(ended)} of {COMMANDS} jobs have ended")
    return (max(ended) - min(begun)) / COMMANDS * 1e3


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms"
