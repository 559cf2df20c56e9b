"""Positional arguments that may be missing, or many, on Invoke's command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from invoke import Collection, Context, Program, task
from invoke.exceptions import ParseError
from invoke.parser import Parser

from pegasus.errors import SettingsError
from pegasus.tasks.arguments import ids_of
from pegasus.tasks.task import PegasusTask


def namespace() -> Collection:
    """Three tasks; new ones, since Invoke forgets what it was told to say of them in --help."""

    @task(klass=PegasusTask, auto_shortflags=False, help={"ids": "the ids of the jobs"})
    def show(
        c: Context,
        ids: Iterable[int] = (),
        attempt: int | str | None = None,
        failed: bool = False,
        run: str | None = None,
    ) -> None:
        """Show jobs."""

    @task(klass=PegasusTask, auto_shortflags=False, iterable=["param"])
    def put(
        c: Context,
        command: str | None = None,
        param: Iterable[str] | None = None,
        head: bool = False,
    ) -> None:
        """Put a command."""

    @task(klass=PegasusTask)
    def other(c: Context) -> None:
        """Another task."""

    return Collection(show, put, other)


def parse(*words: str) -> list[tuple[str | None, dict[str, Any]]]:
    """The tasks that Invoke finds in a command line, each with the arguments that were given."""
    contexts = Parser(contexts=namespace().to_contexts()).parse_argv([*words])
    return [
        (
            context.name,
            {
                name: value
                for name, value in context.as_kwargs.items()
                if value not in (None, False)
            },
        )
        for context in contexts
    ]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("show", ()),
        ("show 7", (7,)),
        ("show 7 9", (7, 9)),
        ("show 7,9", (7, 9)),
        ("show 7, 9", (7, 9)),
        ("show --ids 7 9", (7, 9)),
        ("show --ids=7,9 --ids=11 12", (7, 9, 11, 12)),
        ("show 007", (7,)),
    ],
)
def test_ids_are_given_in_any_number_with_their_name_and_without(
    words: str, ids: tuple[int, ...]
) -> None:
    assert parse(*words.split()) == [("show", {"ids": ids})]


@pytest.mark.parametrize(
    "words", ["show 7 --failed 9 --run last 11", "show --failed 7 9 11 --run last"]
)
def test_ids_and_flags_stand_in_any_order(words: str) -> None:
    assert parse(*words.split()) == [("show", {"ids": (7, 9, 11), "failed": True, "run": "last"})]


def test_a_number_that_a_flag_waits_for_is_the_flags() -> None:
    assert parse("show", "--attempt", "2", "7") == [("show", {"ids": (7,), "attempt": "2"})]


def test_other_tasks_may_follow() -> None:
    assert parse("show", "7", "other", "show", "--failed", "show", "8", "9", "other") == [
        ("show", {"ids": (7,)}),
        ("other", {}),
        ("show", {"ids": (), "failed": True}),
        ("show", {"ids": (8, 9)}),
        ("other", {}),
    ]


@pytest.mark.parametrize("word", ["7x", "0", "7-9", "1e3", "9" * 19, "٧"])
def test_what_begins_like_an_id_and_is_none_is_said(word: str) -> None:
    with pytest.raises(ParseError, match="is not the id of a job, which is a number such as 7"):
        parse("show", word)


@pytest.mark.parametrize("word", ["shwo", "-7", "--failde"])
def test_what_is_neither_id_nor_task_nor_flag_is_invokes_to_refuse(word: str) -> None:
    with pytest.raises(ParseError, match="No idea what"):
        parse("show", word)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["put", "python x"], {"command": "python x"}),
        (["put", "python x", "--head"], {"command": "python x", "head": True}),
        (["put", "--head", "python x"], {"command": "python x", "head": True}),
        (["put", "other"], {"command": "other"}),
        (["put", "-"], {"command": "-"}),
        (["put", ""], {"command": ""}),
        (["put", "--flag like a command"], {"command": "--flag like a command"}),
        (["put", "--command", "-x y=z"], {"command": "-x y=z"}),
        (["put", "--command=--x=y"], {"command": "--x=y"}),
        (
            ["put", "--param", "a=1", "c", "--param=a=2", "--param", "b==-"],
            {"command": "c", "param": ["a=1", "a=2", "b==-"]},
        ),
    ],
)
def test_a_command_is_one_word_with_its_name_or_without(
    words: list[str], given: dict[str, Any]
) -> None:
    assert parse(*words) == [("put", {"param": [], **given})]


def test_a_command_may_be_missing_and_tasks_may_follow_it() -> None:
    assert parse("put", "other", "other") == [
        ("put", {"command": "other", "param": []}),
        ("other", {}),
    ]
    assert parse("put") == [("put", {"command": "", "param": []})]


@pytest.mark.parametrize("words", [["put", "--haed"], ["put", "-x"], ["put", "a", "b"]])
def test_a_mistyped_flag_is_no_command_and_there_is_only_one(words: list[str]) -> None:
    with pytest.raises(ParseError, match="No idea what"):
        parse(*words)


def program(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        Program(namespace=namespace(), binary="inv").run(["inv", *words])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("words", [["put", "--help"], ["--help", "put"], ["put", "-h"]])
def test_help_is_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program(*words) == 0
    out = capsys.readouterr().out
    assert "Put a command." in out
    assert "--command=STRING" in out


def test_help_names_the_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert program("show", "--help") == 0
    assert ["--ids=STRING", "the", "ids", "of", "the", "jobs"] in [
        line.split() for line in capsys.readouterr().out.split("\n")
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("show 7 --fa", "--failed"),
        ("show --", "--ids"),
        ("put --", "--command"),
        ("show 7 ot", "other"),
    ],
)
def test_completion_works(line: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program("--complete", "--", "inv", *line.split()) == 0
    assert expected in capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("value", "ids"), [([7, 9], (7, 9)), (7, (7,)), ("7,9", (7, 9)), ({7}, (7,)), (None, ())]
)
def test_callers_from_python_give_ids_as_they_like(value: Any, ids: tuple[int, ...]) -> None:
    assert ids_of(value) == ids


@pytest.mark.parametrize("value", [7.5, [True], ["x"], -7, 0])
def test_callers_from_python_are_told_what_is_no_id(value: Any) -> None:
    with pytest.raises(SettingsError, match="is not the id of a job"):
        ids_of(value)
