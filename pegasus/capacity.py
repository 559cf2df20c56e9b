"""How much the nodes of a run can take at a time, and how much of that was used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from statistics import median

from pegasus.estimate import Room
from pegasus.model import ONE_SLOT, Slots
from pegasus.tally import REMEMBERED


@dataclass
class _Node:
    """A node.

    Attributes:
        slots: how many it has.
        held: how many of them jobs are on.
        is_connected: whether it is, the last time `since` then.
        is_drained: whether it takes no more jobs.
        waiting: the slots whose last job has ended, with when that was.
    """

    slots: int = len(ONE_SLOT)
    held: int = 0
    is_connected: bool = False
    since: float = 0.0
    is_drained: bool = False
    waiting: dict[int, float] = field(default_factory=dict)

    @property
    def takes_jobs(self) -> bool:
        return self.is_connected and not self.is_drained

    @property
    def usable(self) -> int:
        """How many slots it has for jobs; one that takes no more has those that they are on."""
        if not self.is_connected:
            return 0
        return self.held if self.is_drained else self.slots

    @property
    def free(self) -> int:
        """How many jobs of one slot could begin there."""
        return max(self.usable - self.held, 0)


class Nodes:
    """The nodes of a run, by index, and for how long their slots were there, all of them together.

    Times are seconds. What nobody is given while the run is paused, or since its node is drained,
    is not there: somebody wants it to be idle.

    Attributes:
        have_slots: whether one of them has, or had, another number of slots than one.
    """

    def __init__(self) -> None:
        self.have_slots = False
        self._nodes: dict[int, _Node] = {}
        self._waits: deque[float] = deque(maxlen=REMEMBERED)
        self._is_paused = False
        self._there = 0  # How many slots there are at present.
        self._before, self._at = 0.0, 0.0  # Slots times seconds, until when.

    # What there is.

    @property
    def connected(self) -> int:
        """How many nodes are connected and take jobs, or have some."""
        return sum(bool(node.usable) for node in self._nodes.values())

    @property
    def slots(self) -> int:
        """How many slots they have; of those that take no more jobs, those that jobs are on."""
        return sum(node.usable for node in self._nodes.values())

    def room(self, zero_slot_jobs: int) -> Room:
        """Return what the nodes that take jobs have, and so many jobs without slots on each."""
        slots = [node.slots for node in self._nodes.values() if node.takes_jobs]
        return Room(sum(slots), len(slots) * zero_slot_jobs)

    @property
    def free(self) -> int:
        """How many slots could be given to jobs now."""
        return sum(node.free for node in self._nodes.values())

    def takes_jobs(self, node: int) -> bool:
        """Whether a node is connected, and not drained."""
        return node in self._nodes and self._nodes[node].takes_jobs

    def available(self, now: float) -> float:
        """Return for how long slots were there until now, all of them together."""
        return self._before + self._there * (now - self._at)

    @property
    def wait(self) -> float:
        """How many seconds a slot commonly waits between two jobs, while there are any.

        It is next to nothing, but for jobs so short that they can't be handed out so fast.
        """
        return median(self._waits) if self._waits else 0.0

    # What happens.

    def connect(self, node: int, now: float, slots: int | None = None) -> None:
        """A node is connected; None: it has as many slots as before."""
        with self._changing(node, now) as found:
            found.since = found.since if found.is_connected else now
            found.is_connected = True
            found.slots = found.slots if slots is None else slots
            self.have_slots |= found.slots != 1

    def disconnect(self, node: int, now: float, known: float = inf) -> None:
        """A node has no connection any more, unless it has one since `known` or later."""
        if node in self._nodes and self._nodes[node].since > known:
            return
        with self._changing(node, now) as found:
            found.is_connected = False
            found.waiting.clear()

    def drain(self, node: int, now: float, *, is_drained: bool = True) -> None:
        """A node takes no more jobs, or takes them again."""
        with self._changing(node, now) as found:
            found.is_drained = is_drained
            found.waiting.clear()

    def pause(self, now: float, *, is_paused: bool = True) -> None:
        """No node takes jobs, or those that did take them again."""
        self._before, self._at = self.available(now), now
        self._is_paused = is_paused
        self._there = sum(self._wanted(node) for node in self._nodes.values())
        self.idle()

    def begin(self, node: int, slots: Slots, now: float) -> None:
        """A job has begun on slots of a node."""
        with self._changing(node, now) as found:
            found.held += len(slots)
            waited = [found.waiting.pop(one) for one in slots.indices if one in found.waiting]
        if waited:  # Before the last of them was free, it could not begin.
            self._waits.append(now - max(waited))

    def end(self, node: int, slots: Slots, now: float, *, is_ready: bool) -> None:
        """A job has left slots of a node; `is_ready`: another could begin there at once."""
        with self._changing(node, now) as found:
            found.held -= len(slots)
            if is_ready and found.takes_jobs and not self._is_paused:
                found.waiting.update(dict.fromkeys(slots.indices, now))

    def idle(self) -> None:
        """There is no job: slots that wait now wait for people."""
        for node in self._nodes.values():
            node.waiting.clear()

    @contextmanager
    def _changing(self, index: int, now: float) -> Iterator[_Node]:
        node = self._nodes.setdefault(index, _Node())
        self._before, self._at = self.available(now), now
        before = self._wanted(node)
        yield node
        self._there += self._wanted(node) - before

    def _wanted(self, node: _Node) -> int:
        """Return how many of its slots nobody wants to be idle."""
        return min(node.held, node.usable) if self._is_paused else node.usable
