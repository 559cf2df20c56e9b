"""Each supported way to put the tasks into somebody's tasks.py, as a project of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

SAMPLES = Path(__file__).parent


def sample(project: Project, name: str) -> Project:
    shutil.copytree(SAMPLES / name, project.directory, dirs_exist_ok=True)
    project.hosts("- localhost\n")
    project.queue("- echo ran {{ hostname }}\n")
    return project


@pytest.mark.parametrize(
    ("name", "task"),
    [("whole", "queue"), ("whole", "q"), ("named", "cluster.queue"), ("named", "cluster.q"),
     ("alone", "queue"), ("alone", "q")],
)  # fmt: skip
def test_the_queue_runs_under_its_name(project: Project, name: str, task: str) -> None:
    run = sample(project, name).run(task)
    assert run.wait() == 0, run.err
    assert "[localhost] ran localhost" in run.out


@pytest.mark.parametrize("name", ["whole", "named", "alone"])
def test_settings_reach_an_embedded_task(project: Project, name: str) -> None:
    task = "cluster.queue" if name == "named" else "queue"
    sample(project, name).write("invoke.yaml", "pegasus: {queue_file: mine.yaml}\n")
    project.write("mine.yaml", "- echo mine\n")
    project.write("theirs.yaml", "- echo theirs\n")
    assert "[localhost] mine" in project.run(task).out
    env = {"INVOKE_PEGASUS_QUEUE_FILE": "theirs.yaml"}
    assert "[localhost] theirs" in project.run(task, env=env).out


def test_own_tasks_stay(project: Project) -> None:
    assert sample(project, "named").run("mine").out == "mine\n"


def test_a_calling_task_looks_at_the_result(project: Project) -> None:
    sample(project, "calling").write("work.yaml", "- echo good\n- exit 7\n")
    run = project.run("look")
    assert run.wait() == 0, run.err
    assert "localhost echo good succeeded 0\n" in run.out
    assert "localhost exit 7 failed 7\n" in run.out
    assert "exit status 5\n" in run.out


def test_a_calling_task_catches_the_failure(project: Project) -> None:
    sample(project, "calling").write("work.yaml", "- exit 7\n")
    run = project.run("catch")
    assert run.wait() == 0, run.err
    assert "caught 5 1\n" in run.out


@pytest.mark.parametrize("name", ["whole", "named", "alone"])
def test_the_list_has_a_line_of_help_for_each_task(project: Project, name: str) -> None:
    run = sample(project, name).run("--list")
    assert run.wait() == 0
    assert "Run each queued command once, on the next free node." in " ".join(run.out.split())


HEAVY = ("paramiko", "fabric", "pybars", "pymeta", "fasteners", "cryptography")


@pytest.mark.parametrize(
    "arguments", [["--list"], ["queue", "--help"], ["--complete", "--", "inv queue --"]]
)
def test_listing_help_and_completion_import_nothing_heavy(
    project: Project, arguments: list[str]
) -> None:
    sample(project, "whole")
    code = (
        "import sys, runpy\n"
        f"sys.argv = {['inv', *arguments]!r}\n"
        "try: runpy.run_module('invoke', run_name='__main__')\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.directory, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.stdout


def test_every_option_is_explained(project: Project) -> None:
    for task in ("queue", "broadcast", "check", "lock"):
        lines = sample(project, "whole").run(task, "--help").out.split("Options:")[1].splitlines()
        options = [line for line in lines if line.strip().startswith("-")]
        assert len(options) >= 3
        assert all(len(line.split("  ")[-1].strip()) > 5 for line in options), options


HELPERS = """\
from invoke import Collection
import pegasus.tasks
from pegasus import helper

@helper
def shout(text):
    return text.upper()

ns = Collection()
ns.add_collection(pegasus.tasks, name="cluster")
ns.configure({"pegasus": {"helpers": {"slug": lambda text: text.replace("/", "--")}}})
"""


def test_helpers_of_ones_own_are_there_in_all_tasks(project: Project) -> None:
    project.write("tasks.py", HELPERS)
    project.hosts("- hostname: '{{ slug name }}'\n  name: localhost\n")
    project.queue("- {command: 'echo {{ shout m }} {{ slug m }}', m: a/b}\n")
    assert "[localhost (name=localhost)] echo A/B a--b" in project.run("cluster.check").out
    run = project.run("cluster.queue")
    assert run.wait() == 0, run.err
    assert "] A/B a--b\n" in run.out


def test_a_helper_that_cant_be_is_an_error_with_its_place(project: Project) -> None:
    project.write("tasks.py", HELPERS.replace("@helper", '@helper("trim")'))
    project.hosts("- localhost\n")
    project.queue("- 'true'\n")
    run = project.run("cluster.queue")
    assert run.wait() == 1
    assert "tasks.py:5: pegasus has a helper `trim` itself" in run.err
    assert "Traceback" not in run.err
