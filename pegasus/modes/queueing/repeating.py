"""Jobs that have failed and are to be run again: they come before those of the queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pegasus.errors import PegasusError
from pegasus.model import Job, Need, Node
from pegasus.modes.attempts import Attempts, Running
from pegasus.plan import Plan
from pegasus.slots.placement import Placement, Vacancies

#: Starts a job on a node, to make good an attempt.
Start = Callable[[Node, Job, Plan, Running], None]


@dataclass(eq=False)
class _Failed:
    """An attempt that is to be made good.

    Attributes:
        since: when it began to wait, in seconds.
        lacks_room: whether it waits for slots; else for a node that has what its templates need.
    """

    running: Running
    since: float
    lacks_room: bool = True


class Repeating:
    """What waits to be run again, in the order in which it failed. The scheduler's thread uses it.

    Args:
        attempts: plans them anew.
        now: returns the time, in seconds.
        patience: after how many seconds slots are kept for one that has no room; 0: no job of
            the queue passes it.
    """

    def __init__(self, attempts: Attempts, now: Callable[[], float], patience: float) -> None:
        self._attempts = attempts
        self._now = now
        self._patience = patience
        self._failed: deque[_Failed] = deque()

    def __bool__(self) -> bool:
        return bool(self._failed)

    def add(self, running: Running, *, first: bool = False) -> None:
        """Have an attempt made good, behind all others or before them."""
        failed = _Failed(running, self._now())
        self._failed.appendleft(failed) if first else self._failed.append(failed)

    def clear(self) -> None:
        """Let them all stay failed."""
        self._failed.clear()

    def drop(self, number: int) -> bool:
        """Let the job with this id stay failed; return whether it was here."""
        kept = deque(one for one in self._failed if one.running.attempt.job.id != number)
        is_here = len(kept) < len(self._failed)
        self._failed = kept
        return is_here

    def start_all(self, vacancies: Vacancies, start: Start) -> None:
        """Start those for which there is room, on another node than before where one has it."""
        self._failed = deque(one for one in self._failed if not self._start(one, vacancies, start))

    def keep_room(self, vacancies: Vacancies, is_unfit: Callable[[Need], bool]) -> bool:
        """Keep slots for those that wait too long; return whether others may pass the rest."""
        waiting = [one for one in self._failed if one.lacks_room]
        needs = [(one, one.running.attempt.job.need) for one in waiting]
        fit = [(one, need) for one, need in needs if not is_unfit(need)]
        for one, need in fit:
            if self._now() - one.since >= self._patience:
                vacancies.reserve(need)
        return bool(self._patience) or not fit

    def _start(self, failed: _Failed, vacancies: Vacancies, start: Start) -> bool:
        job, before = failed.running.attempt.job, failed.running.attempt.node
        tried: list[Placement] = []
        plan: Plan | None = None
        while placement := vacancies.place(job.need, before, [one.node for one in tried]):
            try:
                plan = self._attempts.plan(job, placement.node, placement.slots)
                break
            except PegasusError:
                tried.append(placement)  # A value that only this node has: another one may do.
        for one in tried:
            vacancies.give_back(one)
        failed.lacks_room = not tried
        if placement is None or plan is None:
            return False
        start(placement.node, job, plan, failed.running)
        return True
