"""Where attempts are drawn: each node has a band, and in it a lane for each of its slots.

Attempts that need no slot are in lanes of their own below these, so many as there were at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pegasus.report.account import Account, Row

#: The distance of two bands where nodes have several lanes, in lanes.
GAP = 0.6


class Band(NamedTuple):
    """The place of a node: the middle of its first lane, how many it has, how many for slots."""

    top: float
    lanes: int
    own: int

    @property
    def middle(self) -> float:
        return self.top + (self.lanes - 1) / 2


class Stretch(NamedTuple):
    """Lanes side by side that an attempt is drawn over: their middle, and how many they are."""

    middle: float
    lanes: int


class Lanes:
    """Knows where the attempts of a run are drawn.

    A broadcast has its jobs on all slots of a node at once: there each node has one lane.

    Attributes:
        bands: of each node of the account.
        height: of all of them together, in lanes.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._is_divided = account.run.mode != "broadcast"
        self._beside = dict(_beside(account.rows))
        self.bands = [*self._bands()]
        self.height = self.bands[-1].top + self.bands[-1].lanes if self.bands else 0.0

    def of(self, place: int) -> list[Stretch]:
        """Return the lanes of the attempt at a place among the rows, which has a node."""
        row = self._account.rows[place]
        if row.node is None:
            return []
        top = self.bands[row.node].top
        if place in self._beside:
            return [Stretch(top + self._own(row.node) + self._beside[place], 1)]
        if not self._is_divided:
            return [Stretch(top, 1)]
        slots = self._account.nodes[row.node].slots
        lanes = [lane for lane, slot in enumerate(slots) if slot in row.slots]
        return [Stretch(top + (first + last) / 2, last - first + 1) for first, last in _runs(lanes)]

    def _own(self, node: int) -> int:
        """Return how many lanes the slots of a node have."""
        return len(self._account.nodes[node].slots) if self._is_divided else 1

    def _bands(self) -> Iterator[Band]:
        beside = [0] * len(self._account.nodes)
        for place, lane in self._beside.items():
            node = self._account.rows[place].node or 0
            beside[node] = max(beside[node], lane + 1)
        own = [self._own(node) for node in range(len(beside))]
        lanes = [mine + more for mine, more in zip(own, beside, strict=True)]
        gap = GAP if any(number > 1 for number in lanes) else 0.0
        top = 0.0
        for number, mine in zip(lanes, own, strict=True):
            yield Band(top, number, mine)
            top += number + gap


def _beside(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Yield the attempts that have no slot, with a lane among those of their node, from 0."""
    free_at: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        if row.node is None or row.slots or row.began is None:
            continue
        lanes = free_at.setdefault(row.node, [])
        lane = next((lane for lane, at in enumerate(lanes) if at <= row.began), len(lanes))
        lanes[lane : lane + 1] = [row.span[1]]
        yield place, lane


def _runs(lanes: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as the first and the last of each stretch without a gap."""
    runs: list[tuple[int, int]] = []
    for lane in lanes:
        if runs and runs[-1][1] == lane - 1:
            runs[-1] = runs[-1][0], lane
        else:
            runs.append((lane, lane))
    return runs
