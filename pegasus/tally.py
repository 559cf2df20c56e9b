"""What is counted of a run: its jobs, and for how long its nodes were there."""

from __future__ import annotations

from collections.abc import Iterable


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

    def connect(self, node: int, now: float) -> None:
        self.connected.setdefault(node, now)

    def disconnect(self, node: int, now: float) -> None:
        since = self.connected.pop(node, None)
        if since is not None:
            self._before += now - since

    def available(self, now: float) -> float:
        """Return the seconds that they were connected until now."""
        return self._before + sum(now - since for since in self.connected.values())
