"""What taking does to the text of a queue file, case by case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from peeking import peek
from queuefiles import PARSERS, items_of, jobs_of, queue

from pegasus.model import Job

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "queue.yaml").read_text())


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_taking(case: dict[str, Any], parser: object) -> None:
    expected = [Job(command, tuple(params.items())) for command, params in case["jobs"]]
    with queue(case["before"], parser) as file:
        assert file.take(case["take"]) == expected
        after = file.path.read_bytes().decode()
    assert after == case["after"]
    assert [*expected, *jobs_of(items_of(after))] == jobs_of(items_of(case["before"]))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_taking_one_by_one_is_the_same(case: dict[str, Any]) -> None:
    with queue(case["before"]) as file:
        for _ in range(case["take"]):
            file.take(1)
        assert file.path.read_bytes().decode() == case["after"]


@pytest.mark.parametrize("case", [case for case in CASES if case["before"] != "[]\n"])
def test_lines_may_be_appended_when_the_last_entry_has_gone(case: dict[str, Any]) -> None:
    with queue(case["before"]) as file:
        file.take(1000)
        with file.path.open("ab") as text:
            text.write(b"- cmd\n")
        assert file.take(2) == [Job("cmd")]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_is_put_back_comes_first(case: dict[str, Any]) -> None:
    back = [Job("one\ntwo", (("x", "' # '"),)), Job("b")]
    before = jobs_of(items_of(case["before"]))
    with queue(case["before"]) as file:
        file.put_back(back)
        assert peek(file, 1000) == [*back, *before]
        assert jobs_of(items_of(file.path.read_bytes().decode())) == [*back, *before]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "- command:\n  - b\n"),
        ("# c", "# c\n- command:\n  - b\n"),
        ("# c\r\n---\r\n...\r\n", "# c\r\n---\r\n- command:\r\n  - b\r\n"),
        ("--- [] # c\n", "---  # c\n- command:\n  - b\n"),
        ("# c\n\n- a\n", "# c\n\n- command:\n  - b\n- a\n"),
        ("  - a\n", "  - command:\n    - b\n  - a\n"),
        ("[ a]", "[ {command: ['b']}, a]"),
    ],
)
def test_where_jobs_are_put_back(before: str, after: str) -> None:
    with queue(before) as file:
        file.put_back([Job("b")])
        assert file.path.read_bytes().decode() == after
