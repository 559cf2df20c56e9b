"""The templates in tests/cases/handlebars print what they print in pegasus 1.4, or differ
for a reason that is given here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pegasus.errors import TemplateError
from pegasus.template import render

CASES = Path(__file__).parents[1] / "cases" / "handlebars" / "vectors.jsonl"
VECTORS: list[dict[str, Any]] = [json.loads(line) for line in CASES.read_text().splitlines()]

ERROR = object()

#: Where we differ on purpose: the reason, and what each template gives here.
DIFFERENT: dict[str, dict[str, object]] = {
    "{{x}}, {{{x}}} and {{&x}} are the same, with a helper too": {
        '{{&replace x "a" "<"}}': "<'b",
    },
    "a list or an object has no text that a command could want": {
        "{{this}}": ERROR,
        "[{{x}}]": ERROR,
    },
    "a raw block's text is exactly as written": {
        "{{{{raw}}}} {{.Names}} {{{{/raw}}}}": " {{.Names}} ",
        "{{{{raw}}}}a\\{{b}}{{{{/raw}}}}": "a\\{{b}}",
    },
    "else takes a block: it is not ignored": {
        "{{#if missing}}1{{else if x}}2{{else}}3{{/if}}": "2",
        "{{#each l}}{{this}}{{else unless x}}q{{/each}}": "pq",
    },
    "the body of a helper that is no block would be dropped in silence": {
        '{{#eq x "V"}}Y{{else}}N{{/eq}}': ERROR,
        "{{#and x x}}Y{{else}}N{{/and}}": ERROR,
    },
    "there are no partials, so there is none to fall back from": {
        "{{#> nope}}fallback{{/nope}}": ERROR,
    },
    "numbers are text, and text that reads like a number can be compared": {
        "{{gt 1.5 1}}": "true",
        "{{to_lower_case num}}": "3",
        "{{to_lower_case 5}}": "5",
        '{{quote "\'" num}}': "'3'",
        "{{unquote num}}": "3",
        "{{first_non_empty num}}": "3",
    },
    "too many arguments are a mistake": {
        '{{replace x "V" "W" "extra"}}': ERROR,
        "{{to_lower_case v v}}": ERROR,
    },
}
BY_TEMPLATE = {
    template: result for results in DIFFERENT.values() for template, result in results.items()
}

#: A parameter of the same name beats these helpers where the tag has no arguments.
BEATEN = ["if", "with", "raw", "log", "len", "eq", "not", "trim", "quote", "parent", "assign"]

#: Where ours splits words in another way (acronyms, digits, letters beyond ASCII), as snake case.
OTHER_WORDS = {
    "HTTPServer": "http_server",
    "parseHTTPResponse": "parse_http_response",
    "aB": "a_b",
    "facebook/opt-13b": "facebook_opt_13b",
    "Llama-3-8B": "llama_3_8b",
    "gpt-4o": "gpt_4o",
    "my_model_v2": "my_model_v2",
    "node-1": "node_1",
    "v1.2.3": "v1_2_3",
    "x1y2": "x1y2",
    "123abc": "123abc",
    "éclair naïve": "éclair_naïve",
    "ÄÖÜ straße": "äöü_straße",
}

#: Where inflection, which we use, knows another plural or singular than pegasus 1.4, whose
#: rules give `personople`.
OTHER_NUMBER = {
    "to_plural": {
        "": "",
        "person": "people",
        "people": "people",
        "women": "women",
        "mouse": "mice",
        "hero": "heros",
        "fish": "fish",
        "radius": "radius",
        "fungus": "fungus",
    },
    "to_singular": {
        "heroes": "hero",
        "potatoes": "potato",
        "knives": "knife",
        "media": "medium",
        "feet": "feet",
    },
}


def result(vector: dict[str, Any]) -> object:
    try:
        return render(vector["template"], vector["params"])
    except TemplateError:
        return ERROR


def expected(vector: dict[str, Any]) -> object:
    return ERROR if vector.get("error") else vector["output"]


def words_differ(vector: dict[str, Any]) -> bool:
    group = vector["group"]
    is_case = group.endswith("_case") and group not in (
        "string-to_lower_case",
        "string-to_upper_case",
    )
    return is_case and vector["params"]["v"] in OTHER_WORDS


def ours(vector: dict[str, Any]) -> object:
    """What a vector gives here, where we differ on purpose; else what is expected."""
    if vector["template"] == "[{{x}}]" and not isinstance(vector["params"].get("x"), (list, dict)):
        return expected(vector)
    helper = vector["group"].removeprefix("string-")
    if helper in OTHER_NUMBER:
        return OTHER_NUMBER[helper].get(vector["params"]["v"], expected(vector))
    name = vector["template"][2:-2]
    if name in BEATEN and name in vector["params"]:
        return vector["params"][name]
    return BY_TEMPLATE.get(vector["template"], expected(vector))


@pytest.mark.parametrize("group", sorted({vector["group"] for vector in VECTORS}))
def test_templates_print_what_they_print_in_pegasus_1_4(group: str) -> None:
    wrong = [
        (vector["template"], vector["params"], ours(vector), result(vector))
        for vector in VECTORS
        if vector["group"] == group and not words_differ(vector) and result(vector) != ours(vector)
    ]
    assert wrong == []


@pytest.mark.parametrize("text", OTHER_WORDS)
def test_words_are_split_alike_by_all_helpers_for_case(text: str) -> None:
    words = OTHER_WORDS[text].split("_")
    capitalized = [word[:1].upper() + word[1:] for word in words]
    forms = {
        "snake": "_".join(words),
        "screaming_snake": "_".join(words).upper(),
        "kebab": "-".join(words),
        "train": "-".join(capitalized),
        "title": " ".join(capitalized),
        "sentence": " ".join([*capitalized[:1], *words[1:]]),
        "pascal": "".join(capitalized),
        "class": "".join(capitalized),
        "camel": "".join([*words[:1], *capitalized[1:]]),
        "table": "_".join(words) + "s",
    }
    printed = {name: render(f"{{{{to_{name}_case v}}}}", {"v": text}) for name in forms}
    assert printed == forms


def test_every_listed_difference_is_one() -> None:
    """A difference that has gone must leave the list."""
    for template in BY_TEMPLATE:
        vectors = [each for each in VECTORS if each["template"] == template]
        assert any(result(each) != expected(each) for each in vectors), template
    for name in BEATEN:
        vectors = [each for each in VECTORS if each["template"] == f"{{{{{name}}}}}"]
        assert any(result(each) != expected(each) for each in vectors), name
    for text in OTHER_WORDS:
        vectors = [each for each in VECTORS if each["params"].get("v") == text]
        assert any(words_differ(each) and result(each) != expected(each) for each in vectors), text
    for helper, words in OTHER_NUMBER.items():
        for each in VECTORS:
            if each["group"] == f"string-{helper}" and each["params"]["v"] in words:
                assert result(each) != expected(each)
