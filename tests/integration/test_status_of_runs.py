"""`inv status` of real runs: while they are on, when they have ended, and after `kill -9`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import Any

import pytest
from project import CTRL_C, Project, Running, wait_until
from sshd import Sshd

#: A command that ends when the file `go` is there.
WAITS = "echo up; until [ -e {0}/go ]; do sleep 0.02; done"


def waiting(project: Project, *more: str) -> str:
    """Fill the queue with a command that waits for `go`, and more; return the command."""
    first = WAITS.format(project.directory)
    project.queue("".join(f"- {command}\n" for command in (first, *more)))
    return first


def status(project: Project) -> dict[str, Any]:
    """Return the document, which is all that is written to stdout."""
    run = project.run("status", "--json")
    assert (run.wait(), run.err) == (0, "")
    told: dict[str, Any] = json.loads(run.out)
    return told


def text(project: Project, *flags: str, **env: str) -> str:
    run = project.run("status", *flags, env=env)
    assert (run.wait(), run.err) == (0, "")
    return run.out


def counts(project: Project) -> dict[str, int]:
    return {name: number for name, number in status(project)["counts"].items() if number}


def begun(project: Project, *arguments: str, commands: int = 1) -> Running:
    """Start a run, and return when its commands run, and the journal says so."""

    def announced() -> int:
        path = project.directory / ".pegasus" / "queue.yaml" / "journal.jsonl"
        return path.read_text().count("attempt_announced") if path.exists() else 0

    before = announced()
    run = project.start(*arguments)
    run.wait_for("] up", times=commands)
    wait_until(lambda: announced() >= before + commands, "the commands in the journal")
    return run


@pytest.mark.parametrize("host", ["localhost", "node-1"])
def test_what_runs_is_told_while_it_does_and_when_it_has_ended(
    project: Project, sshd: Sshd, host: str
) -> None:
    project.hosts(f"- {host}\n")
    command = waiting(project, "exit 3", "echo next")
    run = begun(project, "queue", "--ssh-config", sshd.ssh_config)
    told = status(project)
    assert (told["queued"], told["counts"]["running"]) == (2, 1)
    (job,) = told["running"]
    assert (job["job"], job["attempt"], job["node"], job["command"]) == (1, 1, host, command)
    assert [one["state"] for one in told["runs"]] == ["on"]
    assert told["runs"][0]["pid"] == run.process.pid
    assert [(one["state"], one["job"]) for one in told["runs"][0]["nodes"]] == [("connected", 1)]
    assert re.search(rf"^1 +{host} +\S+ \(\d+s\) +echo up; until", text(project), re.M)
    project.write("go", "")
    assert run.wait() == 5
    told = status(project)
    assert told["queued"] == 0
    assert counts(project) == {"done": 2, "failed": 1}
    assert [(one["state"], one["exit_status"]) for one in told["runs"]] == [("ended", 5)]
    assert [(one["job"], one["why"]) for one in told["troubles"]] == [(2, "exit status: 3")]


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_what_was_running_in_a_run_that_was_killed_is_interrupted(
    project: Project, mode: str
) -> None:
    project.hosts("- localhost\n- 127.0.0.1\n" if mode == "broadcast" else "- localhost\n")
    waiting(project, "echo next")
    run = begun(project, mode, commands=2 if mode == "broadcast" else 1)
    assert counts(project) == {"running": 1}
    run.signal(signal.SIGKILL)
    run.wait()
    told = status(project)
    assert counts(project) == {"interrupted": 1}
    assert (told["queued"], told["running"]) == (1, [])
    assert [one["state"] for one in told["runs"]] == ["died"]
    (trouble,) = told["troubles"]
    assert (trouble["job"], trouble["state"]) == (1, "interrupted")
    assert "1 interrupted" in text(project)
    assert "inv retry --interrupted puts them back" in text(project)
    # The next run does not hide it.
    project.write("go", "")
    assert project.run(mode).wait() == 0
    assert counts(project) == {"done": 1}
    assert [one["job"] for one in status(project)["earlier"]] == [1]
    assert "earlier runs have left 1 interrupted job (" in text(project)


def test_a_broadcast_has_an_attempt_on_each_node(project: Project) -> None:
    project.hosts("- localhost\n- 127.0.0.1\n")
    waiting(project)
    run = begun(project, "broadcast", commands=2)
    told = status(project)
    assert {one["node"] for one in told["running"]} == {"localhost", "127.0.0.1"}
    assert told["counts"]["running"] == 1
    project.write("go", "")
    assert run.wait() == 0
    assert counts(project) == {"done": 1}


def test_all_runs_of_a_queue_are_told_of(project: Project) -> None:
    project.hosts("- localhost\n")
    command = waiting(project)
    project.queue(f"- {command}\n- {command}\n")
    runs = [begun(project, "queue") for _ in range(2)]
    told = status(project)
    assert {one["pid"] for one in told["runs"]} == {run.process.pid for run in runs}
    assert [one["job"] for one in told["running"]] == [1, 2]
    assert len({one["run"] for one in told["running"]}) == 2
    assert text(project).count(" is on: pid ") == 2
    project.write("go", "")
    assert [run.wait() for run in runs] == [0, 0]


def test_an_editor_that_holds_the_queue_does_not_hold_up_the_status(project: Project) -> None:
    project.queue("- echo next\n")
    editor = project.write("ed", "#!/bin/sh\n: > open\nuntil [ -e save ]; do sleep 0.02; done\n")
    editor.chmod(0o700)
    lock = project.start("lock", "--editor", str(editor))
    wait_until(lambda: project.exists("open"), "the editor")
    assert status(project)["queued"] == 1
    project.write("save", "")
    assert lock.wait() == 0


def test_without_a_journal_the_status_is_0(project: Project) -> None:
    project.queue("- echo next\n")
    assert "no run has used queue.yaml yet\n1 queued" in text(project)
    assert not project.exists(".pegasus")


def test_watching_on_a_terminal_shows_it_in_place_until_ctrl_c(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project)
    run = begun(project, "queue")
    watch = project.start_in_terminal("status", "--watch")
    watch.wait_for("1 running")
    project.write("go", "")
    assert run.wait() == 0
    watch.wait_for("1 done")
    assert "\x1b[1A" in watch.raw
    watch.type(CTRL_C)
    assert watch.wait() == 130
    assert "Traceback" not in watch.out
    assert "\x1b[?25h" in watch.out


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}])
def test_watching_elsewhere_prints_again_when_something_has_changed(
    project: Project, env: dict[str, str]
) -> None:
    project.hosts("- localhost\n")
    project.queue("- exit 0\n")
    start = project.start_in_terminal if env else project.start
    watch = start("status", "--watch", env=env)
    watch.wait_for("no run has used queue.yaml yet")
    assert project.run("queue").wait() == 0
    watch.wait_for("1 done")
    watch.signal(signal.SIGINT)
    assert watch.wait() == 130
    assert watch.out.count("no run has used") == 1
    assert "\x1b" not in watch.out
    assert "Traceback" not in watch.out + watch.err


@pytest.mark.parametrize(
    ("env", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"COLUMNS": "40"}, True)],
)
def test_a_terminal_gets_what_it_can_show(
    project: Project, env: dict[str, str], is_coloured: bool
) -> None:
    project.hosts("- localhost\n")
    project.queue("- 'exit 3 # [bold]'\n")
    assert project.run("queue").wait() == 5
    shown = project.start_in_terminal("status", env={"TERM": "xterm-256color", **env})
    assert shown.wait() == 0
    assert ("\x1b[31m" in shown.raw) == is_coloured
    assert re.search(r"^1 +localhost +exit \S+(?: 3)? +exit 3 # \[b", shown.out, re.M)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.out).splitlines()
    assert (max(map(len, lines)) <= 40) == ("COLUMNS" in env)


@pytest.mark.parametrize("flags", ["", "--json", "--watch"])
@pytest.mark.parametrize("where", ["| head -n 1", ">&-"])
def test_nobody_who_reads_is_no_error(project: Project, flags: str, where: str) -> None:
    project.queue("- echo next\n")
    inv = f"timeout 50 {sys.executable} -m invoke status {flags}"
    ended = subprocess.run(
        ["sh", "-c", f"{{ {inv}; echo $? >&2; }} {where}"],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stderr == "0\n"


def test_a_stdout_that_is_full_is_said(project: Project) -> None:
    project.queue("- echo next\n")
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "invoke", "status"],
            cwd=project.directory,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("[pegasus] stdout can't be written to: ")
