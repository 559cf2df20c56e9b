"""The Handlebars helpers: what each prints, and which arguments it refuses.

What they print in pegasus 1.4 is in test_handlebars_vectors.py.
"""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pegasus.errors import TemplateError
from pegasus.helpers.builtin import HELPERS
from pegasus.template import render

#: The first example imports pybars, which takes longer than hypothesis allows.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def printed(tag: str, **params: object) -> str:
    return render(f"{{{{{tag}}}}}", params)


def refused(tag: str, **params: object) -> str:
    with pytest.raises(TemplateError) as raised:
        printed(tag, **params)
    return str(raised.value)


def test_every_helper_says_what_it_does() -> None:
    assert [name for name, helper in HELPERS.items() if not inspect.getdoc(helper)] == []


@pytest.mark.parametrize(
    ("helper", "text"),
    [
        ("to_lower_case", "hello foo-bars"),
        ("to_upper_case", "HELLO FOO-BARS"),
        ("to_camel_case", "helloFooBars"),
        ("to_pascal_case", "HelloFooBars"),
        ("to_snake_case", "hello_foo_bars"),
        ("to_screaming_snake_case", "HELLO_FOO_BARS"),
        ("to_kebab_case", "hello-foo-bars"),
        ("to_train_case", "Hello-Foo-Bars"),
        ("to_sentence_case", "Hello foo bars"),
        ("to_title_case", "Hello Foo Bars"),
        ("to_class_case", "HelloFooBar"),
        ("to_table_case", "hello_foo_bars"),
        ("to_plural", "bars"),
        ("to_singular", "bar"),
    ],
)
def test_case_and_number(helper: str, text: str) -> None:
    assert printed(f'{helper} "Hello foo-bars"') == text
    assert printed(f'{helper} ""') == ""


def test_helpers_nest() -> None:
    assert printed('to_upper_case (to_singular "Hello foo-bars")') == "BAR"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("facebook/opt-13b", "facebook_opt_13b"),
        ("Llama-3-8B-Instruct", "llama_3_8b_instruct"),
        ("Llama-3-70BInstruct", "llama_3_70b_instruct"),
        ("8Bit", "8_bit"),
        ("HTTPServer", "http_server"),
        ("--a..b__c  d--", "a_b_c_d"),
        ("!?", ""),
    ],
)
def test_words(text: str, words: str) -> None:
    assert printed("to_snake_case v", v=text) == words


def test_replace_is_literal_and_takes_line_breaks() -> None:
    assert printed('replace "abc" "" "-"') == "-a-b-c-"
    assert printed('replace x "\\n" " "', x="a\nb\n") == "a b "
    assert printed('replace x "\n" " "', x="a\nb") == "a b"
    assert printed('replace "a.c" "." "$0\\\\1"') == "a$0\\1c"


def test_trim_takes_white_space_of_any_script() -> None:
    assert printed("trim v", v="\x1c\u200ba\x1f") == "\x1c\u200ba\x1f"
    text = "\u3000\t\n a b \u00a0\r\n"
    assert printed("trim v", v=text) == "a b"
    assert printed("trim_start v", v=text) == "a b \u00a0\r\n"
    assert printed("trim_end v", v=text) == "\u3000\t\n a b"


@pytest.mark.parametrize(
    ("quoted", "text"),
    [
        ('"a b"', "a b"),
        ("'a'", "a"),
        ("`a`", "a"),
        (r'"\n\t\a\b\f\r\v\\\"\'"', "\n\t\a\b\f\r\v\\\"'"),
        (r'"\x41\u00e9\U0001F600\101"', "Aé😀A"),
        ('""', ""),
    ],
)
def test_unquote_decodes(quoted: str, text: str) -> None:
    assert printed("unquote v", v=quoted) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"',
        "a",
        "\"a'",
        "'a",
        "a'b'",
        '"a"b"',
        r'"\q"',
        r'"\x4"',
        r'"\ud800"',
        r'"\U00110000"',
        '"\\"',
    ],
)
def test_unquote_leaves_what_is_not_quoted_well(text: str) -> None:
    assert printed("unquote v", v=text) == text


@settings(RELAXED)
@given(st.text(), st.sampled_from("\"'`"))
def test_unquote_undoes_quote(text: str, mark: str) -> None:
    assert printed("unquote (quote m v)", v=text, m=mark) == text


@settings(RELAXED)
@given(st.text())
def test_shell_quote_makes_one_word(text: str) -> None:
    assert shlex.split(printed("shell_quote v", v=text)) == [text]


def test_a_shell_reads_what_shell_quote_writes() -> None:
    text = 'a\'b "c" $HOME `id` \\ ; rm * \n{}'
    command = render("printf %s {{shell_quote v}}", {"v": text})
    assert subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout == text


def test_first_non_empty_gives_a_default() -> None:
    assert printed('first_non_empty a b "c"', b="") == "c"
    assert printed('first_non_empty a b "c"', b="B") == "B"
    assert printed("first_non_empty a 8") == "8"
    assert printed("first_non_empty a l n", l=["x"], n=None) == ""


def test_comparisons_take_numbers_written_as_text() -> None:
    assert printed('gt "10" "9"') == "true"
    assert printed("gt a 0.05", a="0.1") == "true"
    assert printed('lt a "2e3"', a="1e3") == "true"
    assert printed('gte "032" 32') == printed("lte 32 32.0") == "true"
    assert printed("gt 12345678901234567891 12345678901234567890") == "true"


@pytest.mark.parametrize("value", ["", "abc", "1_0", "0x1F", "nan", "inf", "1e99999", "١", "1 2"])
def test_comparisons_refuse_what_is_no_number(value: str) -> None:
    assert "only numbers can be compared" in refused("gt a 1", a=value)


def test_eq_looks_at_the_kind() -> None:
    assert printed('eq a "5"', a="5") == "true"
    assert printed("eq a 5", a="5") == "false"
    assert printed("eq 1 true") == "false"
    assert printed("ne 1 1.0") == "true"


def test_and_or_not_take_what_if_takes_for_true() -> None:
    assert printed('and "a" "0" 1') == "true"
    assert printed('and "a" ""') == "false"
    assert printed('or "" 0 l', l=[]) == "false"
    assert printed('not ""') == "true"


def test_len_counts_bytes_or_items() -> None:
    assert printed("len v", v="é日") == "5"
    assert printed("len v", v=["a", "b"]) == "2"
    assert printed("len v", v={"a": 1}) == "1"


def test_lookup_finds_items() -> None:
    assert printed("lookup o k", o={"a": "v"}, k="a") == "v"
    assert printed("lookup l 1", l=["a", "b"]) == "b"
    assert (
        render("{{#each l}}{{lookup ../m @index}}{{/each}}", {"l": [1, 2], "m": ["a", "b"]}) == "ab"
    )
    assert "there is no parameter `c`" in refused("lookup o 'c'", o={"a": "v"})
    assert "there is no parameter `-1`" in refused("lookup l -1", l=["a"])
    assert "a list's item is a number" in refused("lookup l '0'", l=["a"])


def test_log_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert printed('log x "secret" level="warn"', x="v") == ""
    assert capfd.readouterr() == ("", "")


def test_assign_sets_a_parameter_for_the_rest_of_this_template() -> None:
    params = {"l": ["a", "b"], "o": {"k": "v"}}
    assert render("{{assign 'x' (trim ' 1 ')}}[{{x}}]", params) == "[1]"
    assert render("{{#each l}}{{assign 'l' this}}{{this}}{{/each}}{{l}}", params) == "abb"
    assert render("{{#with o}}{{assign 'k' 2}}{{k}}{{../k}}{{@root.k}}{{/with}}{{k}}", params) == (
        "v222"
    )
    assert render("{{assign 'p' o}}{{p.k}}{{#if (assign 'q' 1)}}{{else}}{{q}}{{/if}}", params) == (
        "v1"
    )
    assert params == {"l": ["a", "b"], "o": {"k": "v"}}
    assert "there is no parameter `x`" in refused("x")
    assert "there is no parameter `y`" in refused("assign 'x' y")
    assert "usage: {{assign name value}}" in refused("assign 'x'")
    assert "there is no parameter `x`" in refused("x}}{{assign 'x' 1")


@pytest.mark.parametrize(
    ("path", "directory", "name", "suffix"),
    [
        ("/hello/bar/foo.tar.gz", "/hello/bar", "foo.tar.gz", "gz"),
        ("foo", "", "foo", ""),
        ("./foo.txt", ".", "foo.txt", "txt"),
        ("../x", "..", "x", ""),
        ("/x", "/", "x", ""),
        ("//x//y.z//", "//x", "y.z", "z"),
        ("a/./b/.", "a", "b", ""),
        (".bashrc", "", ".bashrc", ""),
        ("a.", "", "a.", ""),
        ("..a", "", "..a", "a"),
        ("a/..", "a", "", ""),
        ("..", "", "", ""),
        (".", "", "", ""),
        ("/", "", "", ""),
        ("//", "", "", ""),
        ("", "", "", ""),
        ("é b/日.本 x", "é b", "日.本 x", "本 x"),
    ],
)
def test_paths_are_taken_apart_as_text(path: str, directory: str, name: str, suffix: str) -> None:
    assert [printed(f"{each} p", p=path) for each in ("parent", "file_name", "extension")] == [
        directory,
        name,
        suffix,
    ]


def test_env_var_reads_the_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "a b")
    monkeypatch.delenv("NOT_HERE", raising=False)
    monkeypatch.setenv("NO_TEXT", os.fsdecode(b"\xff"))
    assert printed("env_var 'HERE'") == "a b"
    assert printed("env_var 'NOT_HERE'") == printed("env_var ''") == printed("env_var 'a=b'") == ""
    assert "the environment variable NO_TEXT is not UTF-8" in refused("env_var 'NO_TEXT'")


def test_read_to_str_reads_a_file_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes("\ufeffé\r\n".encode())
    (tmp_path / "bad").write_bytes(b"\xff")
    os.mkfifo(tmp_path / "pipe")
    assert printed("read_to_str 'a'") == "\ufeffé\r\n"
    assert printed("read_to_str 'no'") == printed("read_to_str ''") == printed("read_to_str 'a/b'")
    assert printed("read_to_str 'no'") == ""
    assert "bad is not UTF-8" in refused("read_to_str 'bad'")
    for path in (".", "pipe"):
        assert f"{path} is not a file" in refused(f"read_to_str '{path}'")


def test_canonicalize_follows_links_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert printed("canonicalize './link/../link/'") == str((tmp_path / "real").resolve())
    assert printed("canonicalize 'no'") == printed("canonicalize ''") == ""


def test_json_helpers_say_what_is_wrong() -> None:
    assert "the formats are json, json_pretty, yaml, toml, toml_pretty" in refused(
        "json_to_str 1 format='xml'"
    )
    assert "an argument is an object, where a text or a number is wanted; json_to_str" in refused(
        "str_to_json o", o={}
    )
    assert "`nofn(@)`: Unknown function: nofn()" in refused("json_query 'nofn(@)' o", o={})
    assert "`a.[`: Invalid jmespath expression" in refused("json_query 'a.[' o", o={})
    assert "there is no parameter `nope`" in refused("json_query 'a' nope")
    assert "there is no parameter `nope`" in refused("json_to_str 1 format=nope")
    assert "usage: {{json_str_query expression text [format=…]}}" in refused("json_str_query 'a'")
    assert "this block has no {{else}}" in refused("#to_json}}1{{else}}2{{/to_json")


def test_json_query_gives_values_to_blocks_and_helpers() -> None:
    config = {"b": {"n": ["x", "é"]}, "a": 1}
    template = '{{#each (json_query "b.n" c)}}{{this}};{{/each}}{{len (json_query "keys(@)" c)}}'
    assert render(template, {"c": config}) == "x;é;2"
    assert printed('json_query "to_string(b)" c', c=config) == '{"n":["x","é"]}'
    assert printed("json_query \"join('-', keys(@))\" c", c=config) == "a-b"
    assert printed('json_query "nope" c', c=config) == ""


@pytest.mark.parametrize(
    "helper", ["trim", "to_snake_case", "to_plural", "quote '\"'", "shell_quote"]
)
def test_helpers_of_text_take_numbers_and_refuse_the_rest(helper: str) -> None:
    assert "5" in printed(f"{helper} 5")
    assert (
        "an argument is a list, where a text or a number is wanted; json_to_str makes text of it"
    ) in refused(f"{helper} l", l=[])
    assert "an argument is an object" in refused(f"{helper} o", o={})
    assert "an argument is null, and text is wanted" in refused(f"{helper} n", n=None)
    assert "an argument is true, and text is wanted" in refused(f"{helper} true")


@pytest.mark.parametrize("name", sorted(HELPERS))
def test_a_helper_without_its_arguments_tells_its_usage(name: str) -> None:
    if name == "first_non_empty":
        assert printed(name) == ""
    else:
        assert f"usage: {{{{{name} " in refused(name)
