"""What is counted of a run: its jobs, by where they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pegasus.events import Unfit
from pegasus.model import Job, Need

#: Of how many of the last jobs it is remembered how long they took, and how long nodes waited.
REMEMBERED = 500


class Jobs:
    """Counts jobs; of those that wait, it knows the ids, and how many slots they need.

    Attributes:
        done, failed: how many have ended, and how many of them not well.
        queued: how many are left in the queue file, or None while nobody has counted them.
        needs: yields what these need and how many jobs have this need, as far as that is known.
        unfit: those of them that fit no node.
    """

    def __init__(self) -> None:
        self.done = self.failed = 0
        self.queued: int | None = None
        self.needs: Iterable[tuple[Need, int]] = ()
        self.unfit: tuple[Unfit, ...] = ()
        self._taken: dict[int, int] = {}  # They are about to begin, or to be put back.
        self._failed: dict[int, int] = {}  # They are to be run again.

    @property
    def waiting(self) -> int:
        """How many have been taken and wait to begin, or to be run again."""
        return len(self._taken) + len(self._failed)

    @property
    def stuck(self) -> int:
        """How many are in the queue file and fit no node."""
        return min(sum(one.jobs for one in self.unfit), self.queued or 0)

    @property
    def left(self) -> int | None:
        """How many are in the queue file, to be taken by somebody; None: nobody knows."""
        return None if self.queued is None else self.queued - self.stuck

    def needed(self, *, with_left: bool) -> dict[int | None, int]:
        """Return how many jobs wait for how many slots; of those under None, nobody knows.

        Args:
            with_left: those that are left in the queue file count, too.
        """
        waiting = Counter[int | None]([*self._taken.values(), *self._failed.values()])
        if with_left and self.left:
            unfit = ((one.need, one.jobs) for one in self.unfit)
            known = _by_slots(self.needs) - _by_slots(unfit)
            waiting.update(known if known.total() == self.left else {None: self.left})
        return dict(waiting)

    def take(self, jobs: Iterable[Job]) -> None:
        self._taken.update((job.id, job.need.slots) for job in jobs)

    def give_back(self, number: int) -> None:
        self._taken.pop(number, None)

    def begin(self, number: int) -> None:
        self._taken.pop(number, None)
        self._failed.pop(number, None)

    def repeat(self, job: Job) -> None:
        self._failed[job.id] = job.need.slots

    def end(self, succeeded: bool) -> None:
        self.done += 1
        self.failed += not succeeded

    def give_up(self) -> None:
        """Run none again: what has failed has failed."""
        for _ in range(len(self._failed)):
            self.end(succeeded=False)
        self._failed.clear()


def _by_slots(needs: Iterable[tuple[Need, int]]) -> Counter[int]:
    """Return how many jobs need how many slots."""
    counts = Counter[int]()
    for need, jobs in needs:
        counts[need.slots] += jobs
    return counts


@dataclass
class Round:
    """A job of a broadcast.

    Attributes:
        began: when.
        nodes: on how many it is run.
        ended: on how many it has ended.
    """

    began: float
    nodes: int
    ended: int = 0
