"""docs/scripts.md does what it says."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

from pegasus import AttemptReport, JobReport, JobState, Queue
from pegasus.journal.jobs import KINDS
from pegasus.tasks import retry

TEXT = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


@pytest.fixture
def ran(project: Project) -> Project:
    """A project in whose queue a job has failed."""
    project.hosts("- localhost\n")
    project.queue("- exit 3\n")
    assert project.run("queue").wait() > 1
    return project


def test_the_commands_work(ran: Project) -> None:
    for block in blocks("sh"):
        shell = f'set -e\ninv() {{ "{sys.executable}" -m invoke "$@"; }}\n{block}'
        ended = subprocess.run(
            ["sh", "-c", shell], cwd=ran.directory, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
    assert ran.left == [
        {"command": ["exit 3"]},
        "python urgent.py",
        "python train.py",
        {
            "command": ["python train.py --bs {{ bs }} --opt {{ opt }}"],
            "bs": ["8", "16"],
            "opt": ["adam"],
        },
        {"command": ["python train.py"], "slots": [4], "options": {"on": "a100-*"}},
        *(f"python train.py --seed {seed}" for seed in (1, 2, 3)),
    ]


def test_the_python_works(ran: Project) -> None:
    (example,) = blocks("python")
    ended = subprocess.run(
        [sys.executable, "-c", example],
        cwd=ran.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == "1 exit 3 {} localhost 3"
    assert "there is no job 7" in ended.stdout
    assert [one if isinstance(one, str) else one["command"][0] for one in ran.left] == [
        "python urgent.py",
        "python train.py --bs {{ bs }}",
        "python large.py",
        "echo one",
        "echo {{ n }}",
    ]


def test_every_method_field_state_and_flag_is_described() -> None:
    methods = [name for name, _ in inspect.getmembers(Queue, inspect.isfunction) if name[0] != "_"]
    described = re.findall(r"^\| `(\w+)\(", TEXT, re.M)
    assert set(described) == set(methods) - {"put", "check"}
    for name in described:
        (signature,) = re.findall(rf"^\| `{name}\((.*?)\)` \|", TEXT, re.M)
        names = re.findall(r"(?:^|, )(\w+)", signature)
        assert names == [*inspect.signature(getattr(Queue, name)).parameters][1:]
    for field in (*JobReport.__dataclass_fields__, *AttemptReport.__dataclass_fields__):
        assert f"`{field}`" in TEXT
    for state in JobState:
        assert re.search(rf"`(JobState\.)?{state.name}`", TEXT)
    for kind in [*KINDS, "all"]:
        if kind != "done":
            assert f"| `--{kind}` |" in TEXT
            assert kind.replace("all", "all_") in inspect.signature(retry.body).parameters
