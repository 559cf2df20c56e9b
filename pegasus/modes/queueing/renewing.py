"""Nodes that come and go while a run is on: hosts.yaml is edited, or somebody drains a node."""

from __future__ import annotations

from collections.abc import Iterable

from pegasus.events import NodeAdded, NodeDrained, NodeUndrained, Sink
from pegasus.model import Node
from pegasus.modes.members import Roster, State, identity
from pegasus.modes.named import named
from pegasus.modes.queueing.nodes import Nodes, QueueMember


class Renewing:
    """Has the nodes of a run be those that they should be. The scheduler's thread uses it.

    Args:
        nodes: those of the run.
        emit: where events go.
        roster: watches hosts.yaml, or None.
    """

    def __init__(self, nodes: Nodes, emit: Sink, roster: Roster | None) -> None:
        self._nodes = nodes
        self._emit = emit
        self._roster = roster

    def look(self) -> None:
        """Take account of hosts.yaml, if it has changed."""
        change = self._roster.look() if self._roster else None
        if change is not None:
            for node in change.removed:
                self._remove(node)
            for node in change.returned:
                self._return(node)
            self._add(change.added)

    def drain(self, expression: str) -> list[Node]:
        """Have nodes take no more jobs; return those that were not drained already.

        Raises:
            PegasusError: the expression is wrong, or for no node.
        """
        nodes = [node for node in self._named(expression) if not self._nodes.is_drained(node)]
        for node in nodes:
            self._nodes.mark_drained(node, True)
            self._emit(NodeDrained(node))
        return nodes

    def undrain(self, expression: str) -> list[Node]:
        """Have nodes take jobs again; return those that were drained. See `drain`."""
        nodes = [node for node in self._named(expression) if self._nodes.is_drained(node)]
        for node in nodes:
            self._nodes.mark_drained(node, False)
            self._emit(NodeUndrained(node))
        return nodes

    def retire(self, member: QueueMember) -> None:
        """Disconnect a node that was removed, once nothing runs there any more."""
        if member.is_removed and not member.is_busy:
            self._nodes.remove(member)

    def _named(self, expression: str) -> list[Node]:
        there = [member.node for member in self._nodes if not member.is_removed]
        coming = [member.successor for member in self._nodes if member.successor is not None]
        return named([*there, *coming], expression)

    def _remove(self, node: Node) -> None:
        self._nodes.version += 1
        for other in self._nodes:
            if other.successor == node:  # It waits for the other one to go.
                other.successor = None
        self._emit(NodeDrained(node, removed=True))
        member = self._nodes.get(node)
        if member is not None:
            member.is_removed = True
            self.retire(member)

    def _return(self, node: Node) -> None:
        member = self._nodes.get(node)
        if member is not None and member.state is not State.GONE:
            self._nodes.version += 1
            member.is_removed = False
            coming, member.successor = member.successor, None
            if coming is not None:  # Both stand in the file now.
                self._add_now(coming)
        else:
            self._add_now(node)
        # What was said by hand holds until it is taken back by hand.
        is_drained = self._nodes.is_drained(node)
        self._emit(NodeDrained(node) if is_drained else NodeUndrained(node))

    def _add(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._emit(NodeAdded(node))
            self._add_now(node)
            if self._nodes.is_drained(node):
                self._emit(NodeDrained(node))

    def _add_now(self, node: Node) -> None:
        """Connect a node; but not before another one has gone whose slots are the same."""
        self._nodes.version += 1
        for member in self._nodes:
            is_alike = identity(member.node) == identity(node)
            if is_alike and member.is_removed and member.successor is None:
                member.successor = node
                return
        self._nodes.add([node])
