"""The result of a run and the exit status that scripts rely on, by each of the rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import (
    Aborted,
    AttemptEnded,
    AttemptStarted,
    Event,
    JobRequeued,
    JobsUnfit,
    NeverStarted,
    NodeLost,
    NodeUnreachable,
    Unfit,
)
from pegasus.model import Attempt, Ending, Host, Job, Need, Node, Outcome, Place
from pegasus.result import RunResult

NODE = Node(0, Host("node-1", "node-1"))


def attempt(job: int, number: int, repeats: int = 0) -> Attempt:
    return Attempt(number, Job("x", id=job), NODE, "x", repeats)


def ended(made: Attempt, status: int = 0, outcome: Outcome | None = None) -> AttemptEnded:
    return AttemptEnded(made, Ending(outcome) if outcome else Ending.exited(status))


WELL = AttemptEnded(Attempt(1, Job("true"), NODE, "true"), Ending.exited(0))
BAD = AttemptEnded(Attempt(2, Job("false"), NODE, "false"), Ending.exited(1))
GONE = AttemptEnded(Attempt(3, Job("x"), NODE, "x"), Ending(Outcome.LOST, detail="reset"))
LATE = AttemptEnded(Attempt(5, Job("x"), NODE, "x"), Ending(Outcome.TIMED_OUT))
SHOT = AttemptEnded(Attempt(6, Job("x"), NODE, "x"), Ending(Outcome.SIGNALLED, 139, "SEGV"))
STOPPED = AttemptEnded(Attempt(7, Job("x"), NODE, "x"), Ending(Outcome.CANCELLED))
GIVEN_UP = NodeLost(NODE, "reset")
UNREACHABLE = NodeUnreachable(NODE, UnreachableError(NODE, "connect", "refused"))
STUCK = JobsUnfit((Unfit(Need(16), 3, Place("queue.yaml", 1, 1), "this needs 16 slots"),))
SKIPPED = NodeUnreachable(NODE, UnreachableError(NODE, "connect", "refused"), skipped=True)


def result(*events: Event, interrupted: int | None = None, exit_code: str = "kind") -> RunResult:
    made = RunResult(interrupted=interrupted, exit_code=exit_code)
    for event in events:
        made(event)
    return made


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (result(), 0),
        (result(WELL), 0),
        (result(WELL, SKIPPED), 0),
        (result(WELL, BAD), 5),
        (result(WELL, BAD, GONE), 4),
        (result(UNREACHABLE), 4),
        (result(WELL, GIVEN_UP), 4),
        (result(WELL, STOPPED), 5),
        (result(WELL, SHOT), 3),
        (result(BAD, LATE, GONE, UNREACHABLE, GIVEN_UP), 3),
        (result(WELL, interrupted=1), 129),
        (result(WELL, interrupted=2), 130),
        (result(BAD, GONE, LATE, SHOT, interrupted=15), 143),
    ],
)
def test_the_first_status_that_applies_is_given(made: RunResult, status: int) -> None:
    assert made.exit_status == status
    assert made.ok is (status == 0)


@pytest.mark.parametrize(
    ("made", "status", "failed"),
    [
        (result(ended(attempt(1, 1), 1), ended(attempt(1, 2, 1))), 0, []),
        (result(ended(attempt(1, 1), 1), ended(attempt(1, 2, 1), 1)), 5, [(1, 2)]),
        (result(ended(attempt(1, 1), 1), ended(attempt(2, 2))), 5, [(1, 1)]),
        # Another job's attempt of the same number is made good by nobody.
        (
            result(ended(attempt(1, 1), 1), ended(attempt(2, 1), 1), ended(attempt(1, 2, 1))),
            5,
            [(2, 1)],
        ),
        (result(ended(attempt(1, 1), 0, Outcome.LOST), ended(attempt(1, 2, 1))), 0, []),
        (result(ended(attempt(1, 1), 0, Outcome.LOST), ended(attempt(1, 2, 1), 3)), 5, [(1, 2)]),
        (result(ended(attempt(1, 1), 3), ended(attempt(1, 2, 1), 0, Outcome.LOST)), 4, [(1, 2)]),
        # The second try has begun, and has not ended.
        (result(ended(attempt(1, 1), 3), AttemptStarted(attempt(1, 2, 1))), 5, [(1, 1)]),
    ],
)
def test_only_the_last_attempt_of_a_job_counts(
    made: RunResult, status: int, failed: list[tuple[int, int]]
) -> None:
    assert made.exit_status == status
    assert [one.key for one, _ in made.failed] == failed


def test_all_endings_are_kept() -> None:
    made = result(ended(attempt(1, 1), 1), ended(attempt(1, 2, 1)))
    assert [one.number for one, _ in made.endings] == [1, 2]
    assert [one.number for one, _ in made.final] == [2]


def test_a_job_that_did_not_start_again_is_not_owed_to_the_queue() -> None:
    again = attempt(1, 2, 1)
    error = NeverStartedError(NODE, "session", "refused")
    made = result(ended(attempt(1, 1), 1), AttemptStarted(again), NeverStarted(again, error))
    assert (made.owed, made.running) == ([], {})


def test_a_job_that_is_back_in_the_queue_is_owed_no_more_though_it_has_had_an_attempt() -> None:
    error = NeverStartedError(NODE, "session", "refused")
    first, second = attempt(1, 1), attempt(2, 1)
    back = JobRequeued(replace(first.job, attempts=1), error)
    made = result(NeverStarted(first, error), NeverStarted(second, error), back)
    assert [job.id for job in made.owed] == [2]


def test_an_aborted_broadcast_says_so() -> None:
    assert result(BAD, Aborted()).aborted


def exits(job: int, status: int) -> AttemptEnded:
    return ended(attempt(job, 1), status)


def signalled(name: str) -> AttemptEnded:
    return AttemptEnded(attempt(1, 1), Ending(Outcome.SIGNALLED, exit_signal=name))


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], 0),
        ([exits(1, 0), SKIPPED], 0),
        ([exits(1, 3), exits(2, 7), exits(3, 0), exits(4, 2)], 7),
        ([exits(1, 3), SHOT], 139),
        ([signalled("TERM")], 143),
        ([signalled("of-its-own")], 128),
        ([exits(1, 3), LATE], 124),
        ([exits(1, 3), STOPPED], 143),
        ([exits(1, 254), GONE], 255),
        ([exits(1, 0), UNREACHABLE], 255),
        ([exits(1, 3), GIVEN_UP], 255),
        ([ended(attempt(1, 1), 200), ended(attempt(1, 2, 1), 3)], 3),
    ],
)
def test_the_rule_max_gives_the_largest_status_of_a_command(
    events: list[Event], status: int
) -> None:
    assert result(*events, exit_code="max").exit_status == status


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], 0),
        ([exits(1, 0), SKIPPED], 0),
        ([exits(1, 3), exits(2, 7), exits(3, 0), SHOT, LATE, GONE, STOPPED], 6),
        ([exits(number, 1) for number in range(100)], 100),
        ([exits(number, 1) for number in range(101)], 101),
        ([exits(number, 1) for number in range(1000)], 101),
        ([exits(1, 3), UNREACHABLE, GIVEN_UP], 1),
        ([exits(1, 0), UNREACHABLE, GIVEN_UP], 1),
        ([ended(attempt(1, 1), 200), ended(attempt(1, 2, 1), 3)], 1),
        ([ended(attempt(1, 1), 200), ended(attempt(1, 2, 1), 0)], 0),
    ],
)
def test_the_rule_count_gives_the_number_of_failures(events: list[Event], status: int) -> None:
    assert result(*events, exit_code="count").exit_status == status


@pytest.mark.parametrize("rule", ["kind", "max", "count"])
def test_an_interruption_comes_before_each_rule(rule: str) -> None:
    made = result(BAD, SHOT, UNREACHABLE, interrupted=2, exit_code=rule)
    assert made.exit_status == 130
    assert not made.ok


# Jobs that fit no node.


@pytest.mark.parametrize(
    ("told", "by_kind", "by_max", "by_count"),
    [
        ([WELL, STUCK], 1, 1, 3),
        ([WELL, STUCK, JobsUnfit(())], 0, 0, 0),
        ([BAD, STUCK], 5, 1, 1),
        ([GONE, STUCK], 4, 255, 1),
        ([WELL, UNREACHABLE, STUCK], 4, 255, 1),
        ([LATE, STUCK], 3, 124, 1),
    ],
)
def test_jobs_that_stay_since_they_fit_no_node_are_the_least_of_troubles(
    told: list[Event], by_kind: int, by_max: int, by_count: int
) -> None:
    rules = {"kind": by_kind, "max": by_max, "count": by_count}
    for rule, status in rules.items():
        made = result(*told, exit_code=rule)
        assert (made.exit_status, made.ok) == (status, status == 0)
    assert result(*told, interrupted=2).exit_status == 130


def test_the_last_word_on_what_fits_no_node_counts() -> None:
    assert result(STUCK).unfit == STUCK.unfit
    assert result(STUCK, JobsUnfit(())).unfit == ()
