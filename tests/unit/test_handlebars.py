"""What pegasus.handlebars relies on in pybars and pymeta, which are private names there.

When one of these fails, pybars3 or PyMeta3 has changed: see what pegasus/handlebars/grammar.py
and compiler.py make of the name before setup.cfg allows another version.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from pybars import Compiler
from pybars._compiler import CodeBuilder, FunctionContainer, strlist
from pymeta.grammar import OMeta
from pymeta.runtime import InputStream, OMetaBase, ParseError, expected

from pegasus.handlebars import compiler, grammar
from pegasus.handlebars.compiler import Builder

ROOT = Path(__file__).parents[2]


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_pybars_is_the_version_that_setup_cfg_pins() -> None:
    assert version("pybars3") == "0.9.7"
    assert "pybars3==0.9.7" in (ROOT / "setup.cfg").read_text()


def test_a_grammar_can_be_made_on_top_of_that_of_pybars() -> None:
    assert issubclass(Compiler._handlebars, OMeta)
    assert parameters(Compiler._handlebars.makeGrammar) == ["grammar", "globals", "name"]
    assert issubclass(grammar.Grammar, Compiler._handlebars)


def test_a_pymeta_grammar_has_what_ours_uses() -> None:
    assert parameters(OMetaBase.apply) == ["self", "ruleName", "args"]
    assert parameters(OMetaBase.exactly) == ["self", "wanted"]
    parser = OMetaBase("ab")
    assert isinstance(parser.input, InputStream)
    assert parser.input.position == 0
    assert parser.input.nullError() == [0, None]
    assert "".join(parser.input.data) == "ab"
    parser.input = InputStream(parser.input.data, 1)
    assert parser.exactly("b")[0] == "b"
    with pytest.raises(ParseError):
        parser.exactly("b")
    assert expected("a name") == [("expected", "a name", None)]


def test_every_rule_that_the_grammar_names_is_there() -> None:
    names = set(grammar.RULES.replace("::=", " ").replace("<", " <").split())
    applied = {each[1:].split(">")[0] for each in names if each.startswith("<")}
    assert applied
    assert [name for name in applied if not hasattr(grammar.Grammar, f"rule_{name}")] == []


def test_the_code_builder_has_what_ours_uses() -> None:
    for name in ("_reset", "start", "finish", "add_literal", "_wrap_nested"):
        assert callable(getattr(CodeBuilder, name))
    builder = Builder()
    assert builder.stack == []
    builder.start()
    assert isinstance(builder._result, strlist)
    assert builder._locals == {}
    builder.start()
    nested = builder.finish()
    assert isinstance(nested, FunctionContainer)
    assert (nested.name, builder._wrap_nested("f").split("(")[0]) == ("block_1", "partial")
    outer = builder.finish()
    assert outer.name == "render"
    assert parameters(strlist.grow) == ["self", "thing"]
    assert str(strlist(["a", "b"])) == "ab"


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def test_the_generated_code_names_nothing_that_it_is_not_given() -> None:
    source = "a{{x}}{{a.b}}{{trim (trim x) k=1}}{{#if x}}b{{else if x}}c{{else}}d{{/if}}"
    program = compiler.compile_template(source)
    given = program.function.__globals__
    assert given["__builtins__"] == {}
    methods = {"append", "grow", "update"}
    for code in (program.function.__code__, given["block_1"].__code__):
        for each in codes(code):
            assert set(each.co_names) <= set(given) | methods


def test_names_and_strings_of_a_template_are_not_in_its_code() -> None:
    program = compiler.compile_template("{{[evil]}}{{trim 'evil'}}{{trim evil=evil}}{{evil 1}}")
    for code in codes(program.function.__code__):
        assert "evil" not in repr((code.co_names, code.co_consts))
