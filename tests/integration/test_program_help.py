"""`pegasus --help`: what it is, its tasks, its options, at any width."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from invoke import Program
from project import Project

from pegasus.cli import PegasusProgram
from pegasus.tasks import ns
from pegasus.terminal.errands import usage

CODE = "from pegasus.cli import main; main()"


def shown(project: Project, *arguments: str, columns: int = 80) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        cwd=project.directory,
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_it_says_what_it_is_and_what_can_be_done(
    project: Project, arguments: tuple[str, ...]
) -> None:
    text = shown(project, *arguments)
    lines = text.splitlines()
    assert lines[0] == "Usage: pegasus [CORE OPTIONS] TASK [OPTIONS] [TASK ...]"
    titles = [line for line in lines if line.endswith(":") and line[0] != " "]
    assert [title.split(",")[0].rstrip(":") for title in titles] == [
        "Tasks",
        "Core options",
        "Examples",
        "Exit status",
    ]
    for name, task in ns.tasks.items():
        names = ", ".join([name, *task.aliases])
        assert re.search(rf"^  {names}  +{(task.__doc__ or '').split()[0]} ", text, re.M)
    assert "  demo " in text
    assert "docs/commands.md" in text


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("arguments", [("--help",), ("queue", "--help"), ("help", "retry")])
def test_it_fits_the_terminal(project: Project, columns: int, arguments: tuple[str, ...]) -> None:
    lines = shown(project, *arguments, columns=columns).splitlines()
    for line in lines:
        is_one_word = len(line.split()) == 1  # It may be longer than a narrow terminal is wide.
        assert len(line) <= min(columns, usage.WIDEST) or is_one_word


def test_a_task_shows_what_it_does_and_each_of_its_options(project: Project) -> None:
    text = shown(project, "queue", "--help")
    assert text.startswith("Usage: pegasus [CORE OPTIONS] queue [OPTIONS] [TASK ...]\n\nRun each")
    for argument in ns.tasks["queue"].get_arguments():
        assert f"--{argument.name.replace('_', '-')}" in text
    assert text == shown(project, "help", "queue") == shown(project, "--help", "queue")


def test_the_options_that_it_shows_are_there() -> None:
    there = {
        f"{'-' if len(name) == 1 else '--'}{name}"
        for argument in Program().core_args()
        for name in argument.names
    }
    flags = {flag for names, _ in usage.CORE for flag in re.findall(r"(?<!\w)--?[\w-]+", names)}
    assert flags <= there


def test_the_examples_parse() -> None:
    for command, _ in usage.EXAMPLES:
        _, *words = shlex.split(command)
        if words != ["demo"]:
            program = PegasusProgram(namespace=ns, binary="pegasus")
            program.create_config()
            program.parse_core(["pegasus", *words])
            program.parse_collection()
            program.parse_tasks()
            assert [context.name for context in program.tasks] == [words[0]]


@pytest.mark.parametrize(
    ("arguments", "problem", "where"),
    [
        (("nonsense",), "No idea what 'nonsense' is!", "pegasus --help"),
        (("--nonsense",), "No idea what '--nonsense' is!", "pegasus --help"),
        (("help", "nonsense"), "No idea what 'nonsense' is!", "pegasus --help"),
        (("queue", "--nonsense"), "No idea what '--nonsense' is!", "pegasus queue --help"),
        (("queue", "--retries"), "needed value", "pegasus queue --help"),
    ],
)
def test_what_is_no_command_line_says_where_to_look(
    project: Project, arguments: tuple[str, ...], problem: str, where: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    first, second = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in first
    assert second == f"{where} shows what there is"
