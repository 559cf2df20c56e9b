"""The result of a run and the exit status that scripts rely on."""

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
    NeverStarted,
    NodeLost,
    NodeUnreachable,
)
from pegasus.model import Attempt, Ending, Host, Job, Node, Outcome
from pegasus.result import RunResult
from pegasus.terminal.summary import summarize

NODE = Node(0, Host("node-1", "node-1"))


def attempt(job: int, number: int, repeats: int = 0) -> Attempt:
    return Attempt(number, Job("x", id=job), NODE, "x", repeats)


def ended(made: Attempt, status: int = 0, outcome: Outcome | None = None) -> AttemptEnded:
    return AttemptEnded(made, Ending(outcome) if outcome else Ending.exited(status))


WELL = AttemptEnded(Attempt(1, Job("true"), NODE, "true"), Ending.exited(0))
BAD = AttemptEnded(Attempt(2, Job("false"), NODE, "false"), Ending.exited(1))
GONE = AttemptEnded(Attempt(3, Job("x"), NODE, "x"), Ending(Outcome.LOST, detail="reset"))
LONG = Attempt(4, Job("sleep 9"), NODE, "sleep 9")
STARTED = AttemptStarted(LONG)
REFUSED = NeverStarted(LONG, NeverStartedError(NODE, "session", "refused"))
UNREACHABLE = NodeUnreachable(NODE, UnreachableError(NODE, "connect", "refused"))
SKIPPED = NodeUnreachable(NODE, UnreachableError(NODE, "connect", "refused"), skipped=True)


def result(*events: Event, interrupted: int | None = None) -> RunResult:
    made = RunResult(interrupted=interrupted)
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
        (result(WELL, NodeLost(NODE, "reset")), 4),
        (result(WELL, interrupted=2), 130),
        (result(BAD, GONE, interrupted=15), 143),
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


def test_the_summary_names_each_failed_command_with_node_and_reason() -> None:
    assert [*summarize(result(WELL, BAD, GONE))] == [
        "2 of 3 commands failed:",
        "  [node-1] false (exit status: 1)",
        "  [node-1] x (lost: reset)",
    ]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (result(), "no command was run"),
        (result(STARTED, REFUSED, JobRequeued(LONG.job, REFUSED.error)), "no command was run"),
        (result(WELL), "the command succeeded"),
        (result(WELL, WELL), "all 2 commands succeeded"),
    ],
)
def test_the_summary_says_that_all_is_well(made: RunResult, line: str) -> None:
    assert [*summarize(made)] == [line]


def test_the_summary_names_what_was_left_running() -> None:
    assert [*summarize(result(WELL, STARTED))] == [
        "the command succeeded",
        "left 1 command running, for the nodes to end:",
        "  [node-1] sleep 9",
    ]


def test_the_summary_names_a_job_that_is_neither_run_nor_queued() -> None:
    line = "neither run nor back in the queue (consumed.yaml has it): sleep 9"
    assert line in [*summarize(result(STARTED, REFUSED))]


def test_the_summary_of_a_single_failure_does_not_count() -> None:
    assert next(summarize(result(BAD))) == "the command failed:"


def test_the_summary_names_the_nodes_that_were_not_there() -> None:
    assert "not reached: [node-1] connect: refused" in [*summarize(result(WELL, UNREACHABLE))]


def test_the_summary_names_the_id_of_a_job() -> None:
    assert [*summarize(result(ended(attempt(7, 1), 1)))] == [
        "the command failed:",
        "  job 7: [node-1] x (exit status: 1)",
    ]


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        (
            result(ended(attempt(1, 1), 1), ended(attempt(1, 2, 1))),
            ["the command succeeded", "1 failed attempt was run again"],
        ),
        (
            result(
                ended(attempt(1, 1), 1),
                ended(attempt(2, 1)),
                ended(attempt(1, 2, 1), 1),
                ended(attempt(1, 3, 2)),
            ),
            ["all 2 commands succeeded", "2 failed attempts were run again"],
        ),
    ],
)
def test_the_summary_says_how_many_were_run_again(made: RunResult, lines: list[str]) -> None:
    assert [*summarize(made)] == lines
