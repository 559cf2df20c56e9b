"""How long a run is going to take: what is left is tried out with the durations seen so far.

Nothing is known of a job before it runs but how many slots it needs, and how long others took. So
the rest of the run is played through a few times, each job being given a duration that another one
of its size had, and the mean of the ends is the estimate. That fits jobs that are all alike as well
as those of which few take most of the time: then it is the last ones that the run waits for, and a
quotient of means would not see them. Jobs that still run count by how long they have run (Kaplan
and Meier, 1958); otherwise the first estimates would know short jobs only.

Slots are played as if it did not matter on which node they are: what one large job leaves unused
while it waits, smaller ones that pass it use.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

#: How often the rest of the run is played through.
TRIALS = 8
#: Jobs a slot that are played through; what goes before them is the mean, for a few more make no
#: difference to who ends last.
PLAYED = 4
#: A single duration so many times the next one is taken for that: a job that hung is no example.
ALONE = 10.0
#: What runs longer than all before may take this share of its time more.
OVERDUE = 0.1
#: How often an estimate is made anew, in seconds: with news and without.
EAGER, LAZY = 1.0, 5.0


class Ran(NamedTuple):
    """For how many seconds a job has run, on how many slots."""

    seconds: float
    slots: int = 1


class Room(NamedTuple):
    """How many slots there are, and how many jobs that need none may run at a time."""

    slots: int
    beside: int = 0


#: How many jobs there are by the slots that they need; by None, those of which that is not known.
Waiting = Mapping["int | None", int]


def remaining(
    ended: Sequence[Ran],
    running: Sequence[Ran],
    waiting: Waiting,
    room: Room,
    leaving: Sequence[Ran] = (),
) -> float | None:
    """Return in how many seconds the last job ends, or None where nothing tells.

    Args:
        ended: jobs that have ended.
        running: those that run now.
        waiting: those that are to be run yet. Of which it is not known what they need, they are
            taken to be as those that have begun.
        room: of which `running` have a part.
        leaving: jobs that run where nothing is going to run after them.
    """
    known = _completed(waiting, [*ended, *running, *leaving])
    slots = max(room.slots, sum(one.slots for one in running))
    beside = max(room.beside, sum(not one.slots for one in running))
    if not ended or any(not (slots if need else beside) for need in known):
        return None
    sizes = _Sizes(_without_outlier(ended), [*running, *leaving])
    small = {0: known.pop(0, 0)}
    parts = [
        _Part(sizes, slots, [one for one in running if one.slots], known),
        _Part(sizes, beside, [one for one in running if not one.slots], small),
        _Part(sizes, 0, leaving, {}),
    ]
    dice = random.Random(0)  # noqa: S311 - the same numbers are to make the same estimate
    ends = [max(part.play(dice) for part in parts) for _ in range(TRIALS)]
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

    def __init__(self, ended: Iterable[float], running: Iterable[float]) -> None:
        ends = Counter(ended)
        leaving = ends + Counter(running)
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


class _Sizes:
    """How long jobs take by the slots that they have; as all do, where none such has ended yet."""

    def __init__(self, ended: Sequence[Ran], running: Sequence[Ran]) -> None:
        self._all = _durations(ended, running)
        self._own = {
            slots: _durations(
                [one for one in ended if one.slots == slots],
                [one for one in running if one.slots == slots],
            )
            for slots in {one.slots for one in ended}
        }

    def of(self, slots: int) -> _Durations:
        """Return how long jobs take that have so many slots."""
        return self._own.get(slots, self._all)


class _Part:
    """What is played through by itself: jobs that need slots are not in the way of others.

    Args:
        sizes: how long jobs take.
        lanes: how many slots there are; of jobs that need none, how many may run.
        running: jobs that run, each in so many lanes as it has slots, but in one at least.
        waiting: how many are to run, by the slots that they need.
    """

    def __init__(
        self, sizes: _Sizes, lanes: int, running: Sequence[Ran], waiting: Mapping[int, int]
    ) -> None:
        self._lanes = lanes
        self._running = [(one.seconds, sizes.of(one.slots), max(one.slots, 1)) for one in running]
        self._drawn: list[tuple[int, _Durations, int]] = []
        self._before = 0.0  # The time of what is not played.
        area = sum(max(need, 1) * number for need, number in waiting.items())
        laps = max(area // lanes - PLAYED, 0) if area else 0
        for need, number in waiting.items():
            width, durations = max(need, 1), sizes.of(need)
            left_out = number * laps * lanes // area if area else 0
            self._before += left_out * width * durations.mean / max(lanes, 1)
            self._drawn.append((number - left_out, durations, width))

    def play(self, dice: random.Random) -> float:
        """Return when the last job ends if each goes to where it is free first."""
        free_at = []
        for gone, durations, width in self._running:
            free_at += [durations.rest(gone, dice)] * width
        free_at += [0.0] * (self._lanes - len(free_at))
        heapq.heapify(free_at)
        for duration, width in self._order(dice):
            for _ in range(width):
                heapq.heapreplace(free_at, free_at[0] + duration)
        return max(free_at, default=0.0) + self._before

    def _order(self, dice: random.Random) -> list[tuple[float, int]]:
        jobs = [
            (duration, width)
            for number, durations, width in self._drawn
            for duration in durations.draw(number, dice)
        ]
        if len(self._drawn) > 1:
            dice.shuffle(jobs)
        return jobs


def _durations(ended: Iterable[Ran], running: Iterable[Ran]) -> _Durations:
    return _Durations((one.seconds for one in ended), (one.seconds for one in running))


def _completed(waiting: Waiting, begun: Sequence[Ran]) -> dict[int, int]:
    """Return how many jobs need how many slots; who is not known is as those that have begun."""
    known = Counter({need: number for need, number in waiting.items() if need is not None})
    left, counts = waiting.get(None, 0), Counter(one.slots for one in begun)
    for slots, number in sorted(counts.items()):
        share = left * number // counts.total()
        counts[slots] -= number
        known[slots] += share
        left -= share
    return {need: number for need, number in known.items() if number}


def _without_outlier(ended: Sequence[Ran]) -> list[Ran]:
    *others, longest = sorted(ended)
    if len(others) > 1 and longest.seconds > ALONE * others[-1].seconds:
        longest = longest._replace(seconds=others[-1].seconds)
    return [*others, longest]
