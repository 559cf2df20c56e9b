"""The nodes of a broadcast: who takes part in the next round. hosts.yaml and people decide.

Whoever comes, comes between two rounds; and so does whoever goes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from pegasus.errors import UnreachableError
from pegasus.events import (
    NodeAdded,
    NodeConnected,
    NodeDrained,
    NodeUndrained,
    NodeUnreachable,
    Sink,
)
from pegasus.model import Need, Node, Slots
from pegasus.modes.broadcasting.rounds import Group
from pegasus.modes.counting import slots_of
from pegasus.modes.members import Member, Roster, State, identity
from pegasus.modes.named import named
from pegasus.modes.reconnect import unreachable
from pegasus.selection import matching
from pegasus.slots.fitting import unfit_problem
from pegasus.ssh.base import Connect, Connection


class Participants:
    """The nodes of a run. One thread at a time uses it, but for `drain`, `undrain` and `close`.

    Args:
        group: their connections.
        connect: makes those of nodes that are added.
        emit: where events go.
        roster: watches hosts.yaml, or None.

    Attributes:
        version: grows when somebody comes or goes.
    """

    def __init__(
        self, group: Group, connect: Connect, emit: Sink, roster: Roster | None = None
    ) -> None:
        self.group = group
        self._connect = connect
        self._emit = emit
        self._roster = roster
        self._lock = threading.Lock()  # Guards what follows.
        self.version = 0
        self._all = {one.node.index: Member(one.node, one) for one in group}
        self._arrived: list[Member] = []
        self._is_closed = False

    def open(self) -> dict[Node, UnreachableError | None]:
        """Connect all there are, at once; return why some could not be."""
        return self.group.each(self._open).values

    def keep(self, nodes: Sequence[Node]) -> None:
        """Go on with these nodes alone."""
        self.group.keep(nodes)
        with self._lock:
            for member in self._all.values():
                member.state = State.OPEN if member.node in nodes else State.GONE
            self.version += 1

    def taking_part(self, on: str = "") -> list[Node]:
        """Return the nodes on which a job runs that is bound to `on`, in the next round."""
        with self._lock:
            there = [one for one in self._there() if one.state is State.OPEN]
            return matching([one.node for one in there if not one.is_drained], on)

    def fitting(self) -> list[Node]:
        """Return the nodes that take part, or may do so later."""
        with self._lock:
            return [member.node for member in self._there()]

    def problem(self, need: Need) -> str:
        """Return why jobs fit no node, or "". They get what slots there are, and are content."""
        return unfit_problem(need._replace(slots=0), self.fitting())

    def slots(self, node: Node) -> Slots:
        """Return all slots of a node that takes part."""
        return self._all[node.index].slots

    def look(self) -> None:
        """Take account of hosts.yaml, if it has changed."""
        change = self._roster.look() if self._roster else None
        if change is not None:
            for node in change.removed:
                self._remove(node)
            for node in change.returned:
                self._return(node)
            for node in change.added:
                self._add(node)

    def drain(self, expression: str) -> list[Node]:
        """Have nodes take part in no further round; return those that were not drained before.

        Raises:
            SettingsError: the expression is wrong, or for no node.
        """
        nodes = self._set_drained(expression, True)
        for node in nodes:
            self._emit(NodeDrained(node))
        return nodes

    def undrain(self, expression: str) -> list[Node]:
        """Have nodes take part again; return those that were drained. See `drain`."""
        nodes = self._set_drained(expression, False)
        for node in nodes:
            self._emit(NodeUndrained(node))
        return nodes

    def leaving(self) -> list[Node]:
        """Return the nodes that were removed and are still connected."""
        with self._lock:
            return [
                one.node
                for one in self._all.values()
                if one.is_removed and one.state is State.OPEN and one not in self._arrived
            ]

    def change(self, leaving: Iterable[Node]) -> None:
        """Between two rounds: disconnect who leaves, and let in who has come."""
        gone = {*leaving}
        with self._lock:
            closing = [self._all[node.index] for node in gone]
            for member in closing:
                member.state = State.GONE
            arrived, self._arrived = self._arrived, []
            if not (gone or arrived):
                return
            self.version += 1
        self.group.keep([one.node for one in self.group if one.node not in gone])
        self.group.extend([member.connection for member in arrived])
        for member in closing:
            member.connection.close()

    def close(self) -> None:
        """Disconnect all."""
        with self._lock:
            self._is_closed = True
            arrived, self._arrived = self._arrived, []
        self.group.close()
        for member in arrived:
            member.connection.close()

    def _there(self) -> list[Member]:
        return [member for member in self._all.values() if member.may_run_jobs]

    def _set_drained(self, expression: str, is_drained: bool) -> list[Node]:
        with self._lock:
            there = [one.node for one in self._all.values() if not one.is_removed]
            nodes = named(there, expression)
            changed = [node for node in nodes if self._all[node.index].is_drained != is_drained]
            marked = {identity(node) for node in nodes}
            for member in self._all.values():  # Those that were removed, too: they may be back.
                if identity(member.node) in marked:
                    member.is_drained = is_drained
            self.version += 1
        return changed

    def _add(self, node: Node) -> None:
        self._emit(NodeAdded(node))
        with self._lock:
            alike = [one for one in self._all.values() if identity(one.node) == identity(node)]
            is_drained = any(one.is_drained for one in alike)
        if is_drained:  # What was said by hand holds whatever slots and options the node has.
            self._emit(NodeDrained(node))
        self._bring(node, is_drained=is_drained)

    def _remove(self, node: Node) -> None:
        with self._lock:
            member = self._all[node.index]
            member.is_removed = True
            self.version += 1
        self._emit(NodeDrained(node, removed=True))

    def _return(self, node: Node) -> None:
        with self._lock:
            member = self._all.get(node.index)
            is_drained = member is not None and member.is_drained
            is_there = member is not None and member.state is not State.GONE
            if member is not None:
                member.is_removed = False
            self.version += 1
        self._emit(NodeDrained(node) if is_drained else NodeUndrained(node))
        if not is_there:
            self._bring(node, is_drained=is_drained)

    def _bring(self, node: Node, *, is_drained: bool = False) -> None:
        """Connect a node, which takes part as soon as it is there."""
        member = Member(node, self._connect(node), is_drained=is_drained)
        with self._lock:
            self._all[node.index] = member
            self.version += 1
        # A daemon thread: the third Ctrl-C leaves without it.
        threading.Thread(target=self._bring_in, args=(member,), daemon=True).start()

    # Threads of their own, from here on.

    def _bring_in(self, member: Member) -> None:
        error = self._try(member)
        if self._wants(member):
            if error is None:
                self._emit(NodeConnected(member.node, member.slots))
            else:
                self._emit(NodeUnreachable(member.node, error))
        with self._lock:
            self.version += 1
            if error is None and self._wants(member):
                member.state = State.OPEN
                self._arrived.append(member)
                return
            member.state = State.GONE
        member.connection.close()

    def _wants(self, member: Member) -> bool:
        return not (self._is_closed or member.is_removed)

    def _open(self, connection: Connection) -> UnreachableError | None:
        member = self._all[connection.node.index]
        error = self._try(member)
        if error is None:
            self._emit(NodeConnected(member.node, member.slots))
        return error

    def _try(self, member: Member) -> UnreachableError | None:
        try:
            member.connection.open()
            member.slots = _counted(member.connection)
        except Exception as problem:
            return unreachable(member.node, problem)
        return None


def _counted(connection: Connection) -> Slots:
    """Return all slots of a node.

    Where its GPUs can't be counted it has none: a broadcast may be what installs their driver.
    """
    try:
        return slots_of(connection)
    except UnreachableError as error:
        if error.step != "slots":
            raise
        return Slots(connection.node.slots or ())
