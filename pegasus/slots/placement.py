"""Where a job goes: which of the nodes that have room for it, and which of their slots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pegasus.model import Need, Node, Slots
from pegasus.slots.allocation import allocate, nearest
from pegasus.slots.fitting import fits, policy_of

#: Tells whether a node matches the `on` of a job.
Matches = Callable[[Node, str], bool]


@dataclass
class Vacancy:
    """What is free on a node that takes jobs.

    Attributes:
        node: which one.
        slots: all that it has.
        free: those of them that are free.
        seats: how many more jobs may run there that need no slot.
        rank: the lower, the longer it has waited.
    """

    node: Node
    slots: Slots
    free: set[int]
    seats: int
    rank: int


class Placement(NamedTuple):
    """A node, and the slots of it that a job is given."""

    node: Node
    slots: Slots


class Vacancies:
    """What is free on all nodes; placing a job, or reserving slots for it, takes from that.

    Args:
        vacancies: of each node; they are changed.
        allocation: the policy where neither job nor node names one.
        matches: tells whether a node matches the `on` of a job.
    """

    def __init__(self, vacancies: Iterable[Vacancy], allocation: str, matches: Matches) -> None:
        self._vacancies = [*vacancies]
        self._allocation = allocation
        self._matches = matches
        self._claimed: set[int] = set()  # Nodes, by their indices.

    def place(
        self, need: Need, avoid: Node | None = None, without: Collection[Node] = ()
    ) -> Placement | None:
        """Give a job slots, where they lie best; return None if it has to wait.

        Among nodes where they lie as well, it is the one that has the fewest others free, so
        that large jobs find nodes that are empty; then the one that has waited longest.

        Args:
            avoid: a node to be taken only if there is no other.
            without: nodes that won't do.
        """
        best: tuple[tuple[bool, int, int, int], Vacancy, tuple[int, ...]] | None = None
        for vacancy in self._vacancies:
            if len(vacancy.free) < need.slots:  # Mostly so, and this is done most of all.
                continue
            found = self._room(vacancy, need)
            if found is None or vacancy.node in without or not self._matches(vacancy.node, need.on):
                continue
            grade, left, indices = found
            order = (vacancy.node == avoid, grade, left, vacancy.rank)
            if best is None or order < best[0]:
                best = order, vacancy, indices
        return None if best is None else self._take(best[1], best[2])

    def give_back(self, placement: Placement) -> None:
        """Undo `place`."""
        vacancy = next(one for one in self._vacancies if one.node == placement.node)
        vacancy.free.update(placement.slots.indices)
        vacancy.seats += not placement.slots.indices

    def reserve(self, need: Need) -> None:
        """Keep slots free for a job that can't be placed, on the node that lacks the fewest.

        Only one job at a time waits with slots for those nodes on which it may run: it is the
        first one, and if the others had slots kept, too, many would lie idle for long. (That is
        EASY backfilling: Lifka, 1995.)
        """
        nodes = [one for one in self._vacancies if self._may_run(one, need)]
        indices = {one.node.index for one in nodes}
        if not need.slots or not self._claimed.isdisjoint(indices):
            return
        self._claimed |= indices
        chosen: Vacancy | None = None
        most: tuple[int, ...] = ()
        for vacancy in sorted(nodes, key=lambda one: one.node.index):
            policy = policy_of(vacancy.node, need, self._allocation)
            kept = nearest(vacancy.free, vacancy.slots.indices, need.slots, policy)
            if len(kept) > len(most):
                chosen, most = vacancy, kept
        if chosen is not None:
            chosen.free.difference_update(most)

    def _may_run(self, vacancy: Vacancy, need: Need) -> bool:
        node, indices = vacancy.node, vacancy.slots.indices
        return self._matches(node, need.on) and fits(node, indices, need, self._allocation)

    def _room(self, vacancy: Vacancy, need: Need) -> tuple[int, int, tuple[int, ...]] | None:
        """Return how well slots lie, how many others are left, and the slots; None without."""
        if not need.slots:
            return (0, -vacancy.seats, ()) if vacancy.seats else None
        policy = policy_of(vacancy.node, need, self._allocation)
        block = allocate(vacancy.free, need.slots, policy)
        if block is None:
            return None
        return block.grade, len(vacancy.free) - need.slots, block.indices

    def _take(self, vacancy: Vacancy, indices: tuple[int, ...]) -> Placement:
        if indices:
            vacancy.free.difference_update(indices)
        else:
            vacancy.seats -= 1
        return Placement(vacancy.node, Slots(indices, vacancy.slots.variable))
