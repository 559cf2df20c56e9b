"""How long a run is going to take: what is left is tried out with the durations seen so far.

Nothing is known of a job before it runs but how long others took. So the rest of the run is
played through a few times, each job being given a duration that another had, and the mean of the
ends is the estimate. That fits jobs that are all alike as well as those of which few take most of
the time: then it is the last ones that the run waits for, and a quotient of means would not see
them. Jobs that still run count by how long they have run (Kaplan and Meier, 1958); otherwise the
first estimates would know short jobs only.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate

#: How often the rest of the run is played through.
TRIALS = 8
#: Jobs a node that are played through; what goes before them is the mean, for a few more make no
#: difference to who ends last.
PLAYED = 4
#: A single duration so many times the next one is taken for that: a job that hung is no example.
ALONE = 10.0
#: What runs longer than all before may take this share of its time more.
OVERDUE = 0.1
#: How often an estimate is made anew, in seconds: with news and without.
EAGER, LAZY = 1.0, 5.0


def remaining(
    ended: Sequence[float], running: Sequence[float], waiting: int, nodes: int
) -> float | None:
    """Return in how many seconds the last job ends, or None where nothing tells.

    Args:
        ended: how many seconds jobs took that have ended.
        running: for how many seconds those have run that run now.
        waiting: how many are to be run yet.
        nodes: on how many nodes, of which `running` are not free. Each runs one at a time.
    """
    nodes = max(nodes, len(running))
    if not ended or (waiting and not nodes):
        return None
    durations = _Durations(_without_outlier(ended), running)
    dice = random.Random(0)  # noqa: S311 - the same numbers are to make the same estimate
    ends = [_play(durations, running, waiting, nodes, dice) for _ in range(TRIALS)]
    return sum(ends) / len(ends)


class Estimate:
    """An estimate that is made anew when that is worth it, and counted down in between."""

    def __init__(self) -> None:
        self._at = 0.0
        self._news: object = None
        self._seconds: float | None = None

    def remaining(self, now: float, news: object, make: Callable[[], float | None]) -> float | None:
        """Return in how many seconds the run ends.

        Args:
            now: the time.
            news: when it is another than before, there are news.
            make: makes an estimate.
        """
        if self._is_stale(now, news != self._news):
            self._at, self._news, self._seconds = now, news, make()
        return None if self._seconds is None else max(self._seconds - (now - self._at), 0.0)

    def _is_stale(self, now: float, has_news: bool) -> bool:
        if self._seconds is None:
            return has_news
        return now - self._at >= (EAGER if has_news else LAZY)


class _Durations:
    """How long jobs take, as a distribution to draw from: values and their cumulated weights."""

    def __init__(self, ended: Sequence[float], running: Sequence[float]) -> None:
        ends, leaving = Counter(ended), Counter(ended) + Counter(running)
        self._values = sorted(leaving)
        at_risk, surviving = leaving.total(), 1.0
        weights = []
        for value in self._values:
            share = surviving * ends[value] / at_risk
            surviving -= share
            at_risk -= leaving[value]
            weights.append(share)
        weights[-1] += surviving  # Who runs longest is about to end, as far as anybody knows.
        self._sums = [*accumulate(weights)]
        pairs = zip(self._values, weights, strict=True)
        self.mean = sum(value * weight for value, weight in pairs)

    def draw(self, number: int, dice: random.Random) -> list[float]:
        """Return so many durations."""
        return dice.choices(self._values, cum_weights=self._sums, k=number)

    def rest(self, gone: float, dice: random.Random) -> float:
        """Return how much longer a job takes that has run for `gone` seconds."""
        before = bisect_right(self._values, gone)
        below = self._sums[before - 1] if before else 0.0
        drawn = below + dice.random() * (self._sums[-1] - below)
        index = bisect_right(self._sums, drawn, before)
        if index >= len(self._values):
            return gone * OVERDUE
        return self._values[index] - gone


def _play(
    durations: _Durations, running: Sequence[float], waiting: int, nodes: int, dice: random.Random
) -> float:
    """Return when the last job ends if each goes to the node that is free first."""
    laps = max(waiting // nodes - PLAYED, 0) if nodes else 0
    played = waiting - laps * nodes
    free_at = [durations.rest(gone, dice) for gone in running]
    free_at += [0.0] * (nodes - len(running))
    heapq.heapify(free_at)
    for duration in durations.draw(played, dice):
        heapq.heapreplace(free_at, free_at[0] + duration)
    return max(free_at, default=0.0) + laps * durations.mean


def _without_outlier(ended: Sequence[float]) -> list[float]:
    *others, longest = sorted(ended)
    if len(others) > 1 and longest > ALONE * others[-1]:
        longest = others[-1]
    return [*others, longest]
