"""The product of parameters."""

from __future__ import annotations

from pegasus import grid


def test_the_last_name_varies_fastest() -> None:
    assert [*grid.expand({"b": ["1", "2"], "a": ["x", "y"]})] == [
        (("b", "1"), ("a", "x")),
        (("b", "1"), ("a", "y")),
        (("b", "2"), ("a", "x")),
        (("b", "2"), ("a", "y")),
    ]


def test_no_name_is_one_choice() -> None:
    assert [*grid.expand({})] == [()]
    assert grid.size({}) == 1


def test_a_name_without_values_leaves_no_choice() -> None:
    assert [*grid.expand({"a": [], "b": ["1"]})] == []
    assert grid.size({"a": [], "b": ["1"]}) == 0


def test_values_that_are_the_same_are_two() -> None:
    assert len([*grid.expand({"a": ["1", "1"]})]) == 2


def test_the_size_is_told_without_making_it() -> None:
    assert grid.size({name: ["x"] * 1000 for name in "abcdefgh"}) == 10**24


def test_choices_are_made_one_by_one() -> None:
    found = grid.expand({name: ["x"] * 100 for name in "abcdefgh"})
    assert dict(next(found)) == dict.fromkeys("abcdefgh", "x")
