"""Which nodes jobs would run on if all of them took turns: so a queue is shown before it is run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from pegasus.model import Need, Node, Slots
from pegasus.selection import matching
from pegasus.slots.fitting import fits, sample


class Turns:
    """Hands out nodes in turn, each job one on which it may run.

    Args:
        nodes: all that there are.
        allocation: the policy of the run.
    """

    def __init__(self, nodes: Sequence[Node], allocation: str) -> None:
        self._nodes = nodes
        self._allocation = allocation
        self._numbers = {node: number for number, node in enumerate(nodes)}
        self._matching: dict[str, list[Node]] = {"": [*nodes]}
        self._fitting: dict[Need, list[int]] = {}
        self._turn = 0

    def matching(self, on: str) -> list[Node]:
        """Return the nodes that an expression is for."""
        if on not in self._matching:
            self._matching[on] = matching(self._nodes, on)
        return self._matching[on]

    def next(self, need: Need) -> Node | None:
        """Return the node whose turn it is, of those on which a job fits; None if it fits none."""
        return self.skip(need, 1)

    def skip(self, need: Need, jobs: int) -> Node | None:
        """Give as many jobs their nodes at once, and return the last one's."""
        numbers = self._numbers_for(need)
        if not numbers:
            return None
        at = bisect_left(numbers, self._turn) + jobs - 1
        number = numbers[at % len(numbers)]
        self._turn = number + 1
        return self._nodes[number]

    def slots(self, node: Node, need: Need) -> Slots:
        """Return what a job gets of a node on which nothing else runs.

        Which variable tells it its GPUs, only the node itself knows.
        """
        return Slots(sample(node, need, self._allocation))

    def _numbers_for(self, need: Need) -> list[int]:
        if need not in self._fitting:
            self._fitting[need] = [
                self._numbers[node]
                for node in self.matching(need.on)
                if fits(node, node.slots, need, self._allocation)
            ]
        return self._fitting[need]
