"""The templates in tests/cases/handlebars print what they print in pegasus 1.4, or differ as
docs/templating.md says, which is read here: what stands there is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from markdown_tables import code, tables, values

from pegasus.errors import TemplateError
from pegasus.template import render

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "handlebars"
VECTORS: list[dict[str, Any]] = [
    json.loads(line)
    for name in ("vectors.jsonl", "more.jsonl")
    for line in (CASES / name).read_text().split("\n")
    if line
]

#: The result of a template that is refused.
ERROR = "(error)"

#: In the documentation: any text.
ANY = "(any text)"

DIFFERENCES, WORDS, NUMBER = tables(
    (ROOT / "docs" / "templating.md").read_text().split("\n## Differences", 1)[1]
)


class Row(NamedTuple):
    """A line of the documentation: `theirs` is what pegasus 1.4 prints."""

    template: str
    theirs: str
    ours: str


def outcome(cell: str) -> str:
    words = {"error": ERROR, "nothing": "", "text": ANY}
    return words[cell] if cell in words else code(cell)


def rows() -> Iterator[Row]:
    for cell, theirs, ours, _ in DIFFERENCES:
        for template in values(cell):
            yield Row(template, outcome(theirs), outcome(ours))


ROWS = list(rows())
OTHER_WORDS = {code(text): (code(snake), code(title)) for text, _, _, snake, title in WORDS}


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the files and variables there that the templates were recorded with."""
    (tmp_path / "fx" / "sub.d").mkdir(parents=True)
    (tmp_path / "fx" / "a.tar.gz").write_text("file content")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HBSET", "set")
    monkeypatch.setenv("HBEMPTY", "")


def result(vector: dict[str, Any]) -> str:
    try:
        return render(vector["template"], vector["params"])
    except TemplateError:
        return ERROR


def expected(vector: dict[str, Any]) -> str:
    return ERROR if vector.get("error") else vector["output"]


def is_told(vector: dict[str, Any], printed: str) -> bool:
    """Whether the documentation says that a template prints this, where pegasus 1.4 differs."""
    helper = vector["group"].removeprefix("string-")
    if helper in ("to_plural", "to_singular"):
        text = vector["params"]["v"]
        return [f'{{{{{helper} "{text}"}}}}', expected(vector), printed] in numbers()
    if helper.endswith("_case"):
        return forms(vector["params"]["v"]).get(helper) == printed
    return any(matches(row, vector) and row.ours == printed for row in ROWS)


def matches(row: Row, vector: dict[str, Any]) -> bool:
    theirs = expected(vector)
    is_theirs = theirs == row.theirs or (row.theirs == ANY and theirs != ERROR)
    return row.template == vector["template"] and is_theirs


def numbers() -> list[list[str]]:
    return [[code(tag), outcome(theirs), outcome(ours)] for tag, theirs, ours in NUMBER]


def forms(text: str) -> dict[str, str]:
    """What each helper for case makes of a text that is split as the documentation says."""
    if text not in OTHER_WORDS:
        return {}
    words = OTHER_WORDS[text][0].split("_")
    capitalized = [word[:1].upper() + word[1:] for word in words]
    return {
        "to_snake_case": "_".join(words),
        "to_screaming_snake_case": "_".join(words).upper(),
        "to_kebab_case": "-".join(words),
        "to_train_case": "-".join(capitalized),
        "to_title_case": " ".join(capitalized),
        "to_sentence_case": " ".join([*capitalized[:1], *words[1:]]),
        "to_pascal_case": "".join(capitalized),
        "to_class_case": "".join(capitalized),
        "to_camel_case": "".join([*words[:1], *capitalized[1:]]),
        "to_table_case": "_".join(words) + "s",
    }


@pytest.mark.parametrize("group", sorted({vector["group"] for vector in VECTORS}))
def test_templates_print_what_they_print_in_pegasus_1_4_or_what_is_told(group: str) -> None:
    wrong = []
    for vector in VECTORS:
        if vector["group"] != group:
            continue
        printed = result(vector)
        if printed != expected(vector) and not is_told(vector, printed):
            wrong.append((vector["template"], vector["params"], expected(vector), printed))
    assert wrong == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.template)
def test_every_difference_that_is_told_is_one(row: Row) -> None:
    vectors = [vector for vector in VECTORS if matches(row, vector)]
    assert any(result(vector) == row.ours != expected(vector) for vector in vectors)


def test_every_difference_has_its_reason() -> None:
    assert [row for row in DIFFERENCES if not re.search("[a-z]{3}", row[3])] == []


@pytest.mark.parametrize("text", OTHER_WORDS)
def test_words_are_split_alike_by_all_helpers_for_case(text: str) -> None:
    assert {name: render(f"{{{{{name} v}}}}", {"v": text}) for name in forms(text)} == forms(text)
    assert forms(text)["to_title_case"] == OTHER_WORDS[text][1]


def test_every_text_with_other_words_is_split_differently_in_pegasus_1_4() -> None:
    for text, snake, title, *_ in WORDS:
        told = {"string-to_snake_case": code(snake), "string-to_title_case": code(title)}
        vectors = [vector for vector in VECTORS if vector["params"].get("v") == code(text)]
        of_case = [vector for vector in vectors if vector["group"].endswith("_case")]
        assert any(expected(vector) != result(vector) for vector in of_case), text
        for vector in vectors:
            assert told.get(vector["group"], expected(vector)) == expected(vector)


def test_every_other_plural_and_singular_is_one() -> None:
    for tag, theirs, ours in numbers():
        helper, text = tag[2:-3].split(' "')
        (vector,) = (
            each
            for each in VECTORS
            if each["group"] == f"string-{helper}" and each["params"]["v"] == text
        )
        assert (expected(vector), result(vector)) == (theirs, ours)
        assert theirs != ours
