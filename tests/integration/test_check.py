"""`inv check` and `inv --dry`: all that is wrong, or what would be run; nothing is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project, wait_until

from pegasus.locking import FileLock

HOSTS = "- hostname: localhost\n  gpu: [0, 1]\n- 127.0.0.1\n"
QUEUE = (
    "- touch ran\n"
    "- command: ['echo a {{ x }} {{ hostname }}', \"echo {{ replace x '1' '/' }}\"]\n  x: [1, 2]\n"
)
WRONG = "- touch ran {{ gone }}\n- command: [[]]\n- fine\n- also {{ missing }}\n"
SHOWN = """\
3 nodes, 2 entries, 5 jobs
[localhost (gpu=0)] touch ran
[localhost (gpu=1)] echo a 1 localhost
[127.0.0.1] echo a 2 127.0.0.1
[localhost (gpu=0)] echo /
[localhost (gpu=1)] echo 2
"""


@pytest.fixture
def filled(project: Project) -> Project:
    project.hosts(HOSTS)
    project.queue(QUEUE)
    return project


def files(project: Project) -> list[str]:
    """What is in the directory, but for what Python leaves there."""
    return sorted(path.name for path in project.directory.iterdir() if path.name != "__pycache__")


def untouched(project: Project, queue: str) -> bool:
    """Whether nothing was taken, locked, written or run."""
    are_the_same = files(project) == ["hosts.yaml", "queue.yaml", "tasks.py"]
    return are_the_same and project.read("queue.yaml") == queue


@pytest.mark.parametrize("arguments", [["check"], ["c"], ["--dry", "queue"], ["-R", "q"]])
def test_what_would_be_run_is_shown_and_nothing_is_done(
    filled: Project, arguments: list[str]
) -> None:
    run = filled.run(*arguments)
    assert (run.wait(), run.out, run.err) == (0, SHOWN, "")
    assert untouched(filled, QUEUE)


def test_a_dry_broadcast_shows_each_command_on_each_node(filled: Project) -> None:
    run = filled.run("--dry", "broadcast", "--retries", "2")
    assert (run.wait(), run.err) == (0, "")
    lines = run.out.splitlines()
    labels = ["localhost (gpu=0)", "localhost (gpu=1)", "127.0.0.1"]
    assert lines[1:6:2] == [f"[{label}] touch ran" for label in labels]
    assert lines[2] == "[localhost (gpu=0)] # retries 2"
    assert lines[-1].startswith("… and 5 more")
    assert untouched(filled, QUEUE)


@pytest.mark.parametrize(
    "arguments", [["check"], ["--dry", "queue"], ["--dry", "broadcast"], ["queue"], ["broadcast"]]
)
def test_everything_that_is_wrong_is_said_before_anything_is_taken(
    filled: Project, arguments: list[str]
) -> None:
    filled.queue(WRONG)
    run = filled.run(*arguments)
    assert run.wait() == 1
    places = ["queue.yaml:1:13: ", "queue.yaml:2:13: ", "queue.yaml:4:8: "]
    assert [run.err.count(place) for place in places] == [1, 1, 1]
    assert sorted(places, key=run.err.index) == places
    assert "Traceback" not in run.err
    assert filled.read("queue.yaml") == WRONG
    assert not filled.exists("consumed.yaml")
    assert not filled.exists("ran")


@pytest.mark.parametrize("arguments", [["check"], ["queue"], ["broadcast"]])
def test_both_files_are_looked_at(filled: Project, arguments: list[str]) -> None:
    filled.hosts("- a b\n- [c]\n")
    filled.queue("- [d]\n")
    run = filled.run(*arguments)
    assert run.wait() == 1
    for place in ("hosts.yaml:1:3: ", "hosts.yaml:2:3: ", "queue.yaml:1:3: "):
        assert place in run.err


def test_json_is_all_that_is_written(filled: Project) -> None:
    run = filled.run("check", "--json", "--all")
    assert (run.wait(), run.err) == (0, "")
    assert [one["command"] for one in json.loads(run.out)["commands"]] == [
        line.split("] ")[1] for line in SHOWN.splitlines()[1:]
    ]
    filled.queue(WRONG)
    run = filled.run("check", "--json")
    assert (run.wait(), run.err) == (1, "")
    assert [one["line"] for one in json.loads(run.out)["problems"]] == [1, 2, 4]


def test_an_empty_queue_is_right_and_a_missing_one_is_not(filled: Project) -> None:
    filled.queue("")
    run = filled.run("check")
    assert (run.wait(), run.out) == (0, "3 nodes, 0 entries, 0 jobs\n")
    run = filled.run("check", "--queue-file", "none.yaml")
    assert run.wait() == 1
    assert run.err.startswith("[pegasus] none.yaml: there is no such file")


def test_it_works_while_somebody_else_has_the_lock(filled: Project) -> None:
    with FileLock.of(filled.directory / "queue.yaml").hold("a test"):
        run = filled.run("check")
        assert (run.wait(), run.out) == (0, SHOWN)


def test_it_works_while_a_run_is_on(filled: Project) -> None:
    filled.queue(
        "- touch began; while ! test -e go; do sleep 0.02; done\n- echo next\n- echo last\n"
    )
    filled.hosts("- localhost\n")
    queue = filled.start("queue")
    wait_until(lambda: filled.exists("began"), "the first command")
    run = filled.run("check")
    filled.write("go", "")
    assert (run.wait(), run.err) == (0, "")
    assert run.out == "1 node, 2 entries, 2 jobs\n[localhost] echo next\n[localhost] echo last\n"
    assert queue.wait() == 0


@pytest.mark.parametrize("task", [["lock", "--editor", "touch ran;"], ["stop", "--now"]])
def test_other_dry_tasks_do_nothing(filled: Project, task: list[str]) -> None:
    run = filled.run("--dry", *task)
    assert run.wait() == 0
    assert run.err.startswith("[pegasus] this would ")
    assert untouched(filled, QUEUE)


def test_the_same_file_twice_is_refused(filled: Project) -> None:
    run = filled.run("check", "--queue-file", "hosts.yaml")
    assert run.wait() == 1
    assert "are the same file" in run.err


def large(project: Project) -> None:
    numbers = ", ".join(map(str, range(20_000)))
    project.queue(f"- command: echo {{{{ n }}}}\n  n: [{numbers}]\n")


def test_a_reader_that_has_seen_enough_is_no_error(filled: Project) -> None:
    large(filled)
    run = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m invoke check --all | head -n 2', sys.executable],
        cwd=filled.directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.splitlines()[1] == "[localhost (gpu=0)] echo 0"
    assert run.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_an_error(filled: Project) -> None:
    run = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m invoke check > /dev/full', sys.executable],
        cwd=filled.directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith("[pegasus] stdout can't be written to: ")
    assert "Traceback" not in run.stderr


def test_a_caller_gets_what_was_found(filled: Project) -> None:
    filled.write(
        "tasks.py",
        "from invoke import task\n"
        "from pegasus.tasks import CheckFailed, check, queue\n\n"
        "@task\n"
        "def look(c):\n"
        "    print(check(c, warn=True).jobs)\n"
        "    try:\n"
        "        check(c)\n"
        "    except CheckFailed as failed:\n"
        "        print(len(failed.checked.problems), failed.code)\n",
    )
    filled.queue(WRONG)
    run = filled.run("look")
    assert run.wait() == 0, run.err
    assert [line for line in run.out.splitlines() if "problem" not in line] == ["3", "3 1"]


def test_a_closed_stdout_is_no_error(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo hi\n")
    run = project.start("check", preexec_fn=lambda: os.close(1))
    assert run.wait() == 0
    assert run.err == ""
