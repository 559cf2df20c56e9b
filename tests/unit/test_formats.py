"""JSON, YAML and TOML as texts: what is written is read again, and what is no such text is told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pegasus.errors import TemplateError
from pegasus.helpers import formats
from pegasus.helpers.formats import FORMATS
from pegasus.template import render

RELAXED = settings(deadline=None, max_examples=200)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "a\nb",
        "'",
        "'''",
        '"""\n',
        "\\",
        "C:\\x\n'",
        "yes",
        "032",
        "1e3",
        "~",
        "",
        " x",
        "- a: b",
        "#",
    ]
)
SCALARS = TEXT | NUMBERS | st.booleans()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)


@RELAXED
@given(OBJECTS, st.sampled_from(sorted(FORMATS)))
def test_an_object_is_read_as_it_was_written(value: object, name: str) -> None:
    text = formats.write(value, name)
    assert formats.read(text, name) == (formats.plain(value) if text else "")


@RELAXED
@given(VALUES | st.none(), st.sampled_from(["json", "json_pretty", "yaml"]))
def test_any_value_is_read_as_it_was_written(value: object, name: str) -> None:
    text = formats.write(value, name)
    assert formats.read(text, name) == (value if text else "")
    assert (text == "") == (value is None or value == "")


@RELAXED
@given(OBJECTS)
def test_json_and_yaml_are_what_others_read(value: object) -> None:
    assert json.loads(formats.write(value, "json")) == value
    assert formats.write(value, "json").count("\n") == 0
    yaml.compose(formats.write(value, "yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: yes", {"a": "yes"}),
        ("a: 032", {"a": "032"}),
        ("a: 1e-3", {"a": 0.001}),
        ("a: .5", {"a": 0.5}),
        ("a: 0x1F", {"a": 31}),
        ("a: +5", {"a": 5}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: !!str 5", {"a": "5"}),
        ("1: a\ntrue: b\n~: c", {"1": "a", "true": "b", "null": "c"}),
        ("a: &x {q: 1}\nb: {<<: *x}", {"a": {"q": 1}, "b": {"<<": {"q": 1}}}),
        ("# nothing", None),
    ],
)
def test_yaml_is_read_as_its_version_1_2(text: str, value: object) -> None:
    assert formats.read(text, "yaml") == value


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("json", "{bad", "the text is not JSON: Expecting property name .* column 2"),
        ("json", " ", "the text is not JSON"),
        ("json", "NaN", "the text is not JSON: NaN is no number there"),
        ("json", "1e400", "the number inf is out of range"),
        ("yaml", "a: [", "the text is not YAML: .* \\(line 1, column 5\\)"),
        ("yaml", "a: !foo b", "the text is not YAML: could not determine a constructor"),
        ("yaml", "a: !!int x", "the text is not YAML: 'x' is not a whole number"),
        ("yaml", "a: \x01", "the text is not YAML"),
        ("yaml", "a\n---\nb", "the text is not YAML"),
        ("yaml", "a: .inf", "the number inf is out of range"),
        ("yaml", "[a]: 1", "is a list"),
        ("yaml", "!!set {a}", "a value of type set has no place in JSON"),
        ("toml", "a = ", "the text is not TOML"),
        ("toml", "a = nan", "the number nan is out of range"),
        ("xml", "<a/>", "there is no such format; the formats are json, json_pretty, yaml, toml"),
    ],
)
def test_what_cant_be_read_is_told(name: str, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        formats.read(text, name)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([1], "only an object can be written as TOML"),
        ("x", "only an object can be written as TOML"),
        ({"a": 2**63}, "TOML has no whole number as large as 9223372036854775808"),
    ],
)
def test_what_toml_cant_express_is_told(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        formats.write(value, "toml")


def test_null_is_left_out_of_toml() -> None:
    assert formats.write({"a": None, "b": [None, 1], "c": {"d": None}}, "toml") == (
        "b = [1]\n\n[c]\n"
    )


def test_a_value_that_contains_itself_is_an_error() -> None:
    with pytest.raises(TemplateError, match=r"nests too deeply|RecursionError"):
        render('{{json_to_str (str_to_json "&a [*a]" format="yaml")}}', {})


def test_libraries_are_imported_by_the_first_helper_that_needs_them() -> None:
    code = """
import sys
from pegasus.template import check, render
libraries = {"yaml", "jmespath", "tomllib", "tomli", "inflection"}
render("{{json_to_str x}}{{json_to_str (str_to_json y)}}", {"x": [], "y": "{}"})
check('{{json_query "a" x}}{{to_snake_case x}}{{#to_json format="yaml"}}{{/to_json}}')
assert not libraries & set(sys.modules), libraries & set(sys.modules)
render('{{json_query "a" x}}', {"x": {}})
assert "jmespath" in sys.modules and not {"yaml", "inflection"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
