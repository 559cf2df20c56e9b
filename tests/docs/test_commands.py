"""docs/commands.md names each task with each option, and none that is not there."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from invoke.parser import Parser
from markdown_tables import tables, values

from pegasus.demo import demo
from pegasus.settings import Settings
from pegasus.tasks import ns
from pegasus.tasks.options import flag_of
from pegasus.terminal.errands import usage

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
SECTIONS = dict(
    re.findall(r"^## inv ([\w-]+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S),
)
TASKS = {context.name: context for context in ns.to_contexts()}
SETTINGS = {flag_of(item.name): item.default for item in fields(Settings)}


def described(section: str) -> dict[str, list[str]]:
    """Return the cells of each row of a section's table, by the long flag."""
    (rows,) = tables(section)
    return {values(row[0])[0].split()[0]: row for row in rows}


def test_there_is_a_section_for_each_task_and_none_for_others() -> None:
    assert set(SECTIONS) == set(TASKS)
    assert f"`pegasus {demo.name}`" in TEXT


@pytest.mark.parametrize("task", sorted(TASKS))
def test_each_option_is_in_the_table_by_all_its_names(task: str) -> None:
    flags = {
        tuple(sorted(f"{'-' if len(name) == 1 else '--'}{name}" for name in argument.names))
        for argument in TASKS[task].args.values()
    }
    shown = {
        tuple(sorted(flag.split()[0] for flag in values(row[0])))
        for row in described(SECTIONS[task]).values()
    }
    assert shown == flags


@pytest.mark.parametrize("task", sorted(TASKS))
def test_an_option_shows_a_value_where_it_takes_one_and_says_what_holds_without(task: str) -> None:
    for flag, (names, default, meaning) in described(SECTIONS[task]).items():
        argument = TASKS[task].flags[flag]
        assert {" " in name for name in values(names)} == {argument.takes_value}, flag
        assert meaning, flag
        if not argument.takes_value:
            assert default == "off", flag
            continue
        held = SETTINGS.get(flag[2:].replace("-", "_"))
        if held or held == 0:
            assert default == f"`{held:g}`" if isinstance(held, float) else f"`{held}`", flag
        else:
            assert default not in ("", "off"), flag


@pytest.mark.parametrize("task", sorted(TASKS))
def test_its_other_names_are_told(task: str) -> None:
    told = re.findall(r"^Also `inv (\w+)`", SECTIONS[task], re.M)
    assert told == list(TASKS[task].aliases)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_its_examples_can_be_parsed(task: str) -> None:
    (block,) = re.findall(r"^```sh\n(.*?)^```", SECTIONS[task], re.M | re.S)
    for line in block.splitlines():
        words = shlex.split(line)
        words = words[words.index("inv") + 1 :]
        words = words[: words.index("|")] if "|" in words else words
        if words[0] == "--dry":
            del words[0]
        (context,) = Parser(contexts=ns.to_contexts()).parse_argv(words)
        assert context.name == task


def test_the_options_of_the_program_are_those_that_its_help_shows() -> None:
    rows = described(TEXT.split("## pegasus\n")[1].split("\n## ")[0])
    assert [" ".join(values(row[0])) for row in rows.values()] == [
        re.sub(r"\[=?TASK\]|,", "", names).replace("  ", " ").strip() for names, _ in usage.CORE
    ]


def test_the_table_of_settings_names_all_of_them_and_their_options() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (rows,) = tables(readme.split("\n## Settings\n")[1].split("\n## ")[0])
    flags = {flag for context in TASKS.values() for flag in context.flags}
    shown = {values(row[0])[0]: {*values(row[1])} for row in rows}
    settings = [item for item in fields(Settings) if not item.metadata.get("only_in_code")]
    assert set(shown) == {item.name for item in settings}
    for name, options in shown.items():
        long = f"--{flag_of(name).replace('_', '-')}"
        assert {flag for flag in options if flag.startswith("--")} == ({long} & flags), name
        short = {flag for flag in options if not flag.startswith("--")}
        assert short == {
            f"-{one}"
            for context in TASKS.values()
            if long in context.flags
            for one in context.flags[long].names
            if len(one) == 1
        }
