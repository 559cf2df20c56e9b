"""Which jobs of the queue have been passed by later ones, and since when."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: Into how many steps the patience is divided: it is not remembered more exactly.
STEPS = 64


class Passing:
    """Remembers how long jobs have been passed. They are known by how far ahead they stand.

    Who is passed stands in front of a job that is taken. So at any time it is the first jobs, up
    to some number, that have been passed since then or longer; and where somebody edits the front
    of the file, it is roughly these.

    Args:
        patience: after how many seconds a job is overdue.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._marks: list[tuple[float, int]] = []  # Since when, the first so many. Both ascend.

    def note(self, taken: Sequence[int], now: float) -> None:
        """Take account of jobs that are taken; they stood at these positions, from 0, ascending."""
        if not taken:
            return
        left = [(since, first - bisect_left(taken, first)) for since, first in self._marks]
        self._marks = [mark for mark in left if mark[1]]
        passed = taken[-1] + 1 - len(taken)
        if passed > self._longest():
            self._add(now, passed)

    def put_back(self, jobs: int) -> None:
        """Take account of jobs that stand at the head again, where they were: in front of all."""
        self._marks = [(since, first + jobs) for since, first in self._marks]

    def overdue(self, now: float) -> int:
        """Return how many jobs are overdue: the first so many."""
        before = now - self._patience
        return max((first for since, first in self._marks if since <= before), default=0)

    def _longest(self) -> int:
        return self._marks[-1][1] if self._marks else 0

    def _add(self, now: float, passed: int) -> None:
        if self._marks and now - self._marks[-1][0] < self._patience / STEPS:
            now = self._marks.pop()[0]
        self._marks.append((now, passed))
