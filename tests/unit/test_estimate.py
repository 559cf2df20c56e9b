"""How well the end of a run is foretold, against schedules that are known to their end."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from pegasus.estimate import Ran, Room, remaining

Draw = Callable[[random.Random], float]


def foretold(ended: list[float], running: list[float], waiting: int, nodes: int) -> float | None:
    """Return what is foretold where each node has one slot, and each job needs it."""
    return remaining([*map(Ran, ended)], [*map(Ran, running)], {None: waiting}, Room(nodes))


def schedule(durations: list[float], nodes: int) -> list[tuple[float, float]]:
    """Return when each job begins and ends if it goes to the node that is free first."""
    free = [0.0] * nodes
    jobs = []
    for duration in durations:
        begin = heapq.heappop(free)
        heapq.heappush(free, begin + duration)
        jobs.append((begin, begin + duration))
    return jobs


def error_at(share: float, draw: Draw, nodes: int, jobs: int, seed: int) -> float:
    """Return by how much the foretold end of a run is off, as a share of its length."""
    dice = random.Random(seed)
    plan = schedule([draw(dice) for _ in range(jobs)], nodes)
    end = max(over for _, over in plan)
    now = share * end
    ended = [over - begin for begin, over in plan if over <= now]
    running = [now - begin for begin, over in plan if begin <= now < over]
    waiting = sum(begin > now for begin, _ in plan)
    left = foretold(ended, running, waiting, nodes)
    assert left is not None
    return (now + left - end) / end


def alike(_: random.Random) -> float:
    return 100.0


def similar(dice: random.Random) -> float:
    return max(1.0, dice.gauss(100.0, 10.0))


def spread(dice: random.Random) -> float:
    return dice.uniform(50.0, 150.0)


def skewed(dice: random.Random) -> float:
    return dice.lognormvariate(4.0, 1.0)


def few_long(dice: random.Random) -> float:
    return 1000.0 if dice.random() < 0.1 else 10.0


#: The error of the foretold length of a run of 500 jobs on 64 nodes, and of 100 jobs on 8, when a
#: quarter, a half and three quarters of its time are over: the mean of 20 runs, and the worst.
BOUNDS: list[tuple[Draw, int, int, list[tuple[float, float, float]]]] = [
    (alike, 64, 500, [(0.25, 0.001, 0.001), (0.5, 0.001, 0.001), (0.75, 0.001, 0.001)]),
    (alike, 8, 100, [(0.25, 0.001, 0.001), (0.5, 0.001, 0.001), (0.75, 0.001, 0.001)]),
    (similar, 64, 500, [(0.25, 0.03, 0.10), (0.5, 0.03, 0.08), (0.75, 0.03, 0.05)]),
    (similar, 8, 100, [(0.25, 0.03, 0.10), (0.5, 0.03, 0.08), (0.75, 0.03, 0.05)]),
    (spread, 64, 500, [(0.25, 0.05, 0.10), (0.5, 0.03, 0.08), (0.75, 0.03, 0.05)]),
    (spread, 8, 100, [(0.25, 0.05, 0.12), (0.5, 0.03, 0.08), (0.75, 0.03, 0.05)]),
    (skewed, 64, 500, [(0.25, 0.45, 0.70), (0.5, 0.30, 0.50), (0.75, 0.10, 0.30)]),
    (skewed, 8, 100, [(0.25, 0.20, 0.60), (0.5, 0.10, 0.45), (0.75, 0.10, 0.30)]),
    (few_long, 8, 100, [(0.25, 0.55, 0.75), (0.5, 0.15, 0.50), (0.75, 0.10, 0.30)]),
]


@pytest.mark.parametrize(("draw", "nodes", "jobs", "bounds"), BOUNDS)
def test_the_end_is_foretold_within_bounds(
    draw: Draw, nodes: int, jobs: int, bounds: list[tuple[float, float, float]]
) -> None:
    for share, mean, worst in bounds:
        errors = [error_at(share, draw, nodes, jobs, seed) for seed in range(20)]
        assert abs(sum(errors)) / len(errors) <= mean
        assert max(map(abs, errors)) <= worst


# Jobs of different sizes, on nodes of eight slots.

Sized = tuple[float, int]
SizedDraw = Callable[[random.Random, int], float]
SIZES = (1, 2, 4, 8)


def backfilled(jobs: list[Sized], nodes: int, patience: float = 600.0) -> list[Sized]:
    """Return when each job begins and ends: in order, but what fits passes what does not.

    A job at the head that has been passed for long has a node kept for it.
    """
    free = [8] * nodes
    queue, times = [*enumerate(jobs)], [(0.0, 0.0)] * len(jobs)
    ends: list[tuple[float, int, int]] = []
    now, head, since, kept = 0.0, -1, 0.0, -1
    while queue or ends:
        if queue and queue[0][0] != head:
            head, since, kept = queue[0][0], now, -1
        place = 0
        while place < len(queue) and any(free):
            number, (duration, size) = queue[place]
            fitting = [n for n in range(nodes) if free[n] >= size and (n != kept or not place)]
            if fitting:
                node = min(fitting, key=lambda one: free[one])
                free[node] -= size
                heapq.heappush(ends, (now + duration, node, size))
                times[number] = (now, now + duration)
                queue.pop(place)
                continue
            if not place and kept < 0 and now - since >= patience:
                kept = max(range(nodes), key=lambda one: free[one])
            place += 1
        now, node, size = heapq.heappop(ends)
        free[node] += size
    return times


@cache
def sized_plan(draw: SizedDraw, seed: int) -> list[tuple[float, float, int]]:
    """Return 300 jobs on 8 nodes: when each begins and ends, and how many slots it needs."""
    dice = random.Random(seed)
    sizes = dice.choices(SIZES, (50, 25, 15, 10), k=300)
    times = backfilled([(draw(dice, size), size) for size in sizes], 8)
    return [(*one, size) for one, size in zip(times, sizes, strict=True)]


def sized_error_at(share: float, draw: SizedDraw, seed: int, *, known: bool) -> float:
    """Return the error as `error_at` does."""
    plan = sized_plan(draw, seed)
    end = max(over for _, over, _ in plan)
    now = share * end
    ended = [Ran(over - begin, size) for begin, over, size in plan if over <= now]
    running = [Ran(now - begin, size) for begin, over, size in plan if begin <= now < over]
    waiting = Counter(size for begin, _, size in plan if begin > now)
    left = remaining(ended, running, waiting if known else {None: waiting.total()}, Room(64))
    assert left is not None
    return (now + left - end) / end


def spread_alike(dice: random.Random, _: int) -> float:
    return spread(dice)


def larger_are_longer(dice: random.Random, size: int) -> float:
    return dice.uniform(50.0, 150.0) * size


def larger_are_shorter(dice: random.Random, size: int) -> float:
    return dice.uniform(50.0, 150.0) * 8 / size


#: As above; but `known` says whether it is known what the jobs need that wait. Where it is not,
#: what is foretold is too short: those that have begun are those that fitted.
SIZED: list[tuple[SizedDraw, bool, list[tuple[float, float, float]]]] = [
    (spread_alike, True, [(0.25, 0.05, 0.15), (0.5, 0.05, 0.2), (0.75, 0.04, 0.1)]),
    (larger_are_longer, True, [(0.25, 0.10, 0.30), (0.5, 0.05, 0.15), (0.75, 0.05, 0.15)]),
    (larger_are_shorter, True, [(0.25, 0.15, 0.25), (0.5, 0.20, 0.25), (0.75, 0.10, 0.20)]),
    (spread_alike, False, [(0.25, 0.30, 0.50), (0.5, 0.30, 0.40), (0.75, 0.20, 0.20)]),
]


@pytest.mark.parametrize(("draw", "known", "bounds"), SIZED)
def test_the_end_of_jobs_of_different_sizes_is_foretold_within_bounds(
    draw: SizedDraw, known: bool, bounds: list[tuple[float, float, float]]
) -> None:
    for share, mean, worst in bounds:
        errors = [sized_error_at(share, draw, seed, known=known) for seed in range(6)]
        assert abs(sum(errors)) / len(errors) <= mean
        assert max(map(abs, errors)) <= worst


def test_large_jobs_take_as_many_slots_as_they_need() -> None:
    ended = [Ran(10.0, 8)] * 4
    assert remaining(ended, [], {8: 6}, Room(16)) == 30
    assert remaining(ended, [Ran(4.0, 8)], {8: 1}, Room(8)) == pytest.approx(16)


def test_what_has_no_slot_runs_beside_the_others() -> None:
    ended = [Ran(10.0, 1), Ran(100.0, 0)]
    assert remaining(ended, [], {1: 8, 0: 4}, Room(4, 4)) == 100
    assert remaining(ended, [], {1: 80, 0: 4}, Room(4, 4)) == 200
    assert remaining([Ran(9.0, 0)], [Ran(4.0, 0)], {}, Room(4, 4)) == 5


def test_a_job_is_as_long_as_others_of_its_size() -> None:
    ended = [Ran(10.0, 1)] * 50 + [Ran(100.0, 8)]
    assert remaining(ended, [], {8: 3}, Room(8)) == 300
    assert remaining(ended, [], {2: 1}, Room(8)) == pytest.approx(10, rel=2.5)


def test_nobody_waits_for_the_slots_of_a_node_that_takes_no_more_jobs() -> None:
    ended, leaving = [Ran(10.0)] * 4, [Ran(4.0)] * 7
    assert remaining(ended, [], {1: 8}, Room(1), leaving) == 80
    assert remaining(ended, [], {}, Room(1), leaving) == pytest.approx(6)


def test_where_slots_are_missing_nothing_is_foretold() -> None:
    assert remaining([Ran(5.0)], [], {0: 1}, Room(4)) is None
    assert remaining([Ran(5.0)], [], {0: 1}, Room(0, 4)) == 5


def test_nothing_is_foretold_before_a_job_has_ended_or_without_nodes() -> None:
    assert foretold([], [5.0], 10, 4) is None
    assert foretold([5.0], [], 10, 0) is None


def test_what_has_ended_is_over() -> None:
    assert foretold([5.0, 7.0], [], 0, 4) == 0
    assert foretold([5.0], [], 0, 0) == 0


def test_fewer_jobs_than_nodes_take_as_long_as_one() -> None:
    assert foretold([10.0, 10.0], [], 3, 64) == 10


def test_what_runs_longer_than_all_before_may_take_a_little_longer_yet() -> None:
    assert foretold([10.0, 10.0], [30.0], 0, 1) == pytest.approx(3.0)


def test_those_that_still_run_count_though_only_short_ones_have_ended() -> None:
    from_ended_alone = foretold([1.0] * 4, [], 60, 4)
    left = foretold([1.0] * 4, [100.0] * 3, 60, 4)
    assert from_ended_alone == 15
    assert left
    assert left > 400


def test_one_that_hung_is_no_example() -> None:
    ordinary = foretold([10.0] * 20, [], 100, 10)
    assert foretold([*[10.0] * 20, 36_000.0], [], 100, 10) == ordinary == 100


def test_jobs_of_which_some_take_longer_by_far_are_no_outliers() -> None:
    left = foretold([10.0] * 18 + [1000.0] * 2, [], 200, 10)
    assert left
    assert 2000 < left < 4000


def test_the_same_numbers_make_the_same_estimate() -> None:
    numbers = ([1.0, 5.0, 9.0], [2.0], 40, 4)
    assert foretold(*numbers) == foretold(*numbers)


def test_a_hundred_thousand_jobs_are_foretold_at_once() -> None:
    assert foretold([10.0, 10.0], [], 100_000, 10) == pytest.approx(100_000)
