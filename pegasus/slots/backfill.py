"""Who of those that wait may run now: the first in the queue, and later ones that fit beside them.

The head of the queue is served first. What does not fit now is passed by later jobs that do, so
that no slot lies idle for it; but not for ever: a job that has been passed for long is overdue,
and then slots are kept for it as they get free. Nobody knows how long jobs take, so there is no
other way to be sure that it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, Protocol

from pegasus.model import Need
from pegasus.slots.placement import Placement, Vacancies


class Waiting(Protocol):
    """What stands in the queue: for each entry its need and its number of jobs, in their order."""

    def __iter__(self) -> Iterator[tuple[Need, int]]: ...

    @property
    def needs(self) -> Collection[Need]:
        """All needs that there are in it."""


class Pick(NamedTuple):
    """A job that may run now: its position in the queue, counted from 0, and where it is to run."""

    position: int
    placement: Placement


class Backfill:
    """Goes through the queue once.

    Args:
        vacancies: where there is room; what is picked takes from that.
        overdue: so many jobs at the head have been passed for long.
        in_order: whether no job may pass another one at all.
        is_unfit: tells whether a need fits no node: such jobs stand in nobody's way.
    """

    def __init__(
        self,
        vacancies: Vacancies,
        overdue: int,
        in_order: bool,
        is_unfit: Callable[[Need], bool],
    ) -> None:
        self._vacancies = vacancies
        self._overdue = overdue
        self._in_order = in_order
        self._is_unfit = is_unfit
        self._settled: set[Need] = set()  # No more such jobs can be picked.

    def picks(self, waiting: Waiting) -> list[Pick]:
        """Return the jobs that may run, in the order of the queue."""
        picks: list[Pick] = []
        position = 0
        for need, jobs in waiting:
            if need not in self._settled:
                picks += self._place(need, range(position, position + jobs))
                if need in self._settled and self._is_over(need, waiting):
                    break
            position += jobs
        return picks

    def _place(self, need: Need, positions: range) -> Iterator[Pick]:
        """Yield as many of these jobs as there is room for."""
        if self._is_unfit(need):
            self._settled.add(need)
            return
        for position in positions:
            placement = self._vacancies.place(need)
            if placement is None:
                self._settled.add(need)
                if position < self._overdue:
                    self._vacancies.reserve(need)
                return
            yield Pick(position, placement)

    def _is_over(self, need: Need, waiting: Waiting) -> bool:
        """Whether nothing behind a job that can't be picked can be, either."""
        if self._in_order and not self._is_unfit(need):
            return True
        return len(self._settled) >= len(waiting.needs)
