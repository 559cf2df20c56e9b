"""Several runs share a queue file, or are kept from it; what a dead one left is said."""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import pytest
from project import Project, wait_until

WAITS = "echo up; until [ -e {0}/go ]; do sleep 0.02; done"


def journal(project: Project) -> list[dict[str, Any]]:
    lines = project.read(".pegasus/queue.yaml/journal.jsonl").splitlines()
    return [json.loads(line) for line in lines]


def of(project: Project, event: str) -> list[dict[str, Any]]:
    return [record for record in journal(project) if record.get("event") == event]


def taken(project: Project) -> list[int]:
    return [job["job"] for record in of(project, "jobs_taken") for job in record["jobs"]]


def test_two_runs_take_each_job_once_with_ids_that_are_unique(project: Project) -> None:
    project.hosts("- localhost\n- localhost\n")
    project.queue("".join(f"- echo {number} >> done\n" for number in range(40)))
    runs = [project.start("queue") for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0], runs[0].err + runs[1].err
    assert sorted(project.read("done").split(), key=int) == [str(number) for number in range(40)]
    assert sorted(taken(project)) == list(range(1, 41))
    assert len(of(project, "run_started")) == len(of(project, "run_ended")) == 2


def test_the_journal_tells_of_a_run_from_its_beginning_to_its_end(project: Project) -> None:
    project.hosts("- hostname: localhost\n  gpu: [a, b]\n")
    project.queue("- exit 3\n")
    assert project.start("queue", "--retries", "0").wait() == 5
    (begun,), (ended,) = of(project, "run_started"), of(project, "run_ended")
    assert journal(project)[0].items() >= {"journal": "pegasus", "version": 1}.items()
    assert begun["mode"] == "queue"
    assert begun["settings"]["queue_file"] == "queue.yaml"
    assert "helpers" not in begun["settings"]
    assert begun["nodes"][1] == {
        "node": "localhost (gpu=b)",
        "index": 1,
        "host": "localhost",
        "params": {"gpu": "b"},
        "slots": [0],
    }
    assert (ended["run"], ended["exit_status"], ended["interrupted"]) == (begun["run"], 5, None)


@pytest.mark.parametrize(
    ("first", "second"),
    [("queue", "broadcast"), ("broadcast", "broadcast"), ("broadcast", "queue")],
)
def test_a_broadcast_and_another_run_do_not_share_a_queue(
    project: Project, first: str, second: str
) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITS.format(project.directory)}\n- echo next\n")
    run = project.start(first)
    run.wait_for("] up")
    refused = project.start(second)
    assert refused.wait() == 1
    assert re.search(rf"run \w+ \({first}, pid {run.process.pid}\) on \S+ is using", refused.err)
    assert "--force" in refused.err
    assert "Traceback" not in refused.err
    assert project.left == ["echo next"]
    forced = project.start(second, "--force")
    assert forced.wait() == 0, forced.err
    assert "next" in forced.out
    project.write("go", "")
    assert run.wait() == 0


def test_a_run_that_was_killed_does_not_keep_a_broadcast_away(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITS.format(project.directory)}\n- echo next\n")
    run = project.start("queue")
    run.wait_for("] up")
    run.signal(signal.SIGKILL)
    run.wait()
    after = project.start("broadcast")
    assert after.wait() == 0, after.err
    assert "next" in after.out


def test_the_next_run_says_what_a_killed_one_has_interrupted(project: Project) -> None:
    project.hosts("- localhost\n- localhost\n")
    project.queue(f"- echo quick\n- {WAITS.format(project.directory)}\n")
    run = project.start("queue")
    run.wait_for("] up")
    run.wait_for("=== done")
    wait_until(lambda: of(project, "attempt_ended"), "the end of the quick one in the journal")
    run.signal(signal.SIGKILL)
    run.wait()
    (begun,) = of(project, "run_started")
    after = project.start("queue")
    assert after.wait() == 0
    assert f"run {begun['run']} has died, and interrupted 1 job:\n" in after.err
    assert re.search(r"\] +job \d: echo up; until", after.err)
    assert "inv retry --interrupted" in after.err
    assert [record["run"] for record in of(project, "run_died")] == [begun["run"]]
    again = project.start("queue")
    assert again.wait() == 0
    assert "has died" not in again.err


def test_a_journal_of_another_version_is_refused_and_left_alone(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo never\n")
    (project.directory / ".pegasus/queue.yaml").mkdir(parents=True)
    text = '{"journal": "pegasus", "version": 99}\n'
    project.write(".pegasus/queue.yaml/journal.jsonl", text)
    run = project.start("queue")
    assert run.wait() == 1
    assert "journal.jsonl:1: the journal has version 99, and this pegasus knows 1" in run.err
    assert "Traceback" not in run.err
    assert project.left == ["echo never"]
    assert project.read(".pegasus/queue.yaml/journal.jsonl") == text
