"""Completion in a shell, for the program and for inv, as their users install it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

from pegasus.tasks import ns

PROGRAMS = {"inv": "-m invoke", "pegasus": "-c 'from pegasus.cli import main; main()'"}


def flags_of(task: str) -> set[str]:
    """Return the flags of a task, as Invoke has them."""
    (context,) = [one for one in ns.to_contexts() if one.name == task]
    return {*context.flag_names()}


def names() -> set[str]:
    return {name for name, aliases in ns.task_names.items() for name in (name, *aliases)}


@pytest.fixture
def path(project: Project, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search path with both programs, whether or not they are installed."""
    folder = tmp_path_factory.mktemp("bin")
    for name, code in {**PROGRAMS, "invoke": PROGRAMS["inv"]}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {code} "$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def run(project: Project, path: str, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=project.directory,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def offered(project: Project, path: str, program: str, *words: str) -> set[str]:
    """Return what `--complete` says behind these words, the last of which is at the cursor."""
    return {*run(project, path, program, "--complete", "--", program, *words).split()}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("task", sorted(ns.task_names))
def test_all_options_of_each_task_are_offered(
    project: Project, path: str, program: str, task: str
) -> None:
    flags = flags_of(task)
    assert offered(project, path, program, task, "-") == flags
    long = {flag for flag in flags if flag.startswith("--")}
    assert offered(project, path, program, task, "--") == long


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["retry", "7", "9", "--"], "retry"),
        (["retry", "7,9", "--run", "last", "--"], "retry"),
        (["logs", "--failed", "--"], "logs"),
        (["logs", "7", "--fo"], "logs"),
        (["add", "true", "--"], "add"),
        (["add", "queue", "--pa"], "add"),
        (["q", "--on"], "queue"),
        (["check", "broadcast", "--error"], "broadcast"),
    ],
)
def test_arguments_without_a_name_do_not_disturb(
    project: Project, path: str, words: list[str], task: str
) -> None:
    long = {flag for flag in flags_of(task) if flag.startswith("--")}
    assert offered(project, path, "inv", *words) == long


@pytest.mark.parametrize("words", [[""], ["qu"], ["queue", "--daemon"], ["retry", "7", "st"]])
def test_the_names_of_tasks_are_offered(project: Project, path: str, words: list[str]) -> None:
    assert offered(project, path, "inv", *words) == names()


def test_half_a_word_in_quotes_says_nothing(project: Project, path: str) -> None:
    done = subprocess.run(
        ["pegasus", "--complete", "--", "pegasus", "add", "'python", "--"],
        cwd=project.directory,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("", "")


def script(project: Project, path: str, program: str, shell: str) -> Path:
    text = run(project, path, program, "--print-completion-script", shell)
    return project.write(f"completion.{shell}", text)


@pytest.mark.parametrize(("program", "function"), [("inv", "invoke"), ("pegasus", "pegasus")])
def test_bash_completes(project: Project, path: str, program: str, function: str) -> None:
    source = script(project, path, program, "bash")
    code = f"""
        source {shlex.quote(str(source))}
        complete -p {program} > seen || exit 9
        try() {{
            COMP_WORDS=({program} "$@") COMP_CWORD=$#
            _complete_{function} {program} "${{@: -1}}"
            echo "${{COMPREPLY[@]}}"
        }}
        try que; try queue --on-fa; try retry 7 --inter; try retry --t
    """
    lines = run(project, path, "bash", "--norc", "-c", code)
    assert lines.splitlines() == ["queue", "--on-fail", "--interrupted", "--tail"]


@pytest.mark.parametrize(("program", "function"), [("inv", "invoke"), ("pegasus", "pegasus")])
def test_zsh_completes(project: Project, path: str, program: str, function: str) -> None:
    source = script(project, path, program, "zsh")
    code = f"""
        source {shlex.quote(str(source))}
        words=({program} queue --)
        _complete_{function}
        echo $reply
    """
    found = run(project, path, "zsh", "-f", "-c", code).split()
    assert {*found} == {flag for flag in flags_of("queue") if flag.startswith("--")}


def test_fish_completes(project: Project, path: str) -> None:
    source = script(project, path, "pegasus", "fish")
    code = f"source {shlex.quote(str(source))}; complete -C 'pegasus queue --on-'"
    found = run(project, path, "fish", "--no-config", "-c", code).split()
    assert {*found} == {"--on-fail", "--on-finish", "--on-empty"}
