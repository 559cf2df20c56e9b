"""Who may run now of those that wait, and who has been passed for too long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pegasus.model import Host, Need, Node, Options, Slots
from pegasus.slots.backfill import Backfill
from pegasus.slots.passing import Passing
from pegasus.slots.placement import Vacancies, Vacancy


def node(index: int, name: str = "", options: Options = Options()) -> Node:  # noqa: B008
    name = name or f"n{index}"
    return Node(index, Host(name, name), options=options, slots=tuple(range(8)))


def vacancies(*free: str, names: Sequence[str] = (), seats: int = 4) -> Vacancies:
    """Nodes with 8 slots each, of which these are free."""
    names = names or [f"n{number}" for number in range(len(free))]
    each = [
        Vacancy(node(number, name), Slots(tuple(range(8))), {*map(int, text)}, seats, number)
        for number, (text, name) in enumerate(zip(free, names, strict=True))
    ]
    return Vacancies(each, "first_fit", lambda one, on: not on or one.host.name.startswith(on))


class Queue(list[tuple[Need, int]]):
    @property
    def needs(self) -> set[Need]:
        return {need for need, _ in self}


def queue(*sizes: int | Need) -> Queue:
    return Queue((Need(size) if isinstance(size, int) else size, 1) for size in sizes)


def picks(
    waiting: Queue,
    there: Vacancies,
    overdue: int = 0,
    in_order: bool = False,
    unfit: Sequence[Need] = (),
) -> list[tuple[int, str]]:
    found = Backfill(there, overdue, in_order, lambda need: need in unfit).picks(waiting)
    return [
        (pick.position, f"{pick.placement.node.index}:{pick.placement.slots}") for pick in found
    ]


def test_the_head_is_served_first() -> None:
    assert picks(queue(4, 2, 2, 1), vacancies("01234567")) == [
        (0, "0:0,1,2,3"),
        (1, "0:4,5"),
        (2, "0:6,7"),
    ]


def test_later_jobs_that_fit_pass_one_that_does_not() -> None:
    assert picks(queue(8, 1, 8, 2), vacancies("4567")) == [(1, "0:4"), (3, "0:6,7")]


def test_several_jobs_of_one_entry_are_picked() -> None:
    waiting = Queue([(Need(8), 3), (Need(2), 5), (Need(1), 1)])
    assert picks(waiting, vacancies("0123")) == [(3, "0:0,1"), (4, "0:2,3")]


def test_in_order_nothing_passes_but_what_fits_no_node() -> None:
    assert picks(queue(8, 1), vacancies("4567"), in_order=True) == []
    waiting = queue(16, 1, 8, 1)
    assert picks(waiting, vacancies("4567"), in_order=True, unfit=[Need(16)]) == [(1, "0:4")]


def test_slots_are_kept_for_a_job_that_is_overdue() -> None:
    waiting = queue(8, 1, 1)
    assert picks(waiting, vacancies("4567"), overdue=1) == []
    assert picks(waiting, vacancies("4567", "3"), overdue=1) == [(1, "1:3")]


def test_a_job_that_is_not_overdue_keeps_no_slots() -> None:
    assert picks(queue(8, 1), vacancies("4567"), overdue=0) == [(1, "0:4")]


def test_only_the_first_of_the_overdue_keeps_slots_on_nodes_that_both_could_have() -> None:
    assert picks(queue(8, 4, 1), vacancies("012", "01"), overdue=2) == [(2, "1:0")]


def test_jobs_that_are_bound_to_different_nodes_keep_slots_on_both() -> None:
    waiting = queue(Need(8, "a"), Need(8, "b"), 1)
    there = vacancies("01", "01", "0", names=["a1", "b1", "c1"])
    assert picks(waiting, there, overdue=2) == [(2, "2:0")]


def test_slots_are_kept_where_the_fewest_are_missing() -> None:
    there = vacancies("0", "0123", "01")
    assert picks(queue(8, 2, 1), there, overdue=1) == [(1, "2:0,1"), (2, "0:0")]


def test_a_job_goes_where_its_slots_lie_best_and_then_where_the_fewest_are_left() -> None:
    assert picks(queue(2), vacancies("12", "0123")) == [(0, "1:0,1")]
    assert picks(queue(2), vacancies("012345", "0123")) == [(0, "1:0,1")]


def test_among_nodes_that_are_alike_the_one_that_waits_longest_is_taken() -> None:
    each = [
        Vacancy(node(number), Slots((0,)), {0}, 0, rank) for number, rank in enumerate((5, 3, 4))
    ]
    there = Vacancies(each, "first_fit", lambda one, on: True)
    assert picks(queue(1, 1, 1), there) == [(0, "1:0"), (1, "2:0"), (2, "0:0")]


def test_a_job_without_slots_takes_a_seat_where_most_are() -> None:
    there = vacancies("", "", seats=2)
    assert [where for _, where in picks(queue(0, 0, 0, 0, 0), there)] == ["0:", "1:", "0:", "1:"]


def test_a_job_is_bound_to_the_nodes_it_names() -> None:
    there = vacancies("0", "01", names=["a1", "b1"])
    waiting = queue(Need(1, "b"), Need(1, "b"), Need(1, "b"), 1)
    assert picks(waiting, there) == [(0, "1:0"), (1, "1:1"), (3, "0:0")]


def test_the_policy_is_the_jobs_then_the_nodes_then_that_of_the_run() -> None:
    def placed(need: Need, options: Options, run: str) -> bool:
        vacancy = Vacancy(node(0, options=options), Slots(tuple(range(8))), {1, 2}, 0, 0)
        return Vacancies([vacancy], run, lambda one, on: True).place(need) is not None

    nothing, buddy = Options(), Options(allocation="buddy")
    assert placed(Need(2), nothing, "first_fit")
    assert not placed(Need(2), nothing, "buddy")
    assert not placed(Need(2), buddy, "first_fit")
    assert not placed(Need(2, allocation="buddy"), nothing, "first_fit")
    assert placed(Need(2, allocation="first_fit"), buddy, "buddy")


def test_what_is_given_back_can_be_given_again() -> None:
    there = vacancies("01", seats=1)
    first = there.place(Need(2))
    seat = there.place(Need(0))
    assert first
    assert seat
    assert there.place(Need(1)) is None
    assert there.place(Need(0)) is None
    there.give_back(first)
    there.give_back(seat)
    assert there.place(Need(2)) == first
    assert there.place(Need(0)) == seat


def test_a_node_is_avoided_as_long_as_there_is_another() -> None:
    there = vacancies("0", "01")
    avoided = node(0)
    placement = there.place(Need(1), avoid=avoided)
    assert placement
    assert placement.node.index == 1
    assert there.place(Need(1), avoid=avoided, without=[node(1)]) == (avoided, Slots((0,)))


# Passing.


def test_who_stands_before_a_job_that_is_taken_is_passed() -> None:
    passing = Passing(600)
    passing.note([0, 3], now=100)  # 1 and 2 are passed; they stand at the head then.
    assert passing.overdue(699) == 0
    assert passing.overdue(700) == 2


def test_who_is_taken_in_order_passes_nobody() -> None:
    passing = Passing(600)
    passing.note([0, 1, 2], now=0)
    assert passing.overdue(10_000) == 0


def test_a_job_that_leaves_moves_those_behind_it_up() -> None:
    passing = Passing(600)
    passing.note([5], now=0)
    passing.note([0, 1], now=1)
    assert passing.overdue(600) == 3
    passing.note([0, 1, 2], now=2)
    assert passing.overdue(600) == 0


def test_each_is_overdue_by_the_time_that_it_was_passed_itself() -> None:
    passing = Passing(600)
    passing.note([1], now=0)
    passing.note([4], now=300)
    assert [passing.overdue(now) for now in (599, 600, 899, 900)] == [0, 1, 1, 4]


def test_jobs_that_are_put_back_stand_in_front_of_those_that_were_passed() -> None:
    passing = Passing(600)
    passing.note([2], now=0)
    passing.put_back(1)
    assert passing.overdue(600) == 3


@pytest.mark.parametrize("jobs", [10, 10_000])
def test_it_remembers_little_however_many_jobs_pass(jobs: int) -> None:
    passing = Passing(600)
    for number in range(jobs):
        passing.note([number + 1], now=number / jobs)
    assert len(passing._marks) == 1
    assert passing.overdue(601) == jobs
