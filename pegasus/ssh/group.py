"""All nodes at once, and a barrier: Fabric's ThreadingGroup for any kind of connection."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fabric import ThreadingGroup

from pegasus.model import Node
from pegasus.ssh.base import Connection

T = TypeVar("T")


@dataclass(frozen=True)
class Results(Generic[T]):
    """What came of a function that was called for every member; each node is in one of both.

    Attributes:
        values: what it returned, by node.
        errors: what it raised, by node.

    Both are in the order of the members.
    """

    values: dict[Node, T] = field(default_factory=dict)
    errors: dict[Node, BaseException] = field(default_factory=dict)


class _Call(Generic[T]):
    """One member's part. ThreadingGroup calls `make` and keys what it returns by this object,
    so that two members never share a key, however their connections compare.
    """

    def __init__(self, connection: Connection, function: Callable[[Connection], T]) -> None:
        self._connection = connection
        self._function = function

    def make(self) -> Results[T]:
        node = self._connection.node
        try:
            return Results(values={node: self._function(self._connection)})
        except BaseException as error:  # it is the caller's, who waits in another thread
            return Results(errors={node: error})


class BroadcastGroup(ThreadingGroup):  # type: ignore[misc]
    """Connections of any kind (over SSH, local, fake) that do the same thing at once."""

    @classmethod
    def of(cls, connections: Iterable[Connection]) -> BroadcastGroup:
        """Return a group of these connections, in this order."""
        group: BroadcastGroup = cls.from_connections(connections)
        return group

    def each(
        self, function: Callable[[Connection], T], among: Container[Node] | None = None
    ) -> Results[T]:
        """Call `function` for every member, each in a thread of its own, and wait for all.

        The wait is the barrier: nothing of it runs any more when this returns. An exception
        of one member stops no other; it comes back in the results.

        Args:
            among: the nodes that are meant, instead of all.
        """
        members = [member for member in self if among is None or member.node in among]
        calls = ThreadingGroup.from_connections(_Call(member, function) for member in members)
        parts = calls._do("make")
        results: Results[T] = Results()
        for call in calls:
            results.values.update(parts[call].values)
            results.errors.update(parts[call].errors)
        return results

    def keep(self, nodes: Iterable[Node]) -> None:
        """Forget the members of all other nodes. They are not closed."""
        kept = set(nodes)
        self[:] = [connection for connection in self if connection.node in kept]
