"""Rounds on many nodes, from the start of the process to its end.

What runs one command and ends has to be run once for each round. It is run once, and the time
multiplied: each run does the same. Beside it stands what that comes to where `ssh` itself keeps the
connections: one run as before, which makes them, and all others as one that finds them made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import original
from benchmarks.comparing import absent, times_faster
from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, alternate
from benchmarks.peers import ask, missing
from benchmarks.peers.command_lines import BROADCASTERS, Persistent, broadcast, is_there

TITLE = "20 × `echo` on 64 nodes, from a cold start"

NODES, ROUNDS = 64, 20

LEAST_OF_PROGRAMS, LEAST_OF_LIBRARY, LEAST_OF_ORIGINAL = 10.0, 1.0, 1.0

#: What keeps its connections by itself: program, module, and how many times as fast we must be.
_LIBRARIES = {
    "parallel-ssh (the library)": ("with_parallel_ssh", "pssh", LEAST_OF_LIBRARY),
    "Fabric's ThreadingGroup": ("stock_fabric", "fabric", None),
}

_ORIGINAL = "the original"

_KEPT = "{} run 20 times, `ssh` keeping connections"


def measure(lab: Lab) -> Iterator[Row]:
    """Compare times."""
    programs = [name for name in BROADCASTERS if is_there(lab, name)]
    persistent = Persistent(lab)
    try:
        if programs:
            broadcast(lab, programs[0], NODES, persistent.config)  # Makes the connections.
        deeds = {**_keepers(lab), **_starters(lab, programs, persistent)}
        found = alternate(deeds, lab.times)
    finally:
        persistent.close()
    yield from _rows(_multiplied(found, programs))


def _rows(found: dict[str, list[float]]) -> Iterator[Row]:
    targets = {
        **{f"{name} run 20 times": LEAST_OF_PROGRAMS for name in BROADCASTERS},
        **{_KEPT.format(name): None for name in BROADCASTERS},
        **{name: least for name, (_, _, least) in _LIBRARIES.items()},
        _ORIGINAL: LEAST_OF_ORIGINAL,
    }
    for name, least in targets.items():
        what = f"beside {name}"
        if name in found:
            yield times_faster(what, least, found["pegasus"], found[name], _shown)
        else:
            yield absent(what, "≥", least)


def _keepers(lab: Lab) -> dict[str, Callable[[], float]]:
    """Return what runs all rounds by itself: pegasus, libraries, the original."""
    deeds: dict[str, Callable[[], float]] = {"pegasus": partial(_ours, lab)}
    for name, (program, module, _) in _LIBRARIES.items():
        if not missing(module):
            deeds[name] = partial(_library, lab, program)
    if there := original.find():
        deeds[_ORIGINAL] = partial(_original, lab, there)
    return deeds


def _starters(
    lab: Lab, programs: list[str], persistent: Persistent
) -> dict[str, Callable[[], float]]:
    """Return one round of what runs one round, with new connections and with kept ones."""
    return {
        **{name: partial(broadcast, lab, name, NODES) for name in programs},
        **{
            _KEPT.format(name): partial(broadcast, lab, name, NODES, persistent.config)
            for name in programs
        },
    }


def _multiplied(found: dict[str, list[float]], programs: list[str]) -> dict[str, list[float]]:
    """Return the figures for all rounds."""
    figures = dict(found)
    for name in programs:
        once, kept = figures.pop(name), _KEPT.format(name)
        figures[f"{name} run 20 times"] = [ROUNDS * seconds for seconds in once]
        figures[kept] = [
            first + (ROUNDS - 1) * further for first, further in zip(once, found[kept], strict=True)
        ]
    return figures


def _ours(lab: Lab) -> float:
    run = lab.pegasus(lab.project(NODES, ["echo hi"] * ROUNDS), "broadcast")
    _check("pegasus", run.output.read_text().count("] hi\n"))
    return run.wall


def _library(lab: Lab, program: str) -> float:
    numbers, run = ask(lab, program, "broadcast", NODES, ROUNDS)
    _check(program, numbers["done"])
    return run.wall


def _original(lab: Lab, program: str) -> float:
    project = lab.project(NODES, ["echo hi"] * ROUNDS)
    run = lab.run(project, program, "b", env=original.environment(lab))
    _check("the original", run.output.read_text().count("] hi\n"))
    return run.wall


def _check(name: str, said: int) -> None:
    if said != NODES * ROUNDS:
        raise FailedError(f"{name}: {said} of {NODES * ROUNDS} answers")


def _shown(seconds: float) -> str:
    return f"{seconds:.1f} s"
