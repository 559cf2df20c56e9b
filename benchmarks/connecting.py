"""Connecting to many nodes at once: how long it takes, and the memory of a node.

pegasus' time is from the begin of its run to when the last node was connected, as its journal
tells; asyncssh's is that of its `gather`. Memory is what a process has more, at its most, with many
nodes than with few; pegasus has run a command on each by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.comparing import absent, longer
from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, Verdict, alternate, at_most, median
from benchmarks.peers import ask, missing

TITLE = "connecting to 64 and 256 nodes"

FEW, MANY = 64, 256

MOST_OF_PEER, MOST_MEMORY = 1.1, 0.5


def measure(lab: Lab) -> Iterator[Row]:
    """Compare times, and then memory."""
    peer = None if missing("asyncssh") else _Peer(lab)
    ours = _Ours(lab)
    deeds: dict[str, Callable[[], float]] = {}
    for nodes in FEW, MANY:
        deeds[f"ours {nodes}"] = partial(ours.connect, nodes)
        if peer:
            deeds[f"theirs {nodes}"] = partial(peer.connect, nodes)
    found = alternate(deeds, lab.times)
    for nodes in FEW, MANY:
        what = f"{nodes} nodes, beside asyncssh's gather"
        if peer:
            both = found[f"ours {nodes}"], found[f"theirs {nodes}"]
            yield longer(what, MOST_OF_PEER, *both, _shown)
        else:
            yield absent(what, "≤", MOST_OF_PEER)
    yield ours.memory("memory a node", MOST_MEMORY)
    if peer:
        yield peer.memory("memory a node of asyncssh", None)


class _Connecting:
    """Something that connects, and the memory that it has had."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._rss: dict[int, list[int]] = {FEW: [], MANY: []}

    def memory(self, what: str, most: float | None) -> Row:
        """Return the row of its memory a node, in megabytes."""
        more = median(self._rss[MANY]) - median(self._rss[FEW])
        figure = more / (MANY - FEW) / 1e6
        verdict = Verdict.MEASURED if most is None else at_most(figure, most)
        target = "" if most is None else f"≤ {most:g} MB"
        return Row(what, target, f"{figure:.2f} MB", verdict, {"peak_bytes": self._rss})


class _Ours(_Connecting):
    def connect(self, nodes: int) -> float:
        """Return the seconds until so many nodes were connected."""
        run = self._lab.pegasus(self._lab.project(nodes, ["true"]), "broadcast")
        connected = run.times("node_connected")
        if len(connected) != nodes:
            raise FailedError(f"{len(connected)} of {nodes} nodes were connected")
        self._rss[nodes].append(run.rss)
        return max(connected) - run.times("run_started")[0]


class _Peer(_Connecting):
    def connect(self, nodes: int) -> float:
        """Return the seconds until so many nodes were connected."""
        numbers, run = ask(self._lab, "with_asyncssh", "connect", nodes)
        if numbers["done"] != nodes:
            raise FailedError(f"asyncssh: {numbers['done']} of {nodes} nodes were connected")
        self._rss[nodes].append(run.rss)
        return float(numbers["seconds"])


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s"
