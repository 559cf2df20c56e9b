"""The program `pegasus`, and the demonstration."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

import pegasus


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from pegasus.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=project.directory,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.fixture
def bare(project: Project) -> Project:
    (project.directory / "tasks.py").unlink()
    project.hosts("- localhost\n")
    project.queue("- echo ran {{ hostname }}\n")
    return project


@pytest.mark.parametrize("mode", ["q", "b", "queue", "broadcast"])
def test_it_runs_without_a_tasks_file(bare: Project, mode: str) -> None:
    done = run(bare, mode)
    assert done.returncode == 0, done.stderr
    assert "[localhost] ran localhost" in done.stdout


def test_it_reads_the_configuration_of_the_directory(bare: Project) -> None:
    bare.write("invoke.yaml", "pegasus: {queue_file: other.yaml}\n")
    bare.write("other.yaml", "- echo other\n")
    assert "[localhost] other" in run(bare, "q").stdout


@pytest.mark.parametrize(
    ("name", "in_file", "variable", "status", "said"),
    [
        ("timeout", "7", "90s", 0, "[localhost] ran"),
        ("print_period", "3", "many", 1, "print_period must be a whole number, not 'many'"),
        ("daemon", "true", "no", 0, "[localhost] ran"),
    ],
)
def test_a_variable_wins_over_a_file_whatever_type_it_has_there(
    bare: Project,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    in_file: str,
    variable: str,
    status: int,
    said: str,
) -> None:
    bare.write("invoke.yaml", f"pegasus: {{{name}: {in_file}}}\n")
    monkeypatch.setenv(f"INVOKE_PEGASUS_{name.upper()}", variable)
    done = run(bare, "q")
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_it_locks(bare: Project) -> None:
    assert run(bare, "l", "--editor", "touch").returncode == 0


def test_a_failed_command_gives_its_status(bare: Project) -> None:
    bare.queue("- exit 9\n")
    assert run(bare, "q").returncode == 5


def test_a_configuration_that_is_no_yaml_is_said_without_a_traceback(bare: Project) -> None:
    bare.write("invoke.yaml", "pegasus: [\n")
    done = run(bare, "q")
    assert done.returncode == 1
    assert done.stderr.startswith("[pegasus] ")
    assert "Traceback" not in done.stderr


def test_it_tells_its_version(bare: Project) -> None:
    assert pegasus.__version__ in run(bare, "--version").stdout


def test_the_list_names_the_tasks_with_their_short_names(bare: Project) -> None:
    listed = run(bare, "--list").stdout
    for name in ("queue (q)", "broadcast (b)", "check (c)", "lock (l)", "demo"):
        assert name in listed


def test_the_demonstration_shows_both_modes(bare: Project) -> None:
    done = run(bare, "demo")
    assert done.returncode == 0, done.stderr
    assert "$ cat hosts.yaml" in done.stdout
    assert "$ cat queue.yaml" in done.stdout
    queue, broadcast = done.stdout.split("$ inv queue")[1].split("$ inv broadcast")
    assert len(re.findall("=== done [(]exit status: 0[)] ===", queue)) == 7
    assert "--out facebook--opt-13b.json" in queue
    assert len(re.findall("=== done [(]exit status: 0[)] ===", broadcast)) == 8
    assert "- command:" in broadcast.split("$ cat consumed.yaml")[1]
    scratch = Path(done.stdout.split("A demonstration in ")[1].splitlines()[0])
    assert (scratch / "consumed.yaml").read_text().count("- command:") == 9


def test_the_demonstration_is_not_among_the_tasks_to_embed() -> None:
    import pegasus.tasks

    names = set(pegasus.tasks.ns.task_names)
    assert "demo" not in names
    assert names >= {"add", "broadcast", "check", "hosts", "lock", "logs", "queue", "retry"}
    assert names <= set(pegasus.tasks.__all__)
