"""Which jobs fit a node, what is said of those that fit none, and whose turn it is."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus.model import Host, Need, Node, Options
from pegasus.slots.allocation import BUDDY, FIRST_FIT
from pegasus.slots.fitting import allocation_problem, fits, policy_of, sample, unfit_problem
from pegasus.slots.turns import Turns


def node(slots: tuple[int, ...] | None, index: int = 0, name: str = "n", policy: str = "") -> Node:
    return Node(index, Host(name, name), (), Options(allocation=policy or None), slots)


def first(count: int) -> tuple[int, ...]:
    return tuple(range(count))


EIGHT = first(8)


def test_the_policy_is_the_jobs_or_else_the_nodes_or_else_the_runs() -> None:
    plain, own = node(EIGHT), node(EIGHT, policy=BUDDY)
    assert policy_of(plain, Need(), FIRST_FIT) == FIRST_FIT
    assert policy_of(own, Need(), FIRST_FIT) == BUDDY
    assert policy_of(own, Need(1, "", FIRST_FIT), BUDDY) == FIRST_FIT


@pytest.mark.parametrize(
    ("slots", "size", "policy", "expected"),
    [
        (EIGHT, 8, FIRST_FIT, True),
        (EIGHT, 9, FIRST_FIT, False),
        (EIGHT, 3, FIRST_FIT, True),
        ((0, 2, 5), 3, FIRST_FIT, True),
        (EIGHT, 8, BUDDY, True),
        (EIGHT, 3, BUDDY, False),
        (first(12), 8, BUDDY, True),
        (first(12), 16, BUDDY, False),
        ((1, 2, 3), 2, BUDDY, True),
        ((1, 2, 5), 2, BUDDY, False),
        ((1, 2), 2, BUDDY, False),
        ((6, 7), 2, BUDDY, True),
        ((5,), 1, BUDDY, True),
        (first(1), 0, BUDDY, True),
        (None, 4096, FIRST_FIT, True),
        (None, 4, BUDDY, True),
    ],
)
def test_a_job_fits_where_it_would_get_its_slots_if_it_were_alone(
    slots: tuple[int, ...] | None, size: int, policy: str, expected: bool
) -> None:
    assert fits(node(slots), slots, Need(size), policy) is expected
    assert fits(node(slots, policy=policy), slots, Need(size), FIRST_FIT) is expected
    assert fits(node(slots), slots, Need(size, "", policy), BUDDY) is expected


@given(st.sets(st.integers(0, 11), min_size=1), st.integers(0, 4).map(lambda n: 2**n))
def test_buddy_fits_exactly_where_there_is_an_aligned_block(slots: set[int], size: int) -> None:
    there = tuple(sorted(slots))
    blocks = [block for block in combinations(there, size) if is_aligned(block)]
    assert fits(node(there), there, Need(size), BUDDY) == bool(blocks)
    if blocks:
        assert sample(node(there), Need(size), BUDDY) == blocks[0]


def is_aligned(block: tuple[int, ...]) -> bool:
    return block[0] % len(block) == 0 and block[-1] - block[0] == len(block) - 1


def test_a_sample_is_what_a_job_gets_of_an_idle_node() -> None:
    assert sample(node((1, 2, 3, 6)), Need(2), FIRST_FIT) == (2, 3)
    assert sample(node(EIGHT), Need(3), FIRST_FIT) == (0, 1, 2)
    assert sample(node(EIGHT), Need(0), FIRST_FIT) == ()
    assert sample(node(None), Need(4), FIRST_FIT) == (0, 1, 2, 3)


NODES = [node(EIGHT, 0, "a"), node(first(2), 1, "b"), node((1, 2), 2, "c", BUDDY)]


@pytest.mark.parametrize(
    ("need", "problem"),
    [
        (Need(8), ""),
        (Need(0), ""),
        (Need(16), "this needs 16 slots, and no node has more than 8"),
        (
            Need(4, "b,c"),
            "this needs 4 slots, and none that matches `on: b,c` has more than 2",
        ),
        (Need(1, "gone-*"), "no node matches `on: gone-*`"),
        (Need(0, "x\x1b"), "no node matches `on: x\\x1b`"),
        (
            Need(2, "c"),
            "this needs 2 slots side by side, the first a multiple of 2 (`allocation: buddy`), "
            "and none that matches `on: c` has them",
        ),
        (Need(2, "b,c"), ""),
        (Need(2, "c", FIRST_FIT), ""),
    ],
)
def test_why_a_job_fits_no_node_is_said_in_words(need: Need, problem: str) -> None:
    assert unfit_problem(need, NODES) == problem


def test_slots_that_are_not_counted_may_be_enough() -> None:
    gpus = node(None, 3, "gpu")
    assert unfit_problem(Need(99), [*NODES, gpus]) == ""
    problem = unfit_problem(Need(99), [*NODES, gpus], slots_of=lambda one: one.slots or (0, 1))
    assert problem == "this needs 99 slots, and no node has more than 8"
    assert unfit_problem(Need(2), [gpus], slots_of=lambda _: (0, 1)) == ""
    assert unfit_problem(Need(1), []) == "there is no node"


def test_the_policy_of_the_run_counts_where_nobody_else_says() -> None:
    odd = [node((1, 2))]
    assert unfit_problem(Need(2), odd) == ""
    assert "(`allocation: buddy`), and no node has them" in unfit_problem(Need(2), odd, BUDDY)


@pytest.mark.parametrize(
    ("need", "nodes", "allocation", "is_wrong"),
    [
        (Need(3), NODES, FIRST_FIT, False),
        (Need(3), NODES, BUDDY, True),
        (Need(3), NODES[2:], FIRST_FIT, True),
        (Need(3, "", FIRST_FIT), NODES, BUDDY, False),
        (Need(3, "", BUDDY), [], FIRST_FIT, True),
        (Need(3), [], BUDDY, False),
        (Need(4), NODES, BUDDY, False),
        (Need(0), NODES, BUDDY, False),
        (Need(6), NODES, BUDDY, True),
    ],
)
def test_a_size_is_wrong_where_only_buddy_could_give_it(
    need: Need, nodes: list[Node], allocation: str, is_wrong: bool
) -> None:
    problem = allocation_problem(nodes, need, allocation)
    assert bool(problem) == is_wrong
    if need.slots == 6 and problem:
        assert "write 4 or 8, or `allocation: first_fit`" in problem


def test_nodes_take_turns_and_those_that_do_not_fit_are_passed() -> None:
    turns = Turns(NODES, FIRST_FIT)

    def names(*needs: Need) -> list[str]:
        return [found.host.text if (found := turns.next(need)) else "" for need in needs]

    assert names(Need(), Need(), Need(), Need()) == ["a", "b", "c", "a"]
    assert names(Need(4), Need(), Need(2, "b,c"), Need(1, "b,c"), Need(9), Need(1, "x")) == [
        "a", "b", "b", "c", "", "",
    ]  # fmt: skip
    assert names(Need(0)) == ["a"]


@given(
    st.lists(st.sampled_from([Need(), Need(2), Need(8), Need(9), Need(1, "b,c")]), max_size=9),
    st.integers(1, 7),
)
def test_jobs_that_are_skipped_have_had_their_turns(needs: list[Need], jobs: int) -> None:
    one_by_one, at_once = Turns(NODES, FIRST_FIT), Turns(NODES, FIRST_FIT)
    for need in needs:
        expected = [one_by_one.next(need) for _ in range(jobs)][-1]
        assert at_once.skip(need, jobs) == expected
    assert at_once.next(Need()) == one_by_one.next(Need())


def test_without_nodes_it_is_nobodys_turn() -> None:
    assert Turns([], FIRST_FIT).next(Need()) is None
