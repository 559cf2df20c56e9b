"""Templates: what they print, what is refused, and how that is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from pegasus.errors import TemplateError
from pegasus.template import check, render


def refusal(template: str, params: Mapping[str, object] | None = None, **helpers: object) -> object:
    """Return the TemplateError of rendering `template`."""
    with pytest.raises(TemplateError) as raised:
        render(template, params or {}, helpers)  # type: ignore[arg-type]
    return raised.value


# Plain text


@pytest.mark.parametrize(
    "command",
    [
        "",
        "echo ${HOME} ${#a[@]} ${x:-{a}} ${f%.*}",
        "cp a.{txt,md} b; seq {1..3}",
        r"find . -name x -exec rm {} \;",
        "awk '{print $1}' | jq '{a: {b: .c}}'",
        "python -c 'd = {1: {2: 3}}'",
        "curl -w '%{http_code}' {% x %} {# y #}",
        "lone { and } and }} and \\ at the end \\",
        "a ~}} b }}~ c",
        "  \t spaces \r\n and lines \n\n",
        "{ {x} }",
        "a { {b",
    ],
)
def test_shell_text_without_tags_is_unchanged(command: str) -> None:
    assert render(command, {}) == command
    check(command)


@pytest.mark.parametrize("params", [{"x": "v"}])
@pytest.mark.parametrize(
    ("template", "command"),
    [
        ("${{x}} ${{{x}}} {{{x}}}}", "$v $v v}"),
        ("{{x}}}} {{{x}} }", None),
        ("""curl -d '{"a":{"b":{{x}}}}'""", """curl -d '{"a":{"b":v}}'"""),
        ("f(){ echo {{x}}; }", "f(){ echo v; }"),
        ("{ {{~x~}} }", "{v}"),
        ("~}} {{x}} ~}}", "~}} v ~}}"),
        ("a\n\n  {{x}}  \n\nb", "a\n\n  v  \n\nb"),
    ],
)
def test_braces_of_the_shell_beside_tags_are_kept(
    template: str, command: str | None, params: Mapping[str, str]
) -> None:
    if command is None:
        refusal(template, params)
    else:
        assert render(template, params) == command


@pytest.mark.parametrize(
    ("template", "command"),
    [
        (r"docker ps --format '\{{.Names}}'", "docker ps --format '{{.Names}}'"),
        (r"xargs -I\{{}} echo \{{}}", "xargs -I{{}} echo {{}}"),
        (r"\{{{x}}} \{{{{x}}}}", "{{{x}}} {{{{x}}}}"),
        (r"\\{{x}} \\\{{x}}", r"\v \\v"),
        (r"\{{x}}\{{x}}{{x}}", "{{x}}{{x}}v"),
        (r"\{{#if x}}{{x}}\{{/if}}", "{{#if x}}v{{/if}}"),
        ("{{{{raw}}}}{{#if}} {{ \\{{x}} {{{{/raw}}}}{{x}}", "{{#if}} {{ \\{{x}} v"),
        ("{{{{ raw }}}}a{{{{ /raw }}}}", "a"),
        ("{{!x}}{{! a }}{{!-- {{x}} }} --}}{{x}}", "v"),
    ],
)
def test_braces_can_be_written(template: str, command: str) -> None:
    assert render(template, {"x": "v"}) == command


# Values


def test_values_are_never_escaped() -> None:
    value = "a & 'b' \"c\" <d> `e` =1 $HOME \\ {{x}} \n\t é 日本"
    for template in ("{{x}}", "{{{x}}}", "{{&x}}", "{{~x~}}", "{{{ x }}}", "{{~{x}~}}"):
        assert render(template, {"x": value}) == value


def test_values_are_not_rendered_again() -> None:
    assert render("{{a}}", {"a": "{{b}}", "b": "no"}) == "{{b}}"


@pytest.mark.parametrize(
    "name", ["class", "None", "true", "12", "0", "my-key", "_x", "é", "$x", "keys", "if", "len"]
)
def test_a_parameter_may_have_any_name(name: str) -> None:
    assert render(f"{{{{{name}}}}}", {name: "v"}) == "v"
    assert render(f"{{{{[{name}]}}}}", {name: "v"}) == "v"


@pytest.mark.parametrize(
    "name", ["my key", "a.b", '"', "'); import os", "\\", "{", "}}", "x\n    y", "a|b", "/", "else"]
)
def test_names_in_brackets_are_names_and_never_code(name: str) -> None:
    assert render(f"{{{{[{name}]}}}}", {name: "v"}) == "v"
    assert refusal(f"{{{{[{name}]}}}}").name == f"[{name}]"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    ["keys", "items", "__class__", "x.upper", "x.__class__", "x.0", "this.keys", "@root.keys"],
)
def test_attributes_are_out_of_reach(name: str) -> None:
    assert "there is no parameter" in str(refusal(f"{{{{{name}}}}}", {"x": "v"}))


class Double(float):
    def __repr__(self) -> str:
        return "Double"


class Whole(int):
    def __str__(self) -> str:
        return "Whole"


def test_numbers_of_other_kinds_print_their_digits() -> None:
    params = {"x": Double(0.1), "y": Whole(3), "z": 10**400}
    assert render("{{x}} {{y}} {{z}}", params) == f"0.1 3 1{'0' * 400}"
    assert "of too many digits" in str(refusal("{{x}}", {"x": 10**5_000}))


def test_numbers_and_truth_print_as_in_json() -> None:
    params = {"i": 3, "f": 1e-07, "g": 1e16, "t": True, "n": None}
    assert render("{{i}} {{f}} {{g}} {{t}} {{n}}.", params) == "3 1e-7 1e16 true ."


@pytest.mark.parametrize("value", [[1], {"a": 1}, (), b"x", object()])
def test_what_has_no_text_is_refused(value: object) -> None:
    assert "a text or a number is wanted" in str(refusal("rm {{x}}", {"x": value}))


def test_params_may_be_any_mapping() -> None:
    assert render("{{x}}", MappingProxyType({"x": "v"})) == "v"


# Missing parameters


def test_a_missing_parameter_is_named_with_those_there_are() -> None:
    error = refusal("train\n  --bs {{ btch_size }}", {"batch_size": "8", "lr": "1", "host": "h"})
    assert isinstance(error, TemplateError)
    assert error.problem == "there is no parameter `btch_size`"
    assert error.hint == "did you mean `batch_size`?; there are: batch_size, lr, host"
    assert (error.line, error.column) == (2, 8)
    assert error.tag == "{{ btch_size }}"
    assert error.name == "btch_size"


@pytest.mark.parametrize(
    "template",
    [
        "{{x}}",
        "{{a.b}}",
        '{{replace x "a" "b"}}',
        '{{replace "a" (trim x) "b"}}',
        "{{not x}}",
        "{{#if (not x)}}{{/if}}",
        "{{#each x}}a{{/each}}",
        "{{#with x}}a{{/with}}",
        "{{lookup a x}}",
        "{{lookup a 'x'}}",
        "{{@index}}",
        "{{#if a}}{{x}}{{/if}}",
    ],
)
def test_a_missing_parameter_is_never_nothing(template: str) -> None:
    assert "there is no parameter" in str(refusal(template, {"a": {"c": 1}}))


def test_a_part_of_a_text_is_refused_with_a_fitting_hint() -> None:
    error = str(refusal("{{x.y}}", {"x": "v"}))
    assert "what stands before it is a text, which has no parts" in error
    assert "@root" not in error


def test_a_value_outside_of_a_block_is_not_seen_inside_and_the_hint_says_how() -> None:
    error = refusal("{{#each l}}{{x}}{{/each}}", {"l": ["a"], "x": "v"})
    assert "write `@root.x`" in str(error)


def test_a_default_and_a_condition_may_name_a_missing_parameter() -> None:
    assert render('{{first_non_empty x "8"}}', {}) == "8"
    assert render("{{#if x}}a{{else}}b{{/if}}{{#unless x}}c{{/unless}}", {}) == "bc"
    assert render("{{#each x}}a{{else}}b{{/each}}{{#with x}}a{{else}}c{{/with}}", {}) == "bc"


# Blocks


def test_else_if_takes_the_first_that_is_true() -> None:
    template = "{{#if a}}1{{else if b}}2{{else if c}}3{{else}}4{{/if}}"
    assert [render(template, {name: "y"}) for name in "abcd"] == ["1", "2", "3", "4"]
    assert render("{{#if a}}1{{else if b}}2{{/if}}.", {}) == "."


def test_text_that_reads_like_false_is_true() -> None:
    assert render("{{#if x}}y{{/if}}", {"x": "false"}) == "y"
    assert render("{{#if x}}y{{/if}}", {"x": "0"}) == "y"
    assert render("{{#if x}}y{{else}}n{{/if}}", {"x": ""}) == "n"


def test_each_sees_its_item_its_number_and_what_is_around() -> None:
    params = {"l": [{"k": "a", "v": ["p", "q"]}, {"k": "b", "v": []}], "x": "X"}
    template = (
        "{{#each l}}{{k}}{{@index}}:{{#each v}}{{this}}{{../k}}{{../../x}}{{@../index}}{{@index}}"
        "{{#unless @last}},{{/unless}}{{else}}-{{/each}};{{/each}}"
    )
    assert render(template, params) == "a0:paX00,qaX01;b1:-;"


def test_block_parameters_name_the_item_and_its_key() -> None:
    params = {"l": ["p", "q"], "o": {"b": {"z": 1}}}
    template = (
        "{{#each l as |v i|}}{{#each ../o as |w k|}}{{i}}{{v}}{{k}}{{w.z}} {{/each}}{{/each}}"
    )
    assert render(template, params) == "0pb1 1qb1 "
    assert render("{{#with o as | q |}}{{q.b.z}}{{b.z}}{{/with}}", params) == "11"


def test_a_tag_alone_on_its_line_goes_with_the_line() -> None:
    block = "a\n  {{#if x}}\n  b\n  {{else}}\n  c\n  {{/if}}\n"
    template = f"{block}{{{{! why }}}}\nd\n{{{{{{{{raw}}}}}}}}\ne\n{{{{{{{{/raw}}}}}}}}\n"
    assert render(template, {"x": "y"}) == "a\n  b\nd\ne\n"
    assert render(template, {"x": ""}) == "a\n  c\nd\ne\n"
    assert render(template.replace("\n", "\r\n"), {"x": "y"}) == "a\r\n  b\r\nd\r\ne\r\n"


def test_a_tag_with_something_else_on_its_line_leaves_the_white_space() -> None:
    assert render("a {{#if x}} b {{/if}} \nc", {"x": "y"}) == "a  b  \nc"
    assert render("{{x}}\n  {{x}}\n", {"x": "y"}) == "y\n  y\n"
    assert render("{{! a }}{{! b }}\nc", {}) == "\nc"


def test_a_tilde_takes_the_white_space_to_its_side_only() -> None:
    assert render("a \n {{~x}} b {{x~}} \n c", {"x": "v"}) == "av b vc"
    assert render("1 {{~#if x~}} y {{~else~}} n {{~/if~}} 2", {"x": "v"}) == "1y2"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (r'{{trim "a\"b\\\n\u00e9"}}', 'a"b\\\né'),
        (r"{{trim 'a\'b\"c'}}".replace(r"\"", '"'), "a'b\"c"),
        ('{{trim "a\nb"}}', "a\nb"),
        ('{{trim "}} {{x}} ${y}"}}', "}} {{x}} ${y}"),
        ("{{first_non_empty 1.5}} {{first_non_empty -3}} {{len true}}", "1.5 -3 0"),
        ("{{eq null x}} {{eq true true}} {{eq 1E3 1000.0}}", "true true true"),
        ('{{lookup {"a": {"b": 1}, "c": "d"} "c"}}', "d"),
        ('{{(replace "a" "a" (trim " b "))}}', "b"),
        ("{{\n replace\t'a'\n'a'\r\n'b'\n}}", "b"),
        ("{{trim nullable}}{{trim truely}}{{trim 1x}}", "abc"),
    ],
)
def test_arguments(template: str, text: str) -> None:
    params = {"x": None, "nullable": "a", "truely": "b", "1x": "c"}
    assert render(template, params) == text


# What is refused

WRONG = [
    ("rm -rf /data/{{ dir", "this tag is never closed"),
    ("rm -rf /data/{{", "this tag is never closed"),
    ("rm -rf /data/{{dir}", "this tag is never closed"),
    ("{{{dir}}", "unexpected `}` in this tag"),
    ("{{#if dir}}rm", "the block `if` is never closed"),
    ("{{#if dir}}a{{else}}rm", "the block `if` is never closed"),
    ("{{#if dir}}a{{else if dir}}rm", "the block `if` is never closed"),
    ("{{#if dir}}rm{{/each}}", "{{/each}} closes no block"),
    ("{{#if a}}{{#each b}}{{/if}}{{/each}}", "{{/if}} closes no block"),
    ("rm{{/if}}", "{{/if}} closes no block"),
    ("{{else}}", "this `else` stands outside of any block"),
    ("{{#if a}}{{else}}{{else}}{{/if}}", "the block `if` has an `else` already"),
    ("{{#if a}}{{else}}{{else if b}}{{/if}}", "the block `if` has an `else` already"),
    ("{{#raw}}a{{else}}b{{/raw}}", "the block `raw` has no `else`"),
    ("{{{{raw}}}}rm", "this raw block is never closed"),
    ("{{{{x}}}}", "only {{{{raw}}}} … {{{{/raw}}}} has four braces"),
    ("{{! rm", "this comment is never closed"),
    ("{{!-- a }} rm", "this comment is never closed"),
    ("{{}}", "this tag is empty"),
    ("docker ps --format '{{.Names}}'", "unexpected `.` in this tag"),
    ("awk 'BEGIN{{x=1}}'", "unexpected `=` in this tag"),
    ("{{x | upper}}", "unexpected `|` in this tag"),
    ("{{a.}}", "unexpected `.` in this tag"),
    ("{{\u00a0x}}", "unexpected character U+00A0 in this tag"),
    ('{{trim "a}}', "a string in this tag is never closed"),
    ('{{trim "\\d"}}', 'the string "\\d" has an escape that isn\'t one'),
    ('{{trim "\\ud800"}}', 'the string "\\ud800" has an escape that isn\'t one'),
    ("{{trim 1e999}}", "the number 1e999 is out of range"),
    ('{{trim {"a": NaN}}}', "the number NaN is out of range"),
    ("{{trim x=1 x=2}}", "an argument of `trim` is given twice"),
    ("{{a.b c}}", "`a.b` is not the name of a helper"),
    ("{{[trim] c}}", "`[trim]` is not the name of a helper"),
    ("{{nosuch x}}", "there is no helper `nosuch`"),
    ("{{trim (nosuch)}}", "there is no helper `nosuch`"),
    ("{{#if x}}{{else}}{{nosuch x}}{{/if}}", "there is no helper `nosuch`"),
    ("{{if x}}", "`if` is a block"),
    ("{{#x}}a{{/x}}", "there is no block `x`"),
    ("{{#eq a b}}a{{/eq}}", "there is no block `eq`"),
    ("{{^x}}a{{/x}}", "{{^…}} is not understood"),
    ("{{> x}}", "partials and decorators are not supported"),
    ("{{" + "trim (" * 20 + "x" + ")" * 20 + "}}", "parentheses nest deeper than 16 levels"),
    ("{{#if x}}" * 51 + "{{/if}}" * 51, "blocks nest deeper than 50 levels"),
    ("{{#if x}}" + "{{else if x}}" * 60 + "{{/if}}", "blocks nest deeper than 50 levels"),
]


@pytest.mark.parametrize(("template", "problem"), WRONG)
def test_a_wrong_template_is_refused_before_it_is_rendered(template: str, problem: str) -> None:
    with pytest.raises(TemplateError) as raised:
        check(template)
    assert raised.value.problem == problem
    rendered = refusal(template, {"dir": "d", "x": "v", "a": "v", "b": ["v"]})
    assert rendered.problem == problem  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("template", "line", "column", "tag"),
    [
        ("a\nb {{x}} {{bad", 2, 9, "{{bad"),
        ("a {{x}\n b", 1, 3, "{{x}"),
        ("{{x}}\r\n\r\n  {{/if}} c", 3, 3, "{{/if}}"),
        ("{{#if x}}\n{{#each x}}\n", 2, 1, "{{#each x}}"),
        ("\n {{trim (trim\n nosuch)}}", 2, 2, "{{trim (trim\n nosuch)}}"),
        ("é {{y}}", 1, 3, "{{y}}"),
        ("{{#if x}}\n{{y}}{{/if}}", 2, 1, "{{y}}"),
        ("{{" + "y" * 100 + "}}", 1, 1, "{{" + "y" * 58 + "…"),
    ],
)
def test_an_error_tells_line_column_and_tag(
    template: str, line: int, column: int, tag: str
) -> None:
    error = refusal(template, {"x": ["v"]})
    assert isinstance(error, TemplateError)
    assert (error.line, error.column, error.tag) == (line, column, tag)


LITERAL_BRACES = r"where literal braces are meant, write \{{ or {{{{raw}}}} … {{{{/raw}}}}"

#: Template; the tag in it that is wrong; the name that is told; the problem; the hint. What a
#: template is filled with, and by which helpers, is below.
TOLD = [
    ("a {{y}}", "{{y}}", "y", "there is no parameter `y`", "there are: x, l, s, odd"),
    ("{{X}}", "{{X}}", "X", "there is no parameter `X`", "there are: x, l, s, odd"),
    (
        "{{l.5}}\n",
        "{{l.5}}",
        "l.5",
        "there is no parameter `l.5`",
        "there are none here",
    ),
    (
        "{{#each l}}{{[x]}}{{/each}}",
        "{{[x]}}",
        "[x]",
        "there is no parameter `[x]`",
        "within this block write `@root.x`; what stands before it is a text, which has no parts",
    ),
    (
        "{{trim}}",
        "{{trim}}",
        "trim",
        "there is no parameter `trim`",
        "there are: x, l, s, odd; there is a helper `trim`, usage: {{trim text}}",
    ),
    (
        "tee {{log}}",
        "{{log}}",
        "log",
        "there is no parameter `log`",
        "there are: x, l, s, odd; there is a helper `log`, usage: {{log values … key=value …}}",
    ),
    (
        "{{#if x includeZero=tru}}a{{/if}}",
        "{{#if x includeZero=tru}}",
        "tru",
        "there is no parameter `tru`",
        "there are: x, l, s, odd",
    ),
    ("{{odd.a}}", "{{odd.a}}", "odd.a", "`odd.a` can't be looked up: OSError: disk", ""),
    ("{{trmi x}}", "{{trmi x}}", "trmi", "there is no helper `trmi`", "did you mean `trim`?"),
    (
        "{{zzz x}}",
        "{{zzz x}}",
        "zzz",
        "there is no helper `zzz`",
        "a parameter takes no arguments, and text needs quotes; where literal braces are meant, "
        r"write \{{ or {{{{raw}}}} … {{{{/raw}}}}",
    ),
    (
        "{{replace x}}",
        "{{replace x}}",
        "replace",
        "`replace` is called with other arguments than it takes",
        "usage: {{replace text old new}}",
    ),
    (
        "{{five x}}",
        "{{five x}}",
        "five",
        "the helper `five` failed: TypeError: 'int' object is not callable",
        "",
    ),
    ("{{raises x}}", "{{raises x}}", "raises", "the helper `raises` failed: KeyError: 'v'", ""),
    ("{{leaves}}", "{{leaves}}", "leaves", "the helper `leaves` failed: SystemExit: 3", ""),
    (
        "{{deep (trim x)}}",
        "{{deep (trim x)}}",
        "deep",
        "the helper `deep` failed: RecursionError: maximum recursion depth exceeded",
        "",
    ),
    ("{{lines}}", "{{lines}}", "lines", "the helper `lines` failed: a b\\x1b", ""),
    (
        "{{#each x}}a{{/each}}",
        "{{#each x}}",
        "each",
        "the helper `each` failed: the argument is not a list or an object, "
        "and the block has no {{else}}",
        "",
    ),
    ("{{{{raw}}}}a", "{{{{raw}}", "", "this raw block is never closed", "end it with {{{{/raw}}}}"),
    ("{{! a", "{{! a", "", "this comment is never closed", "end it with }}"),
    ("a {{}}", "{{}}", "", "this tag is empty", LITERAL_BRACES),
    (
        "rm {{x",
        "{{x",
        "",
        "this tag is never closed",
        f"end it with }}}}; {LITERAL_BRACES}",
    ),
    ("{{x 'a}}", "{{x 'a}}", "", "a string in this tag is never closed", ""),
    ("{{.x}}", "{{.x}}", "", "unexpected `.` in this tag", LITERAL_BRACES),
    ("{{x\x07}}", "{{x\x07}}", "", "unexpected character U+0007 in this tag", LITERAL_BRACES),
    (
        r"{{trim '\d'}}",
        r"{{trim '\d'}}",
        "",
        r"the string '\d' has an escape that isn't one",
        r"write a backslash as \\",
    ),
    ("{{trim 1e999}}", "{{trim 1e999}}", "", "the number 1e999 is out of range", ""),
    (
        "{{x a=1 a=2}}",
        "{{x a=1 a=2}}",
        "x",
        "an argument of `x` is given twice",
        "",
    ),
    (
        "{{#if x}}a\n {{/each}}",
        "{{/each}}",
        "each",
        "{{/each}} closes no block",
        "the block that is open is {{#if x}}",
    ),
    (
        "\n{{#if x}}{{else}}b",
        "{{#if x}}",
        "if",
        "the block `if` is never closed",
        "end it with {{/if}}",
    ),
    (
        "{{else if x}}",
        "{{else if x}}",
        "",
        "this `else` stands outside of any block",
        "",
    ),
    ("{{if x}}", "{{if x}}", "if", "`if` is a block", "write {{#if …}} … {{/if}}"),
    (
        "{{len " + '{"a":' * 5_000,
        "{{len " + '{"a":' * 10 + '{"a"',
        "",
        "the object in this tag nests too deeply",
        "",
    ),
]


def raises(text: str) -> str:
    raise KeyError(text)


def leaves() -> str:
    sys.exit(3)


def deep(text: str) -> str:
    return deep(text)


def lines() -> str:
    raise ValueError("a\n  b\x1b")


class Odd(dict[str, object]):
    def __contains__(self, key: object) -> bool:
        raise OSError("disk")


@pytest.mark.parametrize(("template", "tag", "name", "problem", "hint"), TOLD)
def test_an_error_tells_tag_name_problem_and_hint(
    template: str, tag: str, name: str, problem: str, hint: str
) -> None:
    helpers = {"raises": raises, "leaves": leaves, "deep": deep, "lines": lines, "five": 5}
    params = {"x": "v", "l": ["a"], "s": "v", "odd": Odd()}
    for before in ("", "é\r\n\n {{x}} "):
        error = refusal(before + template, params, **helpers)
        assert isinstance(error, TemplateError)
        assert (error.problem, error.hint, error.tag, error.name) == (problem, hint, tag, name)
        lines_before = (before + template)[: len(before) + template.index(tag)]
        assert error.line == lines_before.count("\n") + 1
        assert error.column == len(lines_before.rpartition("\n")[2]) + 1


def test_long_names_are_cut_and_control_characters_spelt_in_messages() -> None:
    long = "n" * 200
    for template in (
        f"{{{{{long}}}}}",
        f"{{{{{long} 1}}}}",
        f"{{{{#{long}}}}}a{{{{/{long}}}}}",
        f"{{{{/{long}}}}}",
        f"{{{{#if '{long}'}}}}{{{{/each}}}}",
        f"{{{{a.{long} 1}}}}",
        f"{{{{{long} 1 k=1 k=2}}}}",
        f"{{{{trim '\\q{long}'}}}}",
        f"{{{{#with x}}}}{{{{{long}}}}}{{{{/with}}}}",
    ):
        error = refusal(template, {"x": "v", f"y{long}": "", f"{long}y": ""})
        assert "n" * 50 in str(error)
        assert "n" * 61 not in str(error)
    error = refusal("{{[a\n\x1b\ud800]}}", {"\x1b[31m": ""})
    assert r"`[a\n\x1b\ud800]`" in str(error)
    assert r"there are: \x1b[31m" in str(error)


def test_braces_of_another_language_are_met_with_the_way_to_write_them() -> None:
    for template in ("'{{.Names}}'", "{{}}", "{{index .a 1}}", "{{range .items}}"):
        assert r"write \{{ or {{{{raw}}}}" in str(refusal(template))


# Helpers of users


def test_a_helper_gets_values_and_keys_and_its_result_is_printed() -> None:
    def slug(text: str, *, sep: str = "-") -> str:
        return sep.join(text.split())

    helpers = {"slug": slug, "two": lambda: 2}
    params = {"x": "a b"}
    assert render("{{slug x}} {{slug (slug x) sep='_'}} {{two}}", params, helpers) == "a-b a-b 2"
    assert render("{{slug x sep=two}}", {**params, "two": "+"}, helpers) == "a+b"
    check("{{slug x}}", helpers)
    with pytest.raises(TemplateError, match="there is no helper `slug`"):
        check("{{slug x}}")


def test_a_helper_of_the_user_wins_over_ours() -> None:
    assert render("{{trim x}}", {"x": " a "}, {"trim": lambda text: f"<{text}>"}) == "< a >"


def test_a_helper_that_raises_is_named() -> None:
    def broken(text: str) -> str:
        raise KeyError(text)

    def picky(text: str) -> str:
        raise ValueError("only digits, please")

    error = refusal("a\n{{broken x}}", {"x": "v"}, broken=broken)
    assert isinstance(error, TemplateError)
    assert error.problem == "the helper `broken` failed: KeyError: 'v'"
    assert (error.name, error.line, error.tag) == ("broken", 2, "{{broken x}}")
    assert isinstance(error.__cause__, KeyError)
    assert "failed: only digits, please" in str(refusal("{{picky 'v'}}", picky=picky))


def test_a_helper_that_renders_a_wrong_template_is_named() -> None:
    error = refusal("{{outer}}", outer=lambda: render("{{inner}}", {}))
    assert "the helper `outer` failed: there is no parameter `inner`" in str(error)


def test_wrong_arguments_are_met_with_the_usage() -> None:
    for template in ("{{replace x 'a'}}", "{{replace x}}", "{{replace x 'a' 'b' 'c'}}"):
        assert "usage: {{replace text old new}}" in str(refusal(template, {"x": "v"}))
    assert "usage: {{replace text old new}}" in str(refusal("{{replace x from='a'}}", {"x": "v"}))
    assert "usage: {{if condition [includeZero=…]}}" in str(refusal("{{#if}}{{/if}}"))
    assert "usage: {{own first … [sep=…]}}" in str(
        refusal("{{own z=1}}", own=lambda *first, sep="": "")
    )


def test_a_result_without_text_is_refused() -> None:
    assert "where a text or a number is wanted" in str(refusal("{{own}}", own=lambda: ["a"]))


def test_an_error_underneath_never_comes_out_as_it_is() -> None:
    class Broken(Mapping[str, object]):
        def __getitem__(self, key: str) -> object:
            raise OSError("disk")

        def __iter__(self) -> Iterator[str]:
            return iter(())

        def __len__(self) -> int:
            return 1

    assert "OSError: disk" in str(refusal("{{x}}", Broken()))


def test_a_full_stack_is_a_template_error_too() -> None:
    template = "{{#if x}}" * 40 + "{{x}}" + "{{/if}}" * 40

    def deeper(levels: int) -> str:
        return deeper(levels - 1) if levels else render(template, {"x": "v"})

    def fill_the_stack() -> None:
        for levels in range(sys.getrecursionlimit()):
            assert deeper(levels) == "v"

    with pytest.raises(TemplateError, match="nests too deeply"):
        fill_the_stack()


class _SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (_SpeechlessError(), "_SpeechlessError"),
        (ValueError(), "ValueError"),
        (AssertionError(), "AssertionError"),
        (KeyError("a"), "KeyError: 'a'"),
        (ValueError("no such run"), "no such run"),
    ],
)
def test_the_error_of_a_helper_is_told_whatever_it_says(error: Exception, told: str) -> None:
    def slug(text: object) -> str:
        raise error

    with pytest.raises(TemplateError) as failure:
        render("echo {{slug x}}", {"x": "v"}, {"slug": slug})
    assert failure.value.problem == f"the helper `slug` failed: {told}"
    assert failure.value.column == 6
