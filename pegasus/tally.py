"""What is counted of a run: its jobs, and for how long its nodes were there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median

#: Of how many of the last jobs it is remembered how long they took, and how long nodes waited.
REMEMBERED = 500


class Jobs:
    """Counts jobs; of those that wait, it knows the ids.

    Attributes:
        done, failed: how many have ended, and how many of them not well.
        queued: how many are left in the queue file, or None while nobody has counted them.
    """

    def __init__(self) -> None:
        self.done = self.failed = 0
        self.queued: int | None = None
        self._taken: set[int] = set()  # They are about to begin, or to be put back.
        self._failed: set[int] = set()  # They are to be run again.

    @property
    def waiting(self) -> int:
        """How many wait to begin, or to be run again."""
        return len(self._taken) + len(self._failed)

    def take(self, ids: Iterable[int]) -> None:
        self._taken.update(ids)

    def give_back(self, number: int) -> None:
        self._taken.discard(number)

    def begin(self, number: int) -> None:
        self._taken.discard(number)
        self._failed.discard(number)

    def repeat(self, number: int) -> None:
        self._failed.add(number)

    def end(self, succeeded: bool) -> None:
        self.done += 1
        self.failed += not succeeded

    def give_up(self) -> None:
        """Run none again: what has failed has failed."""
        for _ in range(len(self._failed)):
            self.end(succeeded=False)
        self._failed.clear()


class Nodes:
    """The nodes that are connected, by index; and for how long they were, all of them together."""

    def __init__(self) -> None:
        self.connected: dict[int, float] = {}  # Since when.
        self._before = 0.0
        self._free: dict[int, float] = {}  # Since when they wait for their next job.
        self._waits: deque[float] = deque(maxlen=REMEMBERED)

    def connect(self, node: int, now: float) -> None:
        self.connected.setdefault(node, now)

    def disconnect(self, node: int, now: float) -> None:
        self._free.pop(node, None)
        since = self.connected.pop(node, None)
        if since is not None:
            self._before += now - since

    def available(self, now: float) -> float:
        """Return the seconds that they were connected until now."""
        return self._before + sum(now - since for since in self.connected.values())

    def begin(self, node: int, now: float) -> None:
        """A node has begun a job."""
        if (since := self._free.pop(node, None)) is not None:
            self._waits.append(now - since)

    def end(self, node: int, now: float) -> None:
        """A node has ended a job, and could begin the next one."""
        if node in self.connected:
            self._free[node] = now

    def idle(self) -> None:
        """There is no job: nodes that wait now wait for people."""
        self._free.clear()

    @property
    def wait(self) -> float:
        """How many seconds a node commonly waits between two jobs, while there are any.

        It is next to nothing, but for jobs so short that they can't be handed out so fast.
        """
        return median(self._waits) if self._waits else 0.0
