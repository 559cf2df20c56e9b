"""What is said of jobs that were put back, and shown of commands that were checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project import Project

from pegasus.errands.check import check
from pegasus.model import Job
from pegasus.settings import Settings
from pegasus.terminal.errands.told import LISTED, describe_put_back


def test_all_of_a_few_jobs_are_listed() -> None:
    jobs = [Job("python x\nmore", (("bs", "8"),), id=9), Job("b", id=10)]
    assert describe_put_back(jobs, "q.yaml", tail=True, dry=False).splitlines() == [
        "put back 2 jobs at the end of q.yaml:",
        "   9  python x …  (bs=8)",
        "  10  b",
    ]


def test_of_thousands_the_first_are_listed_and_the_others_counted() -> None:
    jobs = [Job(f"job {number}", id=number) for number in range(1, 5001)]
    head, *lines, last = describe_put_back(jobs, "q.yaml", tail=False, dry=True).splitlines()
    assert head == "this would put back 5000 jobs at the head of q.yaml:"
    assert len(lines) == LISTED
    assert lines[-1] == f"  {LISTED}  job {LISTED}"
    assert last == f"  … and {5000 - LISTED} more"


def test_control_characters_of_commands_are_shown_and_not_obeyed_and_json_has_them(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.hosts("- localhost\n")
    project.queue('- "echo \\e[2J\\a \\t é"\n')
    folder: Path = project.directory
    settings = Settings(str(folder / "hosts.yaml"), str(folder / "queue.yaml"))
    check(settings)
    assert capsys.readouterr().out.splitlines()[1] == r"[localhost] echo \x1b[2J\x07 	 é"
    check(settings, as_json=True)
    (command,) = json.loads(capsys.readouterr().out)["commands"]
    assert command["command"] == "echo \x1b[2J\a \t é"
