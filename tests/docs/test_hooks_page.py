"""docs/hooks.md names what hooks are told, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke import Config
from markdown_tables import tables, values
from project import Project

from pegasus.hooks import caller, calls, facts, sink
from pegasus.hooks.checks import KNOWN, check
from pegasus.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
HOOKS, TOLD = tables(TEXT)


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)
    return str(found)


def test_each_hook_is_described() -> None:
    assert [values(row[0]) for row in HOOKS] == [["on_fail"], ["on_empty"], ["on_finish"]]
    assert {values(row[0])[0] for row in HOOKS} == set(KNOWN)


@pytest.mark.parametrize("hook", KNOWN)
def test_all_that_a_hook_is_told_is_in_the_table(hook: str) -> None:
    of = {"on_fail": ("all", "`on_fail`"), "on_empty": ("all", "the others")}
    wanted = of.get(hook, ("all", "the others", "`on_finish`"))
    told = {name for row in TOLD if row[1] in wanted for name in values(row[0])}
    reported = facts.REPORTED if hook == "on_fail" else ()
    assert told == {*KNOWN[hook], *reported}
    for name in reported:
        (meaning,) = [row[2] for row in TOLD if name in values(row[0])]
        assert "only in the environment" in meaning


def test_the_example_configuration_can_be_used() -> None:
    settings = Settings.from_config(Config(yaml.safe_load(block("yaml"))))
    assert settings.on_fail
    assert settings.on_finish
    assert settings.on_empty
    check(settings, [], [])


def test_the_functions_are_called(project: Project) -> None:
    project.write("tasks.py", block("python"))
    project.hosts("- localhost\n")
    project.queue("- exit 3\n")
    ran = project.run("queue")
    assert ran.wait() == 5
    for line in ("1 localhost exit 3 exit status: 3", "1 failed; status 5", "the queue is empty"):
        assert f"{line}\n" in ran.out


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (calls.LIMIT, "take {:g} seconds"),
        (sink.PATIENCE, "up to {:g} seconds"),
        (calls.LINES, "up to {} lines"),
        (facts.LONGEST, "after {} characters"),
    ],
)
def test_the_limits_are_those_of_the_code(number: Any, said: str) -> None:
    assert said.format(number) in " ".join(TEXT.split())
    assert caller.TOLD == 5
    assert sink.QUIETLY == 1
