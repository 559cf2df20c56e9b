"""From a template's text to tokens: pybars' grammar with other rules.

The structure is written as a PyMeta grammar on top of `pybars.Compiler._handlebars`; what is
regular (text, names, strings, numbers) is read by regular expressions in methods, which keeps
the time linear. The tokens come out flat: blocks are matched by the compiler, which can then
say exactly which one is not closed.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from pybars import Compiler
from pymeta.runtime import InputStream, ParseError, expected

from pegasus.handlebars import lexicon
from pegasus.handlebars.diagnosis import diagnose
from pegasus.handlebars.syntax import (
    Call,
    Close,
    Comment,
    Else,
    Literal,
    Open,
    Path,
    Problem,
    RawEdge,
    Show,
    Tag,
    Text,
    Token,
    brief,
)

RULES = r"""
template ::= (<text> | <rawblock> | <comment> | <tag>)*
tag ::= <here>:start <opening>:left <content>:node <closing>:right <here>:end
    => Tag(node, (start, end), left, right)
content ::= <blockopen> | <blockclose> | <blockelse> | <verbatim> | <show>
blockopen ::= <sp> '#' <sp> <blockcall>:open => open
blockcall ::= <name>:name <arguments>:given <blocknames>:names <sp>
    => Open(call(name, given), names)
blockclose ::= <sp> '/' <sp> <name>:name <sp> => Close(name)
blockelse ::= <sp> <elseword> <gap> <blockcall>:chained => Else(chained)
    | <sp> <elseword> <sp> => Else(None)
verbatim ::= '{' <sp> <expression>:e <sp> '}' => Show(e)
show ::= <sp> '&'? <sp> <expression>:e <sp> => Show(e)
expression ::= <subexpression>
    | <path>:head <arguments>:given => headed(head, given)
subexpression ::= '(' <deeper> <sp> <name>:name <arguments>:given <sp> ')' <shallower>
    => call(name, given)
arguments ::= (<gap> ~<asword> <argument>)*
argument ::= <keyed> | <value>
keyed ::= <key>:key <value>:value => (key, value)
value ::= <string> | <literal> | <object> | <subexpression> | <path>
"""

#: How deep parentheses may nest. PyMeta needs some twenty stack frames for each level.
DEPTH_LIMIT = 16

Argument = Any  # an Expression, or a (key, Expression) pair
Result = tuple[Any, list[Any]]  # what PyMeta's rules return


def call(name: str, given: list[Argument]) -> Call:
    """Sort the arguments of a helper into those with and those without a key."""
    keyed = [each for each in given if isinstance(each, tuple)]
    if len({key for key, _ in keyed}) < len(keyed):
        raise Problem(f"an argument of `{brief(name)}` is given twice", name=name)
    return Call(name, tuple(e for e in given if not isinstance(e, tuple)), tuple(keyed))


def headed(head: Path, given: list[Argument]) -> Path | Call:
    """Return what a tag means that begins with `head`: a value, or a helper's call."""
    if not given:
        return head
    if not head.is_name:
        raise Problem(f"`{brief(head.text)}` is not the name of a helper", name=head.text)
    return call(head.segments[0], given)


_MEANINGS = {
    "Close": Close,
    "Else": Else,
    "Open": Open,
    "Show": Show,
    "Tag": Tag,
    "call": call,
    "headed": headed,
}
_Base: Any = Compiler._handlebars.makeGrammar(RULES, _MEANINGS, "pegasus_handlebars")


class Grammar(_Base):  # type: ignore[misc]
    """A parser of one template."""

    def __init__(self, source: str) -> None:
        super().__init__("")
        # Not as pymeta has it: a list of objects, one for each character, takes long to make.
        self.input: Any = InputStream(source, 0)
        self.source = source
        self.depth = 0
        self.tag_start = 0  # where the tag begins that is being read
        self.furthest = 0  # how far any rule has come: there the mistake is

    @property
    def position(self) -> int:
        """The offset of the next character to read."""
        return int(self.input.position)

    def _moved(self, position: int, value: object) -> Result:
        self.input = InputStream(self.input.data, position)
        return value, self.input.nullError()

    def _refuse(self, wanted: str) -> NoReturn:
        self.furthest = max(self.furthest, self.position)
        raise ParseError(self.position, expected(wanted))

    def _take(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        found = pattern.match(self.source, self.position)
        if found is None:
            self._refuse(wanted)
        return found

    def exactly(self, wanted: object) -> Result:
        """Match one character, as pymeta does, and remember how far we came."""
        self.furthest = max(self.furthest, self.position)
        value: Result = super().exactly(wanted)
        return value

    def rule_here(self) -> Result:
        return self._moved(self.position, self.position)

    def rule_text(self) -> Result:
        """Text up to the next tag. `\\{{` in it is `{{`; of two and more backslashes
        in front of a tag, one goes."""
        text, end = lexicon.read_text(self.source, self.position)
        if end == self.position:
            self._refuse("text")
        return self._moved(end, Text(text))

    def rule_rawblock(self) -> Result:
        found = self._take(lexicon.RAW_BLOCK, "raw block")
        edges = [Tag(RawEdge(), found.span(edge)) for edge in ("open", "close")]
        return self._moved(found.end(), [edges[0], Text(found["text"]), edges[1]])

    def rule_comment(self) -> Result:
        found = self._take(lexicon.COMMENT, "comment")
        return self._moved(found.end(), Tag(Comment(), found.span()))

    def rule_opening(self) -> Result:
        self.tag_start = self.position
        found = self._take(lexicon.OPENING, "{{")
        return self._moved(found.end(), found.group().endswith("~"))

    def rule_closing(self) -> Result:
        found = self._take(lexicon.CLOSING, "}}")
        return self._moved(found.end(), found.group().startswith("~"))

    def rule_sp(self) -> Result:
        return self._token(lexicon.SPACE, "white space")

    def rule_gap(self) -> Result:
        return self._token(lexicon.GAP, "white space")

    def rule_elseword(self) -> Result:
        return self._token(lexicon.ELSE, "else")

    def rule_asword(self) -> Result:
        return self._token(lexicon.AS, "as |")

    def rule_name(self) -> Result:
        return self._token(lexicon.NAME, "name")

    def rule_key(self) -> Result:
        found = self._take(lexicon.KEY, "key=")
        return self._moved(found.end(), found["key"])

    def rule_blocknames(self) -> Result:
        """`as |a b|`, or nothing."""
        found = lexicon.BLOCK_NAMES.match(self.source, self.position)
        if found is None:
            return self._moved(self.position, ())
        return self._moved(found.end(), tuple(found["names"].split()))

    def rule_path(self) -> Result:
        found = self._take(lexicon.PATH, "name")
        return self._moved(found.end(), lexicon.read_path(found))

    def rule_string(self) -> Result:
        found = self._take(lexicon.STRING, "string")
        return self._moved(found.end(), Literal(lexicon.read_string(found.group())))

    def rule_literal(self) -> Result:
        found = self._take(lexicon.LITERAL, "number, true, false or null")
        return self._moved(found.end(), Literal(lexicon.read_json(found.group())[0]))

    def rule_object(self) -> Result:
        """An object, or a list; but `[x y]` is a name."""
        if not self.source.startswith(("{", "["), self.position):
            self._refuse("JSON object or list")
        try:
            value, end = lexicon.read_json(self.source, self.position)
        except json.JSONDecodeError:
            self._refuse("JSON object or list")
        except RecursionError:
            raise Problem("the object in this tag nests too deeply") from None
        if self.source.startswith((".", "/"), end):  # `[0].x` is a name too
            self._refuse("JSON object or list")
        return self._moved(end, Literal(value))

    def rule_deeper(self) -> Result:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise Problem(f"parentheses nest deeper than {DEPTH_LIMIT} levels")
        return self._moved(self.position, None)

    def rule_shallower(self) -> Result:
        self.depth -= 1
        return self._moved(self.position, None)

    def _token(self, pattern: re.Pattern[str], wanted: str) -> Result:
        found = self._take(pattern, wanted)
        return self._moved(found.end(), found.group())


def parse(source: str) -> list[Token]:
    """Return a template's tokens, in order; every character belongs to exactly one.

    Raises:
        Problem: a tag can't be read.
    """
    grammar = Grammar(source)
    try:
        items, _ = grammar.apply("template")
    except Problem as problem:
        problem.span = problem.span or lexicon.tag_span(source, grammar.tag_start)
        raise
    if grammar.position < len(source):
        raise diagnose(source, grammar.position, grammar.furthest)
    return [token for item in items for token in (item if isinstance(item, list) else [item])]
