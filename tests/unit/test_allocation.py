"""Which slots a job gets of those that are free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus.slots.allocation import ALIGNED, BUDDY, CONTIGUOUS, FIRST_FIT, SCATTERED, allocate
from pegasus.slots.allocation import nearest as kept

SLOTS = st.frozensets(st.integers(0, 15))


@pytest.mark.parametrize(
    ("free", "size", "grade", "indices"),
    [
        ("01234567", 2, ALIGNED, "01"),
        ("1234567", 2, ALIGNED, "23"),
        ("1234567", 4, ALIGNED, "4567"),
        ("01234567", 8, ALIGNED, "01234567"),
        ("12", 2, CONTIGUOUS, "12"),
        ("123456", 4, CONTIGUOUS, "1234"),
        ("0367", 3, SCATTERED, "036"),
        ("1357", 2, SCATTERED, "13"),
        ("567", 1, ALIGNED, "5"),
        ("1234567", 3, ALIGNED, "456"),  # Aligned as the next power of two is.
        ("123", 3, CONTIGUOUS, "123"),
    ],
)
def test_first_fit_gives_an_aligned_block_then_a_contiguous_one_then_any(
    free: str, size: int, grade: int, indices: str
) -> None:
    found = allocate({*map(int, free)}, size, FIRST_FIT)
    assert found == (grade, tuple(map(int, indices)))


@pytest.mark.parametrize(
    ("free", "size", "indices"),
    [
        ("01234567", 4, "0123"),
        ("1234567", 4, "4567"),
        ("123456", 4, None),
        ("12", 2, None),
        ("0123", 3, None),
        ("7", 1, "7"),
    ],
)
def test_buddy_gives_aligned_blocks_of_a_power_of_two_only(
    free: str, size: int, indices: str | None
) -> None:
    found = allocate({*map(int, free)}, size, BUDDY)
    assert (found and found.indices) == (tuple(map(int, indices)) if indices else None)


def test_the_numbers_of_slots_count_and_not_their_places() -> None:
    found = allocate({0, 1, 3, 4}, 2, BUDDY)
    assert found is not None
    assert found.indices == (0, 1)
    assert allocate({1, 3, 5, 7}, 2, BUDDY) is None


@given(SLOTS, st.integers(1, 16))
def test_first_fit_finds_slots_whenever_enough_are_free(free: frozenset[int], size: int) -> None:
    found = allocate(free, size, FIRST_FIT)
    assert (found is not None) == (len(free) >= size)
    if found:
        assert {*found.indices} <= free
        assert len({*found.indices}) == size
        assert [*found.indices] == sorted(found.indices)


@given(SLOTS, st.sampled_from([1, 2, 4, 8]))
def test_both_policies_give_the_same_where_there_is_an_aligned_block(
    free: frozenset[int], size: int
) -> None:
    buddy, first = allocate(free, size, BUDDY), allocate(free, size, FIRST_FIT)
    assert (buddy is not None) == (first is not None and first.grade == ALIGNED)
    if buddy:
        assert buddy == first


@given(SLOTS, st.sampled_from([1, 2, 4, 8]), st.sampled_from([FIRST_FIT, BUDDY]))
def test_slots_are_kept_that_a_job_could_get(free: frozenset[int], size: int, policy: str) -> None:
    found = kept(free, range(16), size, policy)
    assert {*found} <= free
    assert len(found) <= size
    if allocate(free, size, policy):
        assert allocate({*found}, size, policy)


def test_of_a_block_that_buddy_could_give_that_is_kept_of_which_most_is_free() -> None:
    assert kept({0, 4, 5, 7}, range(8), 4, BUDDY) == (4, 5, 7)
    assert kept({0, 1, 9}, (0, 1, 8, 9, 10, 11), 4, BUDDY) == (9,)  # 2 and 3 are not there.
    assert kept({0}, (0, 1, 2), 4, BUDDY) == ()
