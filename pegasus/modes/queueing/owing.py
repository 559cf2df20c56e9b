"""Cancel commands that attempts are owed which were lost: run when their node is back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial

from pegasus.model import Node
from pegasus.modes.attempts import Attempts, Running
from pegasus.modes.queueing.loop import Loop
from pegasus.modes.queueing.nodes import Nodes, QueueMember


class Owing:
    """What is owed on each node. The scheduler's thread uses it.

    Args:
        attempts: runs the commands.
        nodes: those of the run.
        loop: the scheduler's.
        settled: called in the scheduler's thread with the node of each one that has been run, if
            it is still of the run.
    """

    def __init__(
        self, attempts: Attempts, nodes: Nodes, loop: Loop, settled: Callable[[QueueMember], None]
    ) -> None:
        self._attempts = attempts
        self._nodes = nodes
        self._loop = loop
        self._settled = settled
        self._owed: defaultdict[Node, list[Running]] = defaultdict(list)
        self._running = 0

    def add(self, running: Running) -> None:
        """Remember an attempt that was lost before its cancel command could be run."""
        self._owed[running.attempt.node].append(running)

    def settle(self, node: Node) -> None:
        """Begin to run what is owed on a node, without waiting for it."""
        member = self._nodes.get(node)
        for running in self._owed.pop(node, []):
            self._running += 1
            if member is not None:
                member.settling += 1
            self._loop.spawn(self._make_up, running)

    def settle_all(self) -> bool:
        """Try what is owed a last time; return whether anything is still running."""
        for node in [*self._owed]:
            self.settle(node)
        return bool(self._running)

    def _ended(self, node: Node) -> None:
        self._running -= 1
        member = self._nodes.get(node)
        if member is not None:
            member.settling = max(member.settling - 1, 0)
            self._settled(member)

    def _make_up(self, running: Running) -> None:
        """Run one, in a thread of its own."""
        self._attempts.make_up(running)
        self._loop.send(partial(self._ended, running.attempt.node))
