"""Users' helpers: how they are registered, what they are given, and what they may return."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from invoke import Collection, Config

import pegasus
from pegasus.errors import SettingsError, TemplateError
from pegasus.helpers import registry
from pegasus.helpers.registry import Registry, helper
from pegasus.settings import Settings
from pegasus.template import check, render


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Have a registry without the helpers of other tests."""
    fresh = Registry()
    monkeypatch.setattr(registry, "REGISTRY", fresh)
    return fresh


def slug(text: str) -> str:
    return "-".join(text.lower().split())


def refused(template: str, params: Mapping[str, object] | None = None) -> str:
    with pytest.raises(TemplateError) as raised:
        render(template, params or {})
    return str(raised.value)


def test_a_decorated_function_is_a_helper_by_its_own_name_or_another() -> None:
    assert pegasus.helper is helper
    assert helper(slug) is slug
    assert helper("slug-of")(slug) is slug
    assert helper()(refused) is refused
    check("{{slug x}}{{refused x}}")
    assert render("{{slug x}} {{slug-of x}}", {"x": "A b"}) == "a-b a-b"


def test_a_helper_works_within_others_and_blocks() -> None:
    helper("split")(str.split)
    helper("is_big")(lambda model: "70b" in model)
    template = '{{#if (is_big m)}}{{#each (split "a b")}}{{to_upper_case this}}{{/each}}{{/if}}'
    assert render(template, {"m": "l-70b"}) == "AB"


def test_a_helper_gets_plain_values_which_are_its_own() -> None:
    given: list[Any] = []

    @helper
    def keep(*values: object, **options: object) -> str:
        given.append((values, options))
        values[1].append("more")  # type: ignore[attr-defined]
        return ""

    params = {"t": "08", "l": ["a"], "o": {"k": ("b",)}}
    assert render('{{keep t l o 5 1.5 true null "s" key="v"}}', params) == ""
    assert given == [(("08", ["a", "more"], {"k": ["b"]}, 5, 1.5, True, None, "s"), {"key": "v"})]
    assert params["l"] == ["a"]


def test_missing_parameters_are_refused_before_a_helper_is_called() -> None:
    helper("boom")(lambda value: 1 / 0)
    assert "there is no parameter `nope`" in refused("{{boom nope}}")


@pytest.mark.parametrize(
    ("value", "printed"), [("é", "é"), (5, "5"), (0.5, "0.5"), (True, "true"), ("", "")]
)
def test_what_a_helper_returns_is_printed_as_text(value: object, printed: str) -> None:
    helper("give")(lambda: value)
    assert render("{{give}}", {}) == printed


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, 'the helper `give` failed: it returned None; return a text, perhaps ""'),
        (Path("a"), "it returned something of type PosixPath; return a text or a number"),
        (b"x", "it returned something of type bytes"),
        ([1], "is a list, where a text or a number is wanted; json_to_str makes text of it"),
        ({}, "is an object"),
        ("\udc80", "the helper `give` failed: "),
    ],
)
def test_what_has_no_text_is_refused(value: object, problem: str) -> None:
    helper("give")(lambda: value)
    assert problem in refused("{{give}}")


def test_a_helper_that_raises_is_named_with_its_message() -> None:
    @helper
    def pick(name: str) -> str:
        return {"a": "b"}[name]

    @helper
    def no(name: str) -> str:
        raise ValueError(f"{name} is not a model")

    message = refused("echo\n {{pick x}}", {"x": "zz"})
    assert message == "the helper `pick` failed: KeyError: 'zz' (line 2, column 2 of the template)"
    assert "the helper `no` failed: zz is not a model" in refused("{{no x}}", {"x": "zz"})


def test_other_arguments_than_it_takes_tell_its_usage() -> None:
    helper(slug)
    assert "usage: {{slug text}}" in refused("{{slug x x}}", {"x": "a"})
    assert "usage: {{slug text}}" in refused('{{slug x style="kebab"}}', {"x": "a"})


def test_a_misspelt_helper_is_told_the_nearest() -> None:
    helper(slug)
    assert "did you mean `slug`?" in refused("{{slugg x}}", {"x": "a"})


@pytest.mark.parametrize("name", ["trim", "if", "from_json", "assign"])
def test_our_helpers_and_blocks_cant_be_replaced(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^pegasus has a helper `{name}` itself"):
        registry.REGISTRY.use({name: slug})
    helper(name)(slug)
    with pytest.raises(SettingsError, match=rf"{__name__}.py:\d+: pegasus has a helper `{name}`"):
        registry.REGISTRY.use({})


@pytest.mark.parametrize("name", ["", "a b", "8x", "this", "else", "a.b", "-x", "<lambda>", "x="])
def test_a_name_that_templates_cant_call_is_refused(name: str) -> None:
    helper(name)(slug)
    with pytest.raises(SettingsError, match="can't be the name of a helper; give it one of"):
        registry.REGISTRY.use({})


def test_a_function_without_a_name_needs_one() -> None:
    helper(lambda text: text)
    with pytest.raises(SettingsError, match=r"'<lambda>' can't be .* as in @helper\(\"slug\"\)"):
        registry.REGISTRY.use({})


def test_something_else_than_a_function_is_refused() -> None:
    with pytest.raises(SettingsError, match="the helper `slug` must be a function, not 'x'"):
        registry.REGISTRY.use({"slug": "x"})  # type: ignore[dict-item]


def test_another_function_of_the_same_name_is_refused_but_a_reload_is_not() -> None:
    module = 'def slug(text):\n    return "{}"'
    for version in ("one", "two"):
        namespace: dict[str, Any] = {"__name__": "tasks"}
        exec(module.format(version), namespace)
        helper(namespace["slug"])
    assert render("{{slug 1}}", {}) == "two"
    helper(slug)
    with pytest.raises(SettingsError, match=r"there is a helper `slug` already, tasks\.slug"):
        registry.REGISTRY.use({})


def test_the_setting_wins_over_the_decorator_and_the_argument_over_both() -> None:
    helper("who")(lambda: "decorated")
    assert render("{{who}}", {}) == "decorated"
    registry.REGISTRY.use({"who": lambda: "configured"})
    assert render("{{who}}", {}) == "configured"
    assert render("{{who}}", {}, {"who": lambda: "given"}) == "given"
    registry.REGISTRY.use({})
    assert render("{{who}}", {}) == "decorated"


def test_helpers_given_to_render_are_checked_alike() -> None:
    with pytest.raises(TemplateError, match="it returned None"):
        render("{{f}}", {}, {"f": lambda: None})


def test_a_collection_is_configured_with_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_PEGASUS_HELPERS", "text")
    collection = Collection("ns")
    collection.configure({"pegasus": {"helpers": {"slug": slug}}})
    config = Config(overrides=collection.configuration())
    config.load_shell_env()
    settings = Settings.from_config(config)
    assert settings.helpers == {"slug": slug}
    hash(settings)
    registry.REGISTRY.use(settings.helpers)
    assert render("{{slug x}}", {"x": "A b"}) == "a-b"


def test_the_setting_must_be_functions_by_name() -> None:
    with pytest.raises(SettingsError, match="helpers must be functions by their names"):
        Settings.from_config(Config({"pegasus": {"helpers": ["slug"]}}))
    assert Settings.from_config(Config({"pegasus": {}})).helpers == {}


def test_threads_register_and_render_together(own: Registry) -> None:
    def work(number: int) -> str:
        own.register(f"h{number}", lambda text: f"{number}{text}")
        return render(f"{{{{h{number} x}}}}", {"x": "!"})

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(100))) == [f"{number}!" for number in range(100)]


def test_the_decorator_is_cheap_to_import() -> None:
    code = "import sys; from pegasus import helper; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "pegasus.helpers.registry" in loaded
    assert "pegasus.helpers.builtin" not in loaded
