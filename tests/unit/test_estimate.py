"""How well the end of a run is foretold, against schedules that are known to their end."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from pegasus.estimate import remaining

Draw = Callable[[random.Random], float]


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
    left = remaining(ended, running, waiting, nodes)
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


def test_nothing_is_foretold_before_a_job_has_ended_or_without_nodes() -> None:
    assert remaining([], [5.0], 10, 4) is None
    assert remaining([5.0], [], 10, 0) is None


def test_what_has_ended_is_over() -> None:
    assert remaining([5.0, 7.0], [], 0, 4) == 0
    assert remaining([5.0], [], 0, 0) == 0


def test_fewer_jobs_than_nodes_take_as_long_as_one() -> None:
    assert remaining([10.0, 10.0], [], 3, 64) == 10


def test_what_runs_longer_than_all_before_may_take_a_little_longer_yet() -> None:
    assert remaining([10.0, 10.0], [30.0], 0, 1) == pytest.approx(3.0)


def test_those_that_still_run_count_though_only_short_ones_have_ended() -> None:
    from_ended_alone = remaining([1.0] * 4, [], 60, 4)
    left = remaining([1.0] * 4, [100.0] * 3, 60, 4)
    assert from_ended_alone == 15
    assert left
    assert left > 400


def test_one_that_hung_is_no_example() -> None:
    ordinary = remaining([10.0] * 20, [], 100, 10)
    assert remaining([*[10.0] * 20, 36_000.0], [], 100, 10) == ordinary == 100


def test_jobs_of_which_some_take_longer_by_far_are_no_outliers() -> None:
    left = remaining([10.0] * 18 + [1000.0] * 2, [], 200, 10)
    assert left
    assert 2000 < left < 4000


def test_the_same_numbers_make_the_same_estimate() -> None:
    numbers = ([1.0, 5.0, 9.0], [2.0], 40, 4)
    assert remaining(*numbers) == remaining(*numbers)


def test_a_hundred_thousand_jobs_are_foretold_at_once() -> None:
    assert remaining([10.0, 10.0], [], 100_000, 10) == pytest.approx(100_000)
