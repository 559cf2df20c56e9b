"""`--output json` as a script uses it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from project import Project, wait_until

from pegasus.locking import FileLock

#: What the journal says of files, or measures in another moment.
OTHERWISE = {"at", "started", "commit", "consumed", "unlogged"}


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def journal(project: Project) -> list[dict[str, Any]]:
    return objects(project.read(".pegasus/queue.yaml/journal.jsonl"))[1:]


def in_parts(records: list[dict[str, Any]]) -> list[str]:
    """Return records so that they can be compared: jobs one by one, without what may differ."""
    parts = []
    for one in records:
        fields = {name: value for name, value in one.items() if name not in OTHERWISE}
        jobs = fields.pop("jobs", None)
        for job in [None] if jobs is None else jobs:
            parts.append(json.dumps({**fields, "jobs": job}, sort_keys=True))
    return sorted(parts)


def without_additions(one: dict[str, Any], like: set[str]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name in like}


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_each_record_of_the_journal_has_its_equal(project: Project, mode: str) -> None:
    project.hosts("- hostname: localhost\n  gpu: [0, 1]\n- localhost:1\n")
    project.queue(
        "- echo one; echo two >&2\n"
        "- command: ['sh -c \"exit {{ code }}\"']\n  code: [3, 0]\n  retries: 1\n"
        "- kill -9 $$\n"
        "- printf 'no newline'\n"
    )
    flags = ["--skip-unreachable"] if mode == "broadcast" else []
    run = project.run(mode, "--output", "json", *flags)
    assert run.wait() in (3, 4), run.err
    told = objects(run.out)
    recorded = journal(project)
    assert told[0]["event"] == "run_started"
    assert told[-1]["event"] == "run_ended"
    fields = {one["event"]: {*one} - OTHERWISE for one in recorded}
    same = [without_additions(one, fields[one["event"]]) for one in told if one["event"] in fields]
    assert in_parts(same) == in_parts(recorded)
    assert {"run_started", "attempt_ended", "jobs_taken", "node_unreachable"} <= {*fields}


def test_nothing_but_objects_is_on_stdout_and_the_texts_are_the_output(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- printf 'a\\nb\\r\\nc'; printf 'oops' >&2\n")
    run = project.run("queue", "--output", "json")
    assert run.wait() == 0, run.err
    assert run.err == ""
    output = [one for one in objects(run.out) if one["event"] == "output"]
    texts = {
        stream: "".join(one["text"] for one in output if one["stream"] == stream)
        for stream in ("stdout", "stderr")
    }
    assert texts == {"stdout": "a\nb\r\nc", "stderr": "oops"}


def test_it_may_be_configured(project: Project) -> None:
    project.write("invoke.yaml", "pegasus:\n  output: json\n")
    project.hosts("- localhost\n")
    project.queue("- echo hi\n")
    assert objects(project.run("queue").out)[-1]["event"] == "run_ended"
    project.queue("- echo hi\n")
    assert "[localhost] hi" in project.run("queue", "--output", "text").out


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_dry_run_is_the_document_of_a_check(project: Project, mode: str) -> None:
    project.hosts("- localhost\n- 127.0.0.1\n")
    project.queue("".join(f"- echo {number}\n" for number in range(12)))
    run = project.run("--dry", mode, "--output", "json")
    assert run.wait() == 0
    document = json.loads(run.out)
    assert len(document["commands"]) == (12 if mode == "queue" else 24)
    project.queue("- echo {{ nobody }}\n")
    run = project.run("--dry", mode, "--output", "json")
    assert run.wait() == 1
    assert len(json.loads(run.out)["problems"]) == 1


def test_a_mistake_before_the_run_is_text_on_stderr_and_stdout_is_empty(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo {{ nobody }}\n")
    run = project.run("queue", "--output", "json")
    assert run.wait() == 1
    assert run.out == ""
    assert "queue.yaml:1:" in run.err


def test_an_interrupted_run_ends_with_its_last_line(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo begun; sleep 600\n")
    run = project.start("queue", "--output", "json")
    run.wait_for("begun\\n")
    run.signal(signal.SIGTERM)
    assert run.wait() == 143
    told = objects(run.out)
    assert (told[-1]["event"], told[-1]["interrupted"]) == ("run_ended", int(signal.SIGTERM))
    names = [one["event"] for one in told]
    assert "cancelling" in names
    assert told[-2]["outcomes"]["cancelled"] == 1


def test_a_run_that_is_stopped_before_it_begins_writes_nothing(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo one\n")
    with FileLock.of(project.directory / "queue.yaml").hold("inv lock"):
        run = project.start("queue", "--output", "json")
        run.wait_for("waiting for the queue: it is locked by")
        stop = project.run("stop")
        assert stop.wait() == 0, stop.err
        assert run.wait() == 0, run.err
    assert run.out == ""


def test_lines_are_not_fitted_to_a_terminal(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- echo {'long' * 200}\n")
    run = project.start_in_terminal("queue", "--output", "json")
    assert run.wait() == 0
    told = objects(run.out)
    assert [one["text"] for one in told if one["event"] == "output"] == ["long" * 200 + "\n"]


def test_a_run_goes_on_without_its_reader(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- echo one\n- touch {project.directory}/done\n")
    process = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m invoke queue --output json | head -n 1"],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert objects(process.stdout)[0]["event"] == "run_started"
    wait_until(lambda: project.exists("done"), "the second job")
    assert "Traceback" not in process.stderr
