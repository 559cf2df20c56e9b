"""From tokens to a Python function: pybars' compiler and code builder, extended.

Names, strings and numbers of a template never become source text: the generated code refers
to them by their number in a list of constants. Literal text is put in by `repr`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pybars._compiler import CodeBuilder, strlist

from pegasus.handlebars import blocks, runtime, whitespace
from pegasus.handlebars.cache import Cache
from pegasus.handlebars.calls import Helper, call, named, unknown_helper
from pegasus.handlebars.grammar import parse
from pegasus.handlebars.syntax import (
    Call,
    Close,
    Else,
    Expression,
    Literal,
    Open,
    Path,
    Problem,
    Show,
    Span,
    Text,
    Token,
    brief,
)

#: How deep blocks may nest, an `else if` counting as a level.
DEPTH_LIMIT = 50

#: How many templates are kept compiled, and how long they may be together, in characters. A
#: compiled template takes about 50 bytes a character, and 150 where it is nothing but tags.
CACHE_SIZE, CACHE_CHARACTERS = 1024, 250_000


class Builder(CodeBuilder):  # type: ignore[misc]
    """Writes the code of one template. A body is written between `start` and `finish`."""

    def __init__(self) -> None:
        super().__init__()
        self.constants: list[object] = []
        self.calls: list[tuple[str, Span]] = []

    def _constant(self, value: object) -> str:
        self.constants.append(value)
        return f"k[{len(self.constants) - 1}]"

    def _code(self, expression: Expression, span: Span) -> str:
        """Return the code that evaluates an expression of the tag at `span`."""
        if isinstance(expression, Literal):
            return self._constant(expression.value)
        if isinstance(expression, Path):
            at = self._constant(span)
            return f"resolve({at}, context, root, {self._constant(expression)})"
        if expression.name in blocks.BLOCKS:
            raise blocks.not_a_helper(expression.name, span)
        self.calls.append((expression.name, span))
        name = self._constant(expression.name)
        at, given = self._constant(span), self._given(expression, span)
        return f"call({at}, root, helpers, {name}, {given})"

    def _given(self, call: Call, span: Span) -> str:
        positional = "".join(f"{self._code(each, span)}, " for each in call.positional)
        keyed = ", ".join(
            f"{self._constant(key)}: {self._code(each, span)}" for key, each in call.keyed
        )
        return f"({positional}), {{{keyed}}}"

    def add_show(self, expression: Path | Call, span: Span) -> None:
        """Write the code that prints an expression."""
        at = self._constant(span)
        if isinstance(expression, Path) and expression.is_name:
            value = f"named({at}, context, root, helpers, {self._constant(expression)})"
        else:
            value = self._code(expression, span)
        self._result.grow(f"    result.append(show({at}, {value}))\n")

    def add_block(self, tag: Open, span: Span, nested: Any, alt_nested: Any) -> None:
        """Write the code that renders a block with the functions for its body and its else."""
        self._locals[nested.name] = nested
        otherwise = "None"
        if alt_nested is not None:
            self._locals[alt_nested.name] = alt_nested
            otherwise = self._wrap_nested(alt_nested.name)
        at, names = self._constant(span), self._constant(tag.names)
        block = f"Block({at}, context, {self._wrap_nested(nested.name)}, {otherwise}, {names})"
        name, given = self._constant(tag.call.name), self._given(tag.call, span)
        self._result.grow(f"    result.append(render_block({name}, {block}, {given}))\n")


@dataclass
class _Frame:
    """A block that is open while tokens are read. `chained`: it began with `else if`."""

    tag: Open
    span: Span
    chained: bool = False
    body: Any = None  # the finished body, once the `else` has come


class _Assembly:
    """Drives a Builder by tokens, and matches the tags of blocks."""

    def __init__(self, source: str, builder: Builder) -> None:
        self.source = source
        self.builder = builder
        self.frames: list[_Frame] = []

    def add(self, token: Token) -> None:
        """Write the code for one token."""
        if isinstance(token, Text):
            if token.kept:
                self.builder.add_literal(token.kept)
        elif isinstance(token.node, Show):
            self.builder.add_show(token.node.expression, token.span)
        elif isinstance(token.node, Open):
            self._open(token.node, token.span)
        elif isinstance(token.node, Else):
            self._else(token.node, token.span)
        elif isinstance(token.node, Close):
            self._close(token.node.name, token.span)

    def end(self) -> None:
        """Check that no block is left open."""
        for frame in reversed(self.frames):
            name = frame.tag.call.name
            if not frame.chained:
                raise Problem(
                    f"the block `{name}` is never closed",
                    name=name,
                    hint=f"end it with {{{{/{name}}}}}",
                    span=frame.span,
                )

    def _open(self, tag: Open, span: Span, *, chained: bool = False) -> None:
        if tag.call.name not in blocks.BLOCKS:
            raise blocks.unknown_block(tag.call.name, span)
        if len(self.frames) == DEPTH_LIMIT:
            raise Problem(f"blocks nest deeper than {DEPTH_LIMIT} levels", span=span)
        self.frames.append(_Frame(tag, span, chained))
        self.builder.start()

    def _else(self, tag: Else, span: Span) -> None:
        if not self.frames:
            raise Problem("this `else` stands outside of any block", span=span)
        frame = self.frames[-1]
        name = frame.tag.call.name
        if frame.body is not None:
            raise Problem(f"the block `{name}` has an `else` already", name=name, span=span)
        if name == "raw":
            raise Problem("the block `raw` has no `else`", name=name, span=span)
        frame.body = self.builder.finish()
        self.builder.start()
        if tag.chained is not None:
            self._open(tag.chained, span, chained=True)

    def _close(self, name: str, span: Span) -> None:
        opened = next((each for each in reversed(self.frames) if not each.chained), None)
        if opened is None:
            raise Problem(f"{{{{/{brief(name)}}}}} closes no block", name=name, span=span)
        if opened.tag.call.name != name:
            start, end = opened.span
            hint = f"the block that is open is {brief(self.source[start:end])}"
            problem = f"{{{{/{brief(name)}}}}} closes no block"
            raise Problem(problem, name=name, hint=hint, span=span)
        while self._finish().chained:
            pass

    def _finish(self) -> _Frame:
        """Write the innermost block, which ends here."""
        frame = self.frames.pop()
        last = self.builder.finish()
        body, otherwise = (last, None) if frame.body is None else (frame.body, last)
        self.builder.add_block(frame.tag, frame.span, body, otherwise)
        return frame


@dataclass(frozen=True)
class Program:
    """A compiled template.

    Attributes:
        calls: the helpers that it calls, and where.
        assigns: whether one of them sets parameters.
    """

    function: Any
    calls: Sequence[tuple[str, Span]]
    assigns: bool

    def check_calls(self, helpers: Mapping[str, Helper]) -> None:
        """Raise a Problem if a helper that is called isn't there."""
        for name, span in self.calls:
            if name not in helpers:
                raise unknown_helper(name, helpers, span)

    def render(self, params: Mapping[str, object], helpers: Mapping[str, Helper]) -> str:
        """Return the text for these parameters."""
        self.check_calls(helpers)
        return str(self.function(dict(params) if self.assigns else params, helpers))


# What the generated code sees. The names up to `strlist` are those that pybars' builder writes.
_NAMESPACE: dict[str, Any] = {
    "__builtins__": {},
    "_pybars_": {"helpers": {}},
    "ensure_scope": runtime.ensure_scope,
    "partial": partial,
    "str": str,
    "dict": dict,
    "strlist": strlist,
    "Block": blocks.Block,
    "call": call,
    "named": named,
    "render_block": blocks.render_block,
    "resolve": runtime.resolve,
    "show": runtime.show,
}
_LOCK = threading.Lock()


def _compile(source: str) -> Program:
    with _LOCK:  # pymeta doesn't say that its grammars may be used by several threads
        tokens = parse(source)
    whitespace.control(tokens)
    builder = Builder()
    builder.start()
    assembly = _Assembly(source, builder)
    for token in tokens:
        assembly.add(token)
    assembly.end()
    return _load(builder.finish(), builder)


#: Returns the program of a template, as it was compiled before or anew; or raises a Problem.
compile_template = Cache(_compile, CACHE_SIZE, CACHE_CHARACTERS)


def _load(container: Any, builder: Builder) -> Program:
    """Return the program for finished code. Nothing is left in sys.modules."""
    namespace = {**_NAMESPACE, "k": builder.constants}
    code = compile(container.code, "<template>", "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - the code holds no text of the template but literals
    assigns = any(name == "assign" for name, _ in builder.calls)
    return Program(namespace[container.name], tuple(builder.calls), assigns)
