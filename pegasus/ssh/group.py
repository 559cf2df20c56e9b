"""All nodes at once, and a barrier: Fabric's ThreadingGroup for any kind of connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from fabric import ThreadingGroup

from pegasus.model import Node
from pegasus.ssh.base import Connection

T = TypeVar("T")

#: Has something done by a thread, and returns at once; RuntimeError: there are no more threads.
Spawn = Callable[[Callable[[], None]], None]


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


class _Calls(Generic[T]):
    """A function that is called for several members at once, what came of it, and the barrier."""

    def __init__(self, members: Sequence[Connection], function: Callable[[Connection], T]) -> None:
        self._members = members
        self._function = function
        # By place: two members may have connections that compare equal.
        self._values: dict[int, T] = {}
        self._errors: dict[int, BaseException] = {}
        self._ended: list[int] = []
        self._is_over = threading.Event()

    def make(self, place: int) -> None:
        """Call the function for the member at a place. It does not raise."""
        try:
            self._values[place] = self._function(self._members[place])
        except BaseException as error:  # it is the caller's, who waits in another thread
            self._errors[place] = error
        self._ended.append(place)
        if len(self._ended) == len(self._members):  # Two may both find so, which does no harm.
            self._is_over.set()

    def wait(self) -> Results[T]:
        """Return what came of all calls, when the last of them has ended."""
        if self._members:
            self._is_over.wait()
        results: Results[T] = Results()
        for place, member in enumerate(self._members):
            if place in self._values:
                results.values[member.node] = self._values[place]
            else:
                results.errors[member.node] = self._errors[place]
        return results


def _in_a_thread(deed: Callable[[], None]) -> None:
    threading.Thread(target=deed, daemon=True).start()


class BroadcastGroup(ThreadingGroup):  # type: ignore[misc]
    """Connections of any kind (over SSH, local, fake) that do the same thing at once."""

    _spawn: Spawn = staticmethod(_in_a_thread)

    @classmethod
    def of(cls, connections: Iterable[Connection], spawn: Spawn = _in_a_thread) -> BroadcastGroup:
        """Return a group of these connections, in this order.

        Args:
            connections: the members.
            spawn: has threads do something. ThreadingGroup's own way is to make one for every
                call of every member; a run of many rounds has threads that are kept.
        """
        group: BroadcastGroup = cls.from_connections(connections)
        group._spawn = spawn
        return group

    def each(
        self, function: Callable[[Connection], T], among: Container[Node] | None = None
    ) -> Results[T]:
        """Call `function` for every member, each in a thread of its own, and wait for all.

        The wait is the barrier: nothing of it runs any more when this returns. An exception
        of one member stops no other; it comes back in the results. Where the system has no more
        threads, the calls that are left are made one after the other.

        Args:
            among: the nodes that are meant, instead of all.
        """
        members = [member for member in self if among is None or member.node in among]
        calls = _Calls(members, function)
        for place in range(len(members)):
            make = partial(calls.make, place)
            try:
                self._spawn(make)
            except RuntimeError:
                make()
        return calls.wait()

    def keep(self, nodes: Iterable[Node]) -> None:
        """Forget the members of all other nodes. They are not closed."""
        kept = set(nodes)
        self[:] = [connection for connection in self if connection.node in kept]
