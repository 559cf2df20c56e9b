"""The nodes of queue mode: connected each on its own, and again when the connection breaks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from pegasus.errors import UnreachableError
from pegasus.events import NodeConnected, NodeDisconnected, NodeLost, NodeUnreachable, Sink
from pegasus.model import Node, Slots
from pegasus.modes.counting import slots_of
from pegasus.modes.members import Member, State, identity
from pegasus.modes.queueing.loop import Loop
from pegasus.modes.reconnect import Clock, reconnect, unreachable
from pegasus.slots.placement import Vacancy
from pegasus.ssh.base import Connect

#: A node on which this many attempts in a row broke with the connection takes no more jobs, so
#: that a broken node doesn't eat the queue.
STRIKES = 3


@dataclass(eq=False)
class QueueMember(Member):
    """A node that jobs share.

    Attributes:
        seats: how many more jobs may run there that need no slot.
        free: the slots that no job has.
        jobs: how many attempts run there.
        settling: how many cancel commands run there, for attempts that were lost.
        openings: how many times it was connected.
        successor: a node that is to be connected when this one has ended its jobs: the same host,
            with other slots or options.
        rank: the lower, the longer its slots have waited.
        stopped: set when it is not to be connected again.
    """

    seats: int = 0
    free: set[int] = field(default_factory=set)
    jobs: int = 0
    settling: int = 0
    openings: int = 0
    successor: Node | None = None
    rank: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def takes_jobs(self) -> bool:
        is_closed = self.is_drained or self.is_removed or self.settling
        return self.state is State.OPEN and not is_closed

    @property
    def is_busy(self) -> bool:
        return bool(self.jobs or self.settling)

    @property
    def indices(self) -> tuple[int, ...] | None:
        """The numbers of its slots; None while nobody has counted them."""
        return self.node.slots if self.node.slots is not None else self.slots.indices or None

    @property
    def vacancy(self) -> Vacancy:
        """A copy of what is free."""
        return Vacancy(self.node, self.slots, {*self.free}, self.seats, self.rank)


class Nodes:
    """The nodes of a run. The scheduler's thread uses it; connecting has its own threads.

    Args:
        connect: makes the connection of a node.
        reconnect_for: for how long one that broke is tried again, in seconds.
        seats: how many jobs that need no slot run on a node at a time.
        emit: where events go.
        loop: the scheduler's.
        clock: the time between tries.
        arrived: called in the scheduler's thread with each node that was tried.
    """

    def __init__(
        self,
        connect: Connect,
        reconnect_for: float,
        seats: int,
        emit: Sink,
        loop: Loop,
        clock: Clock,
        arrived: Callable[[QueueMember], None],
    ) -> None:
        self._connect = connect
        self._reconnect_for = reconnect_for
        self._seats = seats
        self._emit = emit
        self._loop = loop
        self._clock = clock
        self._arrived = arrived
        #: Grows when nodes come or go, or get other slots.
        self.version = 0
        self._members: dict[int, QueueMember] = {}  # By the index of the node.
        self._drained: set[Hashable] = set()  # Identities.
        self._ranks = count()
        self._strikes: Counter[int] = Counter()
        self._is_stopped = False
        self._is_closed = threading.Event()

    def __iter__(self) -> Iterator[QueueMember]:
        return iter(self._members.values())

    def __getitem__(self, node: Node) -> QueueMember:
        return self._members[node.index]

    def get(self, node: Node) -> QueueMember | None:
        """Return what is known of a node, unless it is not of this run any more."""
        return self._members.get(node.index)

    @property
    def connecting(self) -> bool:
        """Whether some are being connected."""
        return any(member.state is State.CONNECTING for member in self)

    def add(self, nodes: Iterable[Node]) -> None:
        """Begin to connect nodes."""
        for node in nodes:
            self.version += 1
            member = QueueMember(node, self._connect(node), seats=self._seats)
            member.is_drained = self.is_drained(node)
            self._members[node.index] = member
            del self._strikes[node.index]
            self._loop.spawn(self._open, member)

    def remove(self, member: QueueMember) -> None:
        """Disconnect a node for good; one that follows it is connected now."""
        self.version += 1
        del self._members[member.node.index]
        member.state = State.GONE
        member.stopped.set()
        self._loop.spawn(member.connection.close)
        if member.successor is not None:
            self.add([member.successor])

    def mark_drained(self, node: Node, is_drained: bool) -> None:
        """Have a node take no jobs, or jobs again.

        That holds also if it goes and returns, with whatever slots and options.
        """
        marked = {identity(node)}
        self._drained = self._drained | marked if is_drained else self._drained - marked
        for member in self:
            member.is_drained = self.is_drained(member.node)

    def is_drained(self, node: Node) -> bool:
        """Whether somebody has said that a node takes no jobs."""
        return identity(node) in self._drained

    def stop(self) -> None:
        """Let the connections be that are broken."""
        self._is_stopped = True
        for member in self:
            member.stopped.set()

    def close(self) -> None:
        """Disconnect all."""
        self.stop()
        self._is_closed.set()
        for member in self:
            member.connection.close()

    def occupy(self, node: Node, slots: Slots) -> int:
        """Have a job run on a node with these slots; return which opening of it this is."""
        member = self._members[node.index]
        member.jobs += 1
        member.free.difference_update(slots.indices)
        member.seats -= not slots.indices
        return member.openings

    def release(self, node: Node, slots: Slots) -> None:
        """A job has ended."""
        member = self._members[node.index]
        member.jobs -= 1
        member.free.update({*slots.indices} & {*member.slots.indices})
        member.seats += not slots.indices
        member.rank = next(self._ranks)

    def forgive(self, node: Node) -> None:
        """Count anew on `node`, where an attempt has ended and the connection held."""
        del self._strikes[node.index]

    def restore(self, member: QueueMember, detail: str) -> None:
        """Connect again to a node whose connection broke, unless it breaks all the time."""
        self.version += 1
        node = member.node
        self._strikes[node.index] += 1
        if self._strikes[node.index] >= STRIKES:
            self._give_up(member, f"{detail} ({STRIKES} times in a row)")
        elif not self._reconnect_for:
            self._give_up(member, detail)
        elif self._is_stopped or member.is_removed:
            member.state = State.GONE
        else:
            member.state = State.CONNECTING
            self._emit(NodeDisconnected(node, detail))
            self._loop.spawn(self._reopen, member)

    def _give_up(self, member: QueueMember, detail: str) -> None:
        member.state = State.GONE
        self._emit(NodeLost(member.node, detail))

    def _tried(self, member: QueueMember, slots: Slots | None) -> None:
        """Take account of a node that was tried; `slots` are what it has if it is open."""
        if member.state is not State.CONNECTING:
            return  # It was removed meanwhile.
        self.version += 1
        member.state = State.GONE if slots is None else State.OPEN
        if slots is not None:
            used = {*member.slots.indices} - member.free
            member.slots, member.free = slots, {*slots.indices} - used
            member.rank = next(self._ranks)
            member.openings += 1
        self._arrived(member)

    # Threads of their own, from here on.

    def _open(self, member: QueueMember) -> None:
        self._bring(member, self._try)

    def _reopen(self, member: QueueMember) -> None:
        self._bring(member, self._try_again)

    def _bring(self, member: QueueMember, connect: Callable[[QueueMember], Slots | None]) -> None:
        slots = connect(member)
        is_late = self._is_closed.is_set() or member.state is State.GONE
        if slots is None or is_late:
            member.connection.close()  # If it came too late, nobody else would close it.
        else:
            self._emit(NodeConnected(member.node, slots))
        if not self._is_closed.is_set():
            self._loop.send(partial(self._tried, member, slots))

    def _try(self, member: QueueMember) -> Slots | None:
        connection, node = member.connection, member.node
        try:
            connection.open()
            return slots_of(connection)
        except Exception as problem:
            # Closing it would be why.
            if not self._is_closed.is_set() and member.state is not State.GONE:
                self._emit(NodeUnreachable(node, unreachable(node, problem)))
            return None

    def _try_again(self, member: QueueMember) -> Slots | None:
        connection, within = member.connection, self._reconnect_for
        found: list[Slots] = []

        def count_slots() -> None:
            # A node that was started anew may not have its GPUs at once.
            found.append(slots_of(connection))

        try:
            reconnect(connection, within, member.stopped, self._clock, then=count_slots)
            return found[0] if found else None
        except UnreachableError as error:
            if member.state is not State.GONE:
                self._emit(NodeLost(member.node, error.problem))
        return None
