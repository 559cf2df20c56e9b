"""`inv retry`: jobs go back into the queue."""

from __future__ import annotations

import signal

import pytest
from project import Project


@pytest.fixture
def ran(project: Project) -> Project:
    """Four jobs have run on localhost: 1 was well, 2 failed, 3 was killed, 4 timed out."""
    project.hosts("- localhost\n")
    project.queue(
        "- 'true'\n"
        "- command: |\n    exit {{ x }}\n    : more\n  x: 3\n"
        "- kill -9 $$\n"
        "- command: sleep 60\n  options: {timeout: 0.1s}\n"
    )
    assert project.run("queue").wait() > 2
    project.queue("- other\n")
    return project


def templates(project: Project) -> list[str]:
    return [one if isinstance(one, str) else one["command"][0] for one in project.left or []]


FAILED = ["exit {{ x }}\n: more\n", "kill -9 $$", "sleep 60"]


def test_jobs_that_failed_go_to_the_head_as_they_were(ran: Project) -> None:
    run = ran.run("retry", "--failed")
    assert run.wait() == 0
    assert (run.out, run.err.splitlines()) == (
        "",
        [
            "[pegasus] put back 3 jobs at the head of queue.yaml:",
            "[pegasus]   2  exit {{ x }} …  (x=3)",
            "[pegasus]   3  kill -9 $$",
            "[pegasus]   4  sleep 60",
        ],
    )
    assert templates(ran) == [*FAILED, "other"]
    assert ran.left[0] == {"command": [FAILED[0]], "x": ["3"]}
    assert ran.left[2]["options"] == {"timeout": "0.1s"}
    assert [job["command"] for job in ran.consumed] == [["true"]]
    again = ran.run("retry", "--failed")
    assert again.wait() == 0
    assert again.err == "[pegasus] there is no such job; nothing is put back\n"
    assert templates(ran) == [*FAILED, "other"]


def test_a_job_that_was_put_back_runs_again_under_its_id(ran: Project) -> None:
    ran.queue("")
    assert ran.run("retry", "3", "--tail").wait() == 0
    run = ran.run("queue")
    assert run.wait() > 2
    assert "=== run 'kill -9 $$' === (job 3)" in run.out
    assert ran.run("retry", "--failed", "--run", "last").wait() == 0
    assert templates(ran) == ["kill -9 $$"]


def test_ids_are_named_in_any_way_and_tasks_may_follow(ran: Project) -> None:
    run = ran.run("retry", "4,1", "--tail", "3", "add", "last")
    assert run.wait() == 0, run.err
    assert templates(ran) == ["other", "true", "kill -9 $$", "sleep 60", "last"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--all"], FAILED),
        (["--failed", "--lost"], FAILED),
        (["--lost"], []),
        (["--interrupted"], []),
        (["--cancelled"], []),
    ],
)
def test_flags_choose_jobs(ran: Project, arguments: list[str], expected: list[str]) -> None:
    assert ran.run("retry", *arguments).wait() == 0
    assert templates(ran) == [*expected, "other"]


def test_a_job_that_was_cancelled_or_interrupted_is_put_back(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo up 1; sleep 60\n- echo up 2; sleep 60\n")
    run = project.start("queue")
    run.wait_for("] up 1")
    assert project.run("stop", "--job", "1").wait() == 0
    run.wait_for("] up 2")
    busy = project.run("retry", "2")
    assert busy.wait() == 1
    assert busy.err == "[pegasus] job 2 is running on localhost\n"
    run.signal(signal.SIGKILL)
    run.wait()
    assert project.run("retry", "--interrupted").wait() == 0
    assert templates(project) == ["echo up 2; sleep 60"]
    assert project.run("retry", "--cancelled").wait() == 0
    assert templates(project) == ["echo up 1; sleep 60", "echo up 2; sleep 60"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which jobs? name their ids, as in inv retry 7 9, or --failed, --lost, "),
        (["--run", "last"], "which jobs?"),
        (["1", "--failed"], "not both"),
        (["1", "--run", "last"], "not both"),
        (["7"], "there is no job 7; those that were taken have the ids 1 to 4"),
        (["1", "7"], "there is no job 7"),
        (["0"], "0 is not the id of a job"),
        (["1x"], "1x is not the id of a job, which is a number such as 7"),
        (["--ids=x"], "x is not the id of a job"),
        (["--failed", "--run", "abc"], "there is no run abc; there are: "),
    ],
)
def test_what_can_not_be_done_is_said_and_nothing_is(
    ran: Project, arguments: list[str], message: str
) -> None:
    run = ran.run("retry", *arguments)
    assert run.wait() == 1
    assert message in run.err
    assert "Traceback" not in run.err
    assert templates(ran) == ["other"]


def test_dry_shows_what_would_be_put_back(ran: Project) -> None:
    run = ran.run("--dry", "retry", "--failed", "--tail")
    assert run.wait() == 0
    assert "this would put back 3 jobs at the end of queue.yaml:" in run.err
    assert "4  sleep 60" in run.err
    assert templates(ran) == ["other"]
    refused = ran.run("--dry", "retry", "7")
    assert refused.wait() == 1


def test_two_at_once_put_a_job_back_once(ran: Project) -> None:
    runs = [ran.start("retry", "--all") for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert templates(ran) == [*FAILED, "other"]


def test_it_is_called_from_other_tasks(ran: Project) -> None:
    ran.write(
        "tasks.py",
        "from invoke import task\n"
        "from pegasus.tasks import retry\n"
        "@task\n"
        "def again(c):\n"
        "    print([job.id for job in retry(c, ids=[3, 1])], len(retry(c, all_=True)))\n",
    )
    run = ran.run("again")
    assert run.wait() == 0, run.err
    assert run.out == "[1, 3] 2\n"
    assert templates(ran) == ["exit {{ x }}\n: more\n", "sleep 60", "true", "kill -9 $$", "other"]
