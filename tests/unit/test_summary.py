"""What a person reads at the end of a run: what failed and why, what it took, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import (
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
from pegasus.journal.logs import log_path
from pegasus.measures import Times
from pegasus.model import Attempt, Ending, Host, Job, Need, Node, Outcome, Place
from pegasus.result import RunResult
from pegasus.terminal.failures import LISTED, ranges
from pegasus.terminal.summary import Circumstances, summarize

NOWHERE = Path("/nowhere/.pegasus/queue.yaml")


def node(index: int) -> Node:
    return Node(index, Host(f"node-{index}", f"node-{index}"))


def attempt(job: int, where: int = 1, number: int = 1, repeats: int = 0, **more: Any) -> Attempt:
    template = more.get("template", "make")
    return Attempt(
        number, Job(template, id=job), node(where), more.get("command", template), repeats
    )


def ended(made: Attempt, status: int = 0) -> AttemptEnded:
    return AttemptEnded(made, Ending.exited(status))


def went(made: Attempt, outcome: Outcome, detail: str = "") -> AttemptEnded:
    return AttemptEnded(made, Ending(outcome, detail=detail))


def result(*events: Event) -> RunResult:
    made = RunResult()
    for event in events:
        made(event)
    return made


def about(folder: Path = NOWHERE, **more: Any) -> Circumstances:
    times = Times(
        75.0,
        7325.0,
        7325.0,
        10_000.0,
        more.pop("attempts", {}),
        more.pop("has_slots", False),
    )
    return Circumstances("5f0c91ab", more.pop("queue_file", "queue.yaml"), folder, times, **more)


def summary(made: RunResult, folder: Path = NOWHERE, **more: Any) -> list[str]:
    return [*summarize(made, about(folder, **more))]


TOOK = "wall time 1m 15s, job time 2h 2m, nodes busy 73% of their time"
LONG = attempt(4, command="sleep 9")
STARTED = AttemptStarted(LONG)
REFUSED = NeverStarted(LONG, NeverStartedError(node(1), "session", "refused"))


def unreachable(index: int, problem: str = "refused") -> NodeUnreachable:
    return NodeUnreachable(node(index), UnreachableError(node(index), "connect", problem))


# What came of the commands.


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        (result(), ["no command was run"]),
        (result(STARTED, REFUSED, JobRequeued(LONG.job, REFUSED.error)), ["no command was run"]),
        (result(ended(attempt(1))), ["the command succeeded", TOOK]),
        (result(ended(attempt(1)), ended(attempt(2))), ["all 2 commands succeeded", TOOK]),
    ],
)
def test_a_summary_is_short_where_all_is_well(made: RunResult, lines: list[str]) -> None:
    assert summary(made) == lines


def test_each_failed_command_is_named_with_job_node_and_reason() -> None:
    made = result(
        ended(attempt(1)),
        ended(attempt(2, 3), 1),
        went(attempt(3), Outcome.LOST, "reset"),
    )
    assert summary(made) == [
        "2 of 3 commands failed:",
        "  job 2: [node-3] make (exit status: 1)",
        "  job 3: [node-1] make (lost: reset)",
        "1 succeeded, 1 failed, 1 lost",
        TOOK,
        "to retry: inv retry 2 3",
    ]


def test_a_single_failure_is_not_counted() -> None:
    assert summary(result(ended(attempt(2), 1))) == [
        "the command failed:",
        "  job 2: [node-1] make (exit status: 1)",
        TOOK,
        "to retry: inv retry 2",
    ]


def test_only_the_first_line_of_a_command_is_shown_and_not_all_of_a_long_one() -> None:
    made = result(ended(attempt(1, command="one\ntwo"), 1), ended(attempt(2, command="x" * 999), 1))
    lines = summary(made)
    assert "  job 1: [node-1] one … (exit status: 1)" in lines
    assert f"  job 2: [node-1] {'x' * 299}… (exit status: 1)" in lines


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (
            result(ended(attempt(1), 1), ended(attempt(1, number=2, repeats=1))),
            "1 failed attempt was run again",
        ),
        (
            result(
                ended(attempt(1), 1),
                ended(attempt(1, number=2, repeats=1), 1),
                ended(attempt(1, number=3, repeats=2)),
            ),
            "2 failed attempts were run again",
        ),
    ],
)
def test_what_was_made_good_is_no_failure_and_is_told(made: RunResult, line: str) -> None:
    assert summary(made) == ["the command succeeded", line, TOOK]


def test_what_was_left_running_is_named_and_can_be_retried() -> None:
    assert summary(result(ended(attempt(1)), STARTED)) == [
        "the command succeeded",
        "left 1 command running, for the nodes to end:",
        "  job 4: [node-1] sleep 9",
        TOOK,
        "to retry: inv retry 4",
    ]


def test_a_job_that_is_neither_run_nor_queued_is_named() -> None:
    line = "neither run nor back in the queue (consumed.yaml has it): make"
    assert line in summary(result(STARTED, REFUSED))


@pytest.mark.parametrize(
    ("left", "line"), [(1, "1 job is left in q.yaml"), (3, "3 jobs are left in q.yaml")]
)
def test_what_is_left_in_the_queue_is_told(left: int, line: str) -> None:
    assert summary(result(), left=left, queue_file="q.yaml") == ["no command was run", line]


# Their last words.


def write(folder: Path, job: int, stream: str, data: bytes) -> Path:
    path = log_path(folder, job, 1, stream)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_last_lines_of_stderr_are_shown_with_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".pegasus" / "queue.yaml"
    write(folder, 1, "err", b"".join(b"line %d\n" % number for number in range(9)))
    write(folder, 1, "out", b"no word of this\n")
    assert summary(result(ended(attempt(1), 1)), folder)[1:-2] == [
        "  job 1: [node-1] make (exit status: 1)",
        *[f"    | line {number}" for number in range(4, 9)],
        "    log: .pegasus/queue.yaml/logs/1.1.err",
    ]


def test_of_a_command_without_stderr_it_is_stdout(tmp_path: Path) -> None:
    write(tmp_path, 1, "err", b"")
    path = write(tmp_path, 1, "out", b"3 tests failed\n")
    lines = summary(result(ended(attempt(1), 1)), tmp_path)
    assert lines[2] == "    | 3 tests failed"
    assert lines[3].endswith(path.name)


def test_of_a_command_that_said_nothing_there_is_the_log_alone(tmp_path: Path) -> None:
    write(tmp_path, 1, "err", b"")
    assert [line[:8] for line in summary(result(ended(attempt(1), 1)), tmp_path)[1:3]] == [
        "  job 1:",
        "    log:",
    ]


def test_last_words_move_no_cursor_and_are_cut_where_they_are_long(tmp_path: Path) -> None:
    write(
        tmp_path,
        1,
        "err",
        b"10%\r20%\r\x1b[31mbad\x1b[0m \x1b[2J\xff\x1b]0;title\x07end\n" + b"y" * 999 + b"\n\n\n",
    )
    lines = summary(result(ended(attempt(1), 1)), tmp_path)[2:6]
    assert lines == ["    | 10%", "    | 20%", "    | bad \ufffdend", f"    | {'y' * 299}…"]


# Of many, few.


def test_a_thousand_failures_that_are_alike_are_listed_once(tmp_path: Path) -> None:
    write(tmp_path, 1, "err", b"no such file\n")
    made = result(
        *[ended(attempt(job, job % 8), 1) for job in range(1, 1001)],
        ended(attempt(1001, template="other"), 2),
    )
    lines = summary(made, tmp_path)
    assert lines[0] == "1001 of 1001 commands failed:"
    assert lines[1:3] == ["  job 1: [node-1] make (exit status: 1)", "    | no such file"]
    assert lines[4:6] == [
        "    and 999 commands like it: jobs 2-1000",
        "  job 1001: [node-1] other (exit status: 2)",
    ]
    assert lines[-1] == "to retry: inv retry --failed --run 5f0c91ab"
    assert len(lines) == 8


def test_a_round_that_failed_on_many_nodes_is_listed_once_with_the_nodes_folded() -> None:
    made = result(*[ended(attempt(7, index, number=index), 1) for index in range(1, 65)])
    assert summary(made)[:3] == [
        "64 of 64 commands failed:",
        "  job 7: [node-1] make (exit status: 1)",
        "    and on 63 other nodes: node-[2-64]",
    ]
    assert summary(made)[-1] == "to retry: inv retry 7"


def test_of_very_many_kinds_of_failures_the_commonest_are_listed(tmp_path: Path) -> None:
    noise = b"".join(b"line %d\n" % number for number in range(100))
    for job in range(1, 1001):
        write(tmp_path, job, "err", noise)
    kinds = [attempt(job, template=f"make {job}") for job in range(1, 1000)]
    made = result(*[ended(one, 1) for one in kinds], ended(attempt(1000, template="make 7"), 1))
    lines = summary(made, tmp_path)
    assert lines[1] == "  job 7: [node-1] make 7 (exit status: 1)"
    assert "  … and 989 more (inv logs --failed shows them)" in lines
    assert len(lines) < 100


def test_few_failures_are_listed_one_by_one_though_they_are_alike() -> None:
    made = result(*[ended(attempt(job), 1) for job in range(1, LISTED + 1)])
    assert sum("(exit status: 1)" in line for line in summary(made)) == LISTED


def test_many_nodes_with_the_same_trouble_are_told_of_in_one_line() -> None:
    made = result(
        *[unreachable(index) for index in range(1, 21)],
        unreachable(30, "no route"),
        NodeLost(node(40), "reset"),
    )
    assert summary(made)[1:] == [
        "not reached: 20 nodes, node-[1-20]: connect: refused",
        "not reached: 1 node, node-30: connect: no route",
        "lost: [node-40] reset",
    ]


def test_few_nodes_with_trouble_are_named_one_by_one() -> None:
    made = result(ended(attempt(1)), unreachable(1), unreachable(2))
    assert summary(made)[1:3] == [
        "not reached: [node-1] connect: refused",
        "not reached: [node-2] connect: refused",
    ]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([3], "3"),
        ([9, 7, 3, 8], "3, 7-9"),
        ([1, 2, 2, 1], "1-2"),
        (range(0, 60, 2), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, …"),
    ],
)
def test_ids_are_told_as_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


# What it took.


def test_the_slowest_commands_are_named() -> None:
    made = result(*[ended(attempt(job, job)) for job in range(1, 6)])
    attempts = {(1, 1): 0.5, (2, 1): 4.26, (3, 1): 7300.0, (4, 1): 12.0, (5, 1): 1.0}
    assert summary(made, attempts=attempts) == [
        "all 5 commands succeeded",
        "slowest:",
        "  2h 1m  job 3: [node-3] make",
        "    12s  job 4: [node-4] make",
        "   4.3s  job 2: [node-2] make",
        TOOK,
    ]


@pytest.mark.parametrize("number", [3, 5])
def test_no_command_is_slow_where_all_are_quick_or_few(number: int) -> None:
    made = result(*[ended(attempt(job)) for job in range(number)])
    seconds = 0.4 if number > 3 else 100.0
    attempts = {(job, 1): seconds for job in range(number)}
    assert "slowest:" not in summary(made, attempts=attempts)


# What to do.


def test_the_command_that_retries_names_the_queue_file_that_is_not_the_usual_one() -> None:
    lines = summary(result(ended(attempt(1), 1)), queue_file="my queue.yaml")
    assert lines[-1] == "to retry: inv retry 1 --queue-file 'my queue.yaml'"


def test_the_command_that_retries_many_names_the_kinds_as_inv_retry_has_them() -> None:
    outcomes = [Outcome.TIMED_OUT] * 9 + [Outcome.LOST] * 9 + [Outcome.CANCELLED]
    made = result(*[went(attempt(job), one) for job, one in enumerate(outcomes, 1)], STARTED)
    line = "to retry: inv retry --failed --lost --interrupted --cancelled --run 5f0c91ab"
    made.running.clear()
    assert summary(made)[-1] == line.replace(" --interrupted", "")
    made = result(*[went(attempt(job), one) for job, one in enumerate(outcomes, 10)], STARTED)
    assert summary(made)[-1] == line


def test_a_job_of_a_broadcast_is_retried_as_its_worst_node_had_it() -> None:
    made = result(
        *[ended(attempt(job, 1), 1) for job in range(1, 11)],
        *[went(attempt(job, 2, number=2), Outcome.LOST) for job in range(1, 21)],
        *[ended(attempt(job, 1), 1) for job in range(11, 21)],
        *[ended(attempt(job, 3, number=3)) for job in range(1, 21)],
    )
    assert summary(made)[-1] == "to retry: inv retry --lost --run 5f0c91ab"


def test_a_job_without_an_id_can_not_be_retried() -> None:
    assert summary(result(ended(attempt(0), 1)))[-1] == TOOK


def test_under_the_program_pegasus_the_command_is_pegasus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/pegasus", "queue"])
    assert summary(result(ended(attempt(1), 1)))[-1] == "to retry: pegasus retry 1"


# Jobs that fit no node.


def unfit(line: int, jobs: int = 1, slots: int = 16) -> Unfit:
    return Unfit(Need(slots), jobs, Place("queue.yaml", line, 3), f"this needs {slots} slots")


def test_jobs_that_fit_no_node_are_said_to_stay() -> None:
    made = result(ended(attempt(1)), JobsUnfit((unfit(7),)))
    assert summary(made, left=3) == [
        "the command succeeded",
        "1 job fits no node, and stays in queue.yaml:",
        "  this needs 16 slots",
        TOOK,
        "3 jobs are left in queue.yaml",
    ]


def test_those_that_differ_are_said_one_by_one_with_their_number() -> None:
    made = result(JobsUnfit((unfit(7, 30), unfit(9, slots=32))))
    assert summary(made)[1:] == [
        "31 jobs fit no node, and stay in queue.yaml:",
        "  this needs 16 slots (30 jobs)",
        "  this needs 32 slots (1 job)",
    ]
    many = result(JobsUnfit(tuple(unfit(line) for line in range(LISTED + 2))))
    assert summary(many)[-1] == "  … and 2 more (inv check shows them)"


def test_where_all_fit_again_nothing_is_said() -> None:
    assert summary(result(JobsUnfit((unfit(7),)), JobsUnfit(()))) == ["no command was run"]


def test_with_more_slots_than_nodes_it_is_slots_that_were_busy() -> None:
    assert summary(result(ended(attempt(1))), has_slots=True)[-1] == TOOK.replace("nodes", "slots")
