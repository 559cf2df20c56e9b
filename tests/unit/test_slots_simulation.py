"""Ten thousand jobs on a hundred nodes with eight slots each, in virtual time."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import pairwise

import pytest
from simulation import Execution, Simulation

PATIENCE = 600.0
POLICIES = ["first_fit", "buddy"]


@cache
def played(allocation: str, patience: float = PATIENCE) -> Simulation:
    return Simulation.random(1, 10_000, 100).run(allocation, patience)


def overlaps(executions: list[Execution]) -> list[tuple[Execution, Execution]]:
    """Return executions that had the same slot at the same time."""
    by_slot: defaultdict[tuple[int, int], list[Execution]] = defaultdict(list)
    for one in sorted(executions, key=lambda one: one.start):
        for slot in one.slots:
            by_slot[one.node, slot].append(one)
    rows = by_slot.values()
    return [(one, other) for row in rows for one, other in pairwise(row) if other.start < one.end]


@pytest.mark.parametrize("allocation", POLICIES)
def test_each_job_runs_once_with_as_many_slots_as_it_needs_and_no_slot_is_given_twice(
    allocation: str,
) -> None:
    simulation = played(allocation)
    assert sorted(one.job for one in simulation.executions) == [*range(10_000)]
    assert all(len(one.slots) == simulation.sizes[one.job] for one in simulation.executions)
    assert overlaps(simulation.executions) == []
    if allocation == "buddy":
        assert all(one.slots[0] % len(one.slots) == 0 for one in simulation.executions)
        assert all(
            one.slots == (*range(one.slots[0], one.slots[0] + len(one.slots)),)
            for one in simulation.executions
        )


@pytest.mark.parametrize("allocation", POLICIES)
def test_no_job_is_starved_beyond_its_patience(allocation: str) -> None:
    """A job that was passed for so long is the next of those in front that begin.

    It has slots kept for it then on one node, all of whose jobs end before the longest would.
    """
    simulation = played(allocation)
    start = {one.job: one.start for one in simulation.executions}
    longest = max(simulation.durations)
    first_behind = [float("inf")] * (len(start) + 1)
    for job in reversed(range(len(start))):
        first_behind[job] = min(first_behind[job + 1], start[job])
    last_in_front, passed = 0.0, 0
    for job in range(len(start)):
        if first_behind[job + 1] < start[job]:
            passed += 1
            overdue = max(first_behind[job + 1] + PATIENCE, last_in_front)
            assert start[job] <= overdue + longest
        last_in_front = max(last_in_front, start[job])
    assert passed > 1000


def test_the_run_takes_at_most_a_quarter_longer_than_it_must() -> None:
    simulation = played("first_fit")
    assert simulation.makespan <= 1.25 * simulation.lower_bound


def test_it_takes_less_than_in_strict_order() -> None:
    in_order = played("first_fit", 0.0)
    starts = [one.start for one in sorted(in_order.executions, key=lambda one: one.job)]
    assert starts == sorted(starts)
    assert played("first_fit").makespan < in_order.makespan


@pytest.mark.parametrize("seed", [2, 3])
def test_sizes_of_all_kinds_share_few_nodes(seed: int) -> None:
    simulation = Simulation.random(seed, 500, 5, sizes=(0, 1, 2, 3, 5, 6, 8)).run()
    assert sorted(one.job for one in simulation.executions) == [*range(500)]
    assert all(len(one.slots) == simulation.sizes[one.job] for one in simulation.executions)
    assert overlaps(simulation.executions) == []


def stream() -> Simulation:
    """A job that needs the whole node, behind four small ones, and before very many of them."""
    sizes = [1, 1, 1, 1, 8, *[1] * 400]
    durations = [100.0 + 37 * (number % 11) for number in range(len(sizes))]
    return Simulation(sizes, durations, nodes=1, slots=8)


def begin_of_large(patience: float) -> float:
    simulation = stream().run(patience=patience)
    return next(one.start for one in simulation.executions if len(one.slots) == 8)


def test_a_large_job_begins_soon_after_its_patience_has_ended() -> None:
    longest = max(stream().durations)
    assert PATIENCE <= begin_of_large(PATIENCE) <= PATIENCE + 2 * longest
    assert begin_of_large(1e9) > 10 * longest  # It would be the last one.


def test_in_strict_order_nothing_passes_a_large_job() -> None:
    simulation = stream().run(patience=0.0)
    begin = begin_of_large(0.0)
    assert {one.job for one in simulation.executions if one.start < begin} == {0, 1, 2, 3}
