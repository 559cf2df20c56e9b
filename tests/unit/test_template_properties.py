"""What holds for every template and every value: nothing lost, nothing changed, nothing run.

The templates are built along with what they must print, or are whatever looks like a template.
"""

from __future__ import annotations

import ast
import json
import string
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pegasus.errors import TemplateError
from pegasus.template import check, render

#: The first example imports pybars, which takes longer than hypothesis allows.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANY = st.text(st.characters(exclude_categories=[]))  # half of a surrogate pair as well
AWKWARD = st.sampled_from(
    ["", "{{a}}", "{{", "}}", "a\\", "\\{{a}}", "'; rm -rf / #", '"', "$(id)", "\0", "\r\n", " "]
)
VALUES = AWKWARD | ANY


@settings(RELAXED, max_examples=300)
@given(ANY.filter(lambda text: "{{" not in text))
@example("{ { {" + "}} ~}} {% %} ${#a} \\ \r\n\t ")
def test_text_without_a_tag_comes_back_identical(text: str) -> None:
    assert render(text, {}) == text
    check(text)


# Templates built along with what they print


@dataclass(frozen=True)
class Piece:
    """A part of a template, and what it prints."""

    source: str
    printed: str

    def __add__(self, other: Piece) -> Piece:
        return Piece(self.source + other.source, self.printed + other.printed)


#: Ways to print the value at $x, whose name is $n, and which is the only one in $o and $l.
WAYS = [
    "{{$x}}",
    "{{\t$x\r\n}}",
    "{{{$x}}}",
    "{{{ $x }}}",
    "{{&$x}}",
    "{{~$x~}}",
    "{{~{$x}~}}",
    "{{$o.$n}}",
    "{{$o/[$n]}}",
    "{{$l.0}}",
    "{{{$l.[0]}}}",
    "{{first_non_empty $x}}",
    "{{first_non_empty nosuch $x nosuch}}",
    "{{~first_non_empty $o.$n $l.0 ~}}",
    "{{lookup $o '$n'}}",
    "{{lookup $l 0}}",
    '{{(lookup $o "$n")}}',
    "{{first_non_empty (lookup $l 0) (lookup $o '$n')}}",
    "{{replace '@' '@' $x}}",
    '{{{replace $x "" ""}}}',
    "{{&replace $x $x $x}}",
    "{{#if true}}{{$x}}{{/if}}",
    "{{#if nosuch}}no{{else}}{{$x}}{{/if}}",
    "{{#if nosuch}}no{{else if 'y'}}{{$x}}{{else}}no{{/if}}",
    "{{#unless nosuch}}{{$x}}{{^}}no{{/unless}}",
    "{{#raw}}{{$x}}{{/raw}}",
    "{{#each $l}}{{this}}{{/each}}",
    "{{#each $o}}{{.}}{{/each}}",
    "{{#each $l as |v|}}{{v}}{{/each}}",
    "{{#each $o as |v k|}}{{v}}{{#if k}}{{/if}}{{else}}no{{/each}}",
    "{{#each $l}}{{#if @first}}{{#if @last}}{{this}}{{/if}}{{/if}}{{/each}}",
    "{{~#with $o~}}{{$n}}{{~/with~}}",
    "{{#with $o as |q|}}{{q.$n}}{{/with}}",
    "{{#with $o}}{{#with @root}}{{first_non_empty @root.$x}}{{/with}}{{/with}}",
]
#: The same where `this` is not what holds the parameters.
WAYS_INSIDE = [way for way in WAYS if "@root" not in way]
WAYS += ["{{[$x]}}", "{{this.$x}}", "{{./$x}}", "{{../$x}}", "{{@root.$x}}", "{{@root/[$x]}}"]


def shown(way: str, name: str, root: str) -> str:
    within = {"x": root + name, "o": f"{root}o{name}", "l": f"{root}l{name}", "n": name}
    return string.Template(way).substitute(within)


def parameters(values: Mapping[str, str]) -> dict[str, object]:
    """Return values by name, with `oNAME` and `lNAME` that hold each."""
    params: dict[str, object] = {"many": ["x", "y", "z"], "none": []}
    for name, value in values.items():
        params |= {name: value, f"o{name}": {name: value}, f"l{name}": [value]}
    return params


def escaped(text: str) -> str:
    """Write text so that its braces stay text."""
    pieces, run = [], 0
    for char, following in zip(text, text[1:] + " ", strict=True):
        run = run + 1 if char == "{" else 0
        pieces.append("\\{" if run == 1 and following == "{" else char)
    return "".join(pieces)


# Marks at both ends keep a tag from being alone on its line, and what is beside it from touching.
MARKED = ANY.map(lambda text: f"<{text}>")
TEXTS = MARKED.filter(lambda text: "\\{{" not in text).map(lambda t: Piece(escaped(t), t))
RAW = MARKED.map(lambda text: Piece(f"{{{{{{{{raw}}}}}}}}{text}{{{{{{{{/raw}}}}}}}}", text))
COMMENTS = st.sampled_from(["{{! c }}", "{{!-- }} {{x --}}", "{{!}}"]).map(lambda c: Piece(c, ""))


def single_quoted(text: str) -> str:
    """Write text as a string in single quotes."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"


LITERALS = st.text(st.characters(codec="utf-8"))
STRINGS = st.one_of(
    LITERALS.map(lambda t: Piece(f"{{{{first_non_empty {json.dumps(t)}}}}}", t)),
    LITERALS.map(lambda t: Piece(f"{{{{replace '' '' {json.dumps(t, ensure_ascii=False)}}}}}", t)),
    LITERALS.map(lambda t: Piece(f"{{{{trim {single_quoted(f'<{t}>')}}}}}", f"<{t}>")),
)


def blocks(body: Piece, other: Piece) -> st.SearchStrategy[Piece]:
    """Return blocks that print `body`, once or more often, and never `other`."""
    made = [
        Piece(f"{{{{#if 'y'}}}}{body.source}{{{{else}}}}{other.source}{{{{/if}}}}", body.printed),
        Piece(f"{{{{#if nosuch}}}}{other.source}{{{{/if}}}}{body.source}", body.printed),
        Piece(
            f"{{{{#if ''}}}}{other.source}{{{{else unless 'y'}}}}{other.source}"
            f"{{{{else}}}}{body.source}{{{{/if}}}}",
            body.printed,
        ),
        Piece(
            f"{{{{#each @root.none}}}}{other.source}{{{{else}}}}{body.source}{{{{/each}}}}",
            body.printed,
        ),
        Piece(
            f"{{{{#each @root.many}}}}{{{{this}}}}{body.source}{{{{/each}}}}",
            f"x{body.printed}y{body.printed}z{body.printed}",
        ),
        Piece(f"{{{{#with @root}}}}{body.source}{{{{/with}}}}", body.printed),
    ]
    return st.sampled_from(made)


@st.composite
def templates(draw: st.DrawFn, values: Mapping[str, str], ways: list[str], depth: int) -> Piece:
    """Build a template of the values, in all ways, of text and of blocks."""
    whole = Piece("", "")
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 8))
        if kind < 4:
            name = draw(st.sampled_from([*values]))
            root = "@root." if ways is WAYS_INSIDE else ""
            whole += Piece(shown(draw(st.sampled_from(ways)), name, root), values[name])
        elif kind < 8 or not depth:
            whole += draw(st.one_of(TEXTS, RAW, COMMENTS, STRINGS))
        else:
            inside = templates(values, WAYS_INSIDE, depth - 1)
            whole += draw(blocks(draw(inside), draw(inside)))
    return whole


@settings(RELAXED, max_examples=300)
@given(st.data(), VALUES, VALUES)
def test_values_and_text_come_out_verbatim_and_complete(
    data: st.DataObject, first: str, second: str
) -> None:
    values = {"a": first, "b": second}
    template = data.draw(templates(values, WAYS, depth=3))
    assert render(template.source, parameters(values)) == template.printed
    check(template.source)


@settings(RELAXED, max_examples=50)
@pytest.mark.parametrize("way", WAYS)
@given(value=VALUES, left=ANY, right=ANY)
@example(value="{{a}}", left="\\\\", right="}}")
def test_a_value_comes_out_verbatim_in_every_way(
    way: str, value: str, left: str, right: str
) -> None:
    assume("{{" not in left + right)
    template = f"{left}<{shown(way, 'a', '')}>{right}"
    assert render(template, parameters({"a": value})) == f"{left}<{value}>{right}"


# Whatever looks like a template

FRAGMENTS = r"""
{ } {{ }} {{{ }}} {{{{ }}}} {{{{raw}}}} {{{{/raw}}}} {{a}} {{~a~}} {{#if {{#each {{else}} {{else
{{^}} {{~ ~}} ~ {{/if}} {{/each}} {{! !}} {{!-- --}} {{!-- }}--}} # / ^ > ~ & * a la oa else if as
| . .. ../ @root @index [ ] ( ) " ' \ \\ \{{ = k= trim replace lookup first_non_empty 12 -1.5 1e9
true null {"a":[1]} {{#if {{#raw}} {{/raw}} {{#with "\u00e9" '\'' "\q" __class__ keys {{{{raw {{/
"""
WITH_BLANKS = [
    "{{#if a}}",
    "{{#each la}}",
    "{{else if a}}",
    "as |a b|",
    "{{trim a}}",
    "{{replace a 'v' \"w\"}}",
]
PIECES = st.sampled_from(
    [*FRAGMENTS.split(), *" \n\té\0\x0b\x0c\x1b\x85\u2028\ufeff\ud800", "\r\n", *WITH_BLANKS]
)
NEAR = st.lists(PIECES | ANY, max_size=14).map("".join)
PARAMS = parameters({"a": "v", "if": "i", "x": "x"})


def outcome(template: str, params: Mapping[str, Any]) -> tuple[str | None, TemplateError | None]:
    """Return what a template prints, or why it doesn't."""
    try:
        check(template)
        return render(template, params), None
    except TemplateError as error:
        return None, error


def offset(template: str, line: int, column: int) -> int:
    lines = template.split("\n")
    return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1


@settings(RELAXED, max_examples=600)
@given(NEAR)
@example("{{" + "(" * 2_000)
@example("{{trim " + "(trim " * 2_000)
@example('{{trim {"a":' + "[" * 100_000)
@example("{{#if a}}" * 2_000)
def test_any_text_gives_a_string_or_an_error_that_tells_where(template: str) -> None:
    printed, error = outcome(template, PARAMS)
    assert type(printed) is str or error
    if error:
        start = offset(template, error.line, error.column)
        tag = error.tag.removesuffix("…")
        assert tag.startswith("{{")
        assert template[start : start + len(tag)] == tag
        assert error.problem
        assert len(str(error)) < 1_000
        assert "\n" not in str(error)


@settings(RELAXED, max_examples=300)
@given(NEAR, NEAR)
def test_what_can_be_rendered_alone_is_rendered_alike_beside_other_text(
    left: str, right: str
) -> None:
    """So nothing of what follows is lost, and nothing of what precedes."""
    first, second = (outcome(each, PARAMS)[0] for each in (f"{left}|", f"|{right}"))
    if first is not None and second is not None:
        assert render(f"{left}|{right}", PARAMS) == first + second[1:]


@settings(RELAXED, max_examples=300)
@given(st.lists(PIECES | st.sampled_from(["{{a}}", "{{ a }}", "{{if}}", "{{true}}"])).map("".join))
def test_templates_of_nothing_but_names_come_out_as_from_the_engine(template: str) -> None:
    from pegasus.handlebars.compiler import compile_template
    from pegasus.handlebars.syntax import Problem
    from pegasus.template import _known

    params = {"a": "v", "if": "i", "true": "t", "la": "text"}
    wanted: str | None = template
    if "{{" in template:
        try:
            wanted = compile_template(template).render(params, _known(None))
        except Problem:
            wanted = None
    try:
        assert render(template, params) == wanted
        check(template)
    except TemplateError:
        assert wanted is None


# Whatever the parameters are


class Odd:
    """A value that raises whatever is done with it, but for telling what it is."""

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")

    __str__ = __len__ = __iter__ = __eq__ = __hash__ = __bool__  # type: ignore[assignment]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | VALUES | st.binary()
ODD = st.builds(Odd) | st.builds(object) | st.just(int) | st.just(len)
ANYTHING = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES | st.integers(), inner),
    max_leaves=8,
)


@settings(RELAXED, max_examples=300)
@given(st.sampled_from([*WAYS, "{{len $x}}", "{{eq $x $o}}", "{{#if $x}}{{/if}}"]), ANYTHING)
def test_any_parameter_gives_a_string_or_an_error_that_tells_the_tag(
    way: str, value: object
) -> None:
    params: Any = {"a": value, "oa": {"a": value}, "la": [value]}
    printed, error = outcome(shown(way, "a", ""), params)
    assert type(printed) is str if error is None else error.tag.startswith("{{")


# Nothing of a template is run


#: All names that generated code may have, besides those of blocks.
OWN_NAMES = {
    *("None", "True", "False", "str", "strlist", "dict", "append", "update", "partial", "k"),
    *("render", "context", "helpers", "_helpers", "partials", "_pybars_", "root", "result"),
    *("Block", "call", "called", "ensure_scope", "named", "render_block", "resolve", "show"),
}
EVIL = [
    "evil()",
    "__import__('os').system('evil')",
    "'+evil()+'",
    '"+evil()+"',
    "')\nevil()\n('",
    "\\')\revil()#",
    "\\",
    "k[0]",
    "{evil()}",
    "%(evil)s",
    "\u2028evil()",
    "\x0cevil()",
    "lambda:evil",
    "__class__",
    "__globals__",
]
EVIL_TAGS = [
    "{{[%s]}}",
    "{{a.[%s]}}",
    "{{@root.[%s]}}",
    "{{%s}}",
    '{{trim "%s"}}',
    "{{trim '%s'}}",
    "{{trim %s}}",
    "{{trim a %s=a}}",
    "{{trim a k='%s'}}",
    "{{%s a}}",
    "{{#if [%s]}}%s{{else}}%s{{/if}}",
    "{{#each la as |%s b|}}%s{{/each}}",
    "{{#each la as |a %s|}}{{/each}}",
    "{{{{raw}}}}%s{{{{/raw}}}}",
    "{{!%s}}",
    "\\{{%s",
    '{{len {"%s": "%s"}}}',
    "%s{{~a~}}%s",
]


def generated(template: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the Python source that is made of a template."""
    from pegasus.handlebars import compiler

    sources: list[str] = []
    load = compiler._load

    def noted(container: Any, builder: Any) -> Any:
        sources.append(container.code)
        return load(container, builder)

    with monkeypatch.context() as patched:
        patched.setattr(compiler, "_load", noted)
        compiler.compile_template.clear()
        with suppress(TemplateError):
            check(template + "{{~a~}}")
    return sources


def names(source: str) -> set[str]:
    """Return all names in Python source: of variables, functions, attributes and keywords."""
    fields = ("id", "attr", "arg", "name", "names", "module")
    found = [getattr(node, each, None) for node in ast.walk(ast.parse(source)) for each in fields]
    return {str(each) for each in found if each is not None}


@settings(RELAXED, max_examples=300)
@given(
    st.lists(st.sampled_from(EVIL_TAGS) | PIECES, min_size=1, max_size=4),
    st.lists(st.sampled_from(EVIL) | ANY, min_size=12, max_size=12),
)
def test_no_name_of_a_template_is_in_the_code_made_of_it(tags: list[str], evil: list[str]) -> None:
    parts = "\0".join(tags).split("%s")
    template = "".join(a + b for a, b in zip(parts, [*evil, *[""] * 99], strict=False))
    with pytest.MonkeyPatch.context() as monkeypatch:
        for source in generated(template.replace("\0", ""), monkeypatch):
            others = {each for each in names(source) if not each.startswith("block_")}
            assert others <= OWN_NAMES
            assert not any(isinstance(node, ast.Import) for node in ast.walk(ast.parse(source)))


@pytest.mark.parametrize("tag", EVIL_TAGS)
@pytest.mark.parametrize("evil", EVIL)
def test_nothing_in_a_template_is_run(tag: str, evil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []
    monkeypatch.setattr("builtins.evil", lambda: run.append("evil"), raising=False)
    monkeypatch.setattr("os.system", run.append)
    template = tag.replace("%s", evil)
    with suppress(TemplateError):
        render(template, {"a": "v", "la": ["v"]})
    for source in generated(template, monkeypatch):
        assert {each for each in names(source) if not each.startswith("block_")} <= OWN_NAMES
    assert run == []


# shell_quote

#: Every character that a command may have: all but NUL.
CHARACTERS = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
SHELLS = [["sh"], ["dash"], ["bash"], ["busybox", "sh"]]


def said(shell: list[str], command: str) -> str:
    done = subprocess.run(
        [*shell, "/dev/stdin"], input=command.encode(), capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_shells_read_every_character_as_shell_quote_wrote_it(shell: list[str]) -> None:
    if subprocess.run(["which", shell[0]], capture_output=True).returncode:
        pytest.skip(f"there is no {shell[0]}")
    ascii_characters = CHARACTERS[:127]
    pairs = [left + right for left in ascii_characters for right in ascii_characters]
    words = [*pairs, "".join(CHARACTERS), "", "-n", "~", "a b", "''", "!!"]
    template = "printf '%s\\0' {{#each words}} {{shell_quote this}}{{/each}}"
    assert said(shell, render(template, {"words": words})).split("\0") == [*words, ""]
