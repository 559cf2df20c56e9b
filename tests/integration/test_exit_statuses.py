"""The exit status of whole runs, by which scripts know how they went."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from project import CTRL_C, Project, wait_until
from sshd import Sshd

WELL = "- echo well\n"
BAD = "- exit 7\n"
WORSE = "- exit 9\n"
LATE = "- command: sleep 60\n  options: {timeout: 0.1s}\n"
SHOT = "- kill -9 $$\n"
# Goes on until the test has seen what it waits for.
KNOWN = "- until [ -e known ]; do sleep 0.02; done\n"
MENDED = "- command: '[ -e mended ] || { touch mended; exit 7; }'\n  options: {retries: 1}\n"


def status(project: Project, mode: str, queue: str, *flags: str) -> int:
    project.hosts("- localhost\n")
    project.queue(queue)
    return project.run(mode, *flags).wait()


@pytest.mark.parametrize(
    ("queue", "kind", "largest", "count"),
    [
        (WELL, 0, 0, 0),
        (MENDED + WELL, 0, 0, 0),
        (WELL + BAD + WORSE, 5, 9, 2),
        (BAD + LATE, 3, 124, 2),
        (BAD + SHOT, 3, 137, 2),
    ],
)
def test_the_status_tells_what_happened(
    project: Project, queue: str, kind: int, largest: int, count: int
) -> None:
    assert status(project, "queue", queue) == kind
    for rule, expected in (("max", largest), ("count", count)):
        (project.directory / "mended").unlink(missing_ok=True)
        assert status(project, "queue", queue, "--exit-code", rule) == expected


@pytest.mark.parametrize(
    ("rule", "well", "bad"), [("kind", 4, 4), ("max", 255, 255), ("count", 1, 2)]
)
def test_a_node_that_is_not_there_is_not_well(
    project: Project, sshd: Sshd, rule: str, well: int, bad: int
) -> None:
    flags = ("--ssh-config", sshd.ssh_config, "--exit-code", rule)
    for queue, expected in ((WELL, well), (BAD + WORSE + WELL, bad)):
        project.hosts("- localhost\n- nobody@node-1:1\n")
        (project.directory / "known").unlink(missing_ok=True)
        project.queue(KNOWN + queue)
        running = project.start("queue", *flags)
        # A run that has nothing left to do does not wait to hear that a node is not there.
        running.wait_for("can't connect")
        (project.directory / "known").touch()
        assert running.wait() == expected
        # Nothing is run on the others either.
        project.queue(queue)
        assert project.run("broadcast", *flags).wait() == well
        project.queue(WELL)
        assert project.run("broadcast", *flags, "--skip-unreachable").wait() == 0


def test_in_a_broadcast_each_node_counts(project: Project) -> None:
    project.hosts("- hostname: localhost\n  k: [0, 1, 2, 3]\n")
    for rule, expected in (("kind", 5), ("count", 3), ("max", 4)):
        project.queue("- exit $(( {{ k }} + ({{ k }} > 2) ))\n- echo well\n")
        assert project.run("broadcast", "--exit-code", rule).wait() == expected


def test_what_was_cancelled_has_failed(project: Project) -> None:
    for rule, expected in (("kind", 5), ("max", 143), ("count", 1)):
        project.hosts("- localhost\n")
        project.queue("- echo up; sleep 300\n- echo next\n")
        run = project.start("queue", "--exit-code", rule)
        run.wait_for("] up")
        assert project.run("stop", "--now").wait() == 0
        assert run.wait() == expected


@pytest.mark.parametrize(
    ("rule", "number", "expected"),
    [
        ("kind", signal.SIGINT, 130),
        ("max", signal.SIGTERM, 143),
        ("count", signal.SIGTERM, 143),
        ("count", signal.SIGHUP, 129),
    ],
)
def test_an_interruption_is_told_before_all_else(
    project: Project, rule: str, number: signal.Signals, expected: int
) -> None:
    project.hosts("- hostname: localhost\n  k: [a, b]\n")
    project.queue("- exit 7\n- echo up; until [ -e go ]; do sleep 0.02; done\n")
    run = project.start("queue", "--exit-code", rule)
    run.wait_for("] up")
    run.wait_for("exit status: 7")
    run.signal(number)
    run.wait_for("running command")
    project.write("go", "")
    assert run.wait() == expected


def test_a_drained_run_is_interrupted_too(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo up; until [ -e go ]; do sleep 0.02; done\n")
    run = project.start_in_terminal("queue", "--exit-code", "count")
    run.wait_for(" up\n")
    run.type(CTRL_C)
    run.wait_for("taking no more jobs")
    project.write("go", "")
    assert run.wait() == 130


@pytest.mark.parametrize(
    "prepare",
    [
        lambda project: {"INVOKE_PEGASUS_EXIT_CODE": "max"},
        lambda project: project.write("invoke.yaml", "pegasus: {exit_code: max}\n") and {},
    ],
)
def test_the_rule_may_be_configured(
    project: Project, prepare: Callable[[Project], dict[str, str]]
) -> None:
    project.hosts("- localhost\n")
    project.queue(BAD)
    assert project.run("queue", env=prepare(project)).wait() == 7


def test_another_rule_is_wrong_usage_and_nothing_is_run(project: Project) -> None:
    assert status(project, "queue", BAD, "--exit-code", "largest") == 1
    assert project.left == ["exit 7"]


CALLING = """
from invoke import Context
from pegasus.tasks import ns
from pegasus.tasks.run import RunFailed, queue

try:
    queue(Context(), exit_code="max")
except RunFailed as failure:
    print(failure.code, failure.result.exit_status)
"""


def test_a_caller_in_python_gets_the_same(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(BAD + WORSE)
    done = subprocess.run(
        [sys.executable, "-c", CALLING],
        cwd=project.directory, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "9 9"


# The command that retries, as the summary names it.


def retried(project: Project, err: str) -> list[str]:
    """Run the command that a summary names; return what stands in the queue then."""
    (line,) = [line for line in err.splitlines() if "to retry: " in line]
    words = line.split("to retry: ")[1]
    command = words.replace("inv ", f"{sys.executable} -m invoke ", 1)
    done = subprocess.run(command, shell=True, cwd=project.directory, capture_output=True)
    assert done.returncode == 0, done.stderr
    items = [item if isinstance(item, str) else item["command"] for item in project.left]
    return [item if isinstance(item, str) else item[0] for item in items]


def test_the_summary_names_what_retries_a_few(project: Project) -> None:
    assert status(project, "queue", WELL + BAD) == 5
    project.queue(WELL + BAD + WORSE + WELL + LATE)
    run = project.run("queue")
    assert "to retry: inv retry 4 5 7" in run.err
    assert retried(project, run.err) == ["exit 7", "exit 9", "sleep 60"]


def test_the_summary_names_what_retries_very_many_and_no_others(project: Project) -> None:
    assert status(project, "queue", WELL + BAD + SHOT) == 3
    project.hosts("- hostname: localhost\n  k: [a, b, c, d]\n")
    project.queue("- command: echo; exit {{ n }}\n  n: [" + ", ".join("01" * 15) + "]\n" + SHOT)
    run = project.run("queue")
    assert "to retry: inv retry --failed --run " in run.err
    assert len(run.err.splitlines()) < 40
    assert sorted(retried(project, run.err)) == ["echo; exit {{ n }}"] * 15 + ["kill -9 $$"]


def test_the_command_that_retries_finds_another_queue_file(project: Project) -> None:
    project.hosts("- localhost\n")
    project.write("my queue.yaml", BAD)
    run = project.run("queue", "--queue-file", "my queue.yaml")
    project.queue(WELL)
    assert retried(project, run.err) == ["echo well"]
    assert "exit 7" in project.read("my queue.yaml")


def test_the_logs_that_the_summary_names_are_there(project: Project) -> None:
    assert status(project, "queue", "- echo out; echo trouble >&2; exit 1\n") == 5
    project.queue("- echo out; echo trouble >&2; exit 1\n")
    run = project.run("broadcast")
    assert "[pegasus]     | trouble\n" in run.err
    (line,) = [line for line in run.err.splitlines() if "log: " in line]
    path = Path(project.directory, line.split("log: ")[1])
    wait_until(path.exists, str(path))
    assert path.read_text() == "trouble\n"
