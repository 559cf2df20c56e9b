"""The block helpers: `if`, `unless`, `each`, `with`, `raw`, `from_json`, `to_json`.

Each takes a Block (what stands between its tags) and the arguments, and returns text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pegasus.handlebars.calls import guarded, refuse_missing
from pegasus.handlebars.runtime import Scope, Undefined, text
from pegasus.handlebars.syntax import Problem, Span, brief
from pegasus.helpers import formats

Body = Callable[[Scope], object]


@dataclass(frozen=True)
class Block:
    """A block of a template, at the time when it is rendered.

    Attributes:
        context: the scope in which the block stands.
        body: renders what stands up to `else`, in a given scope.
        otherwise: renders what stands after `else`; None without an `else`.
        names: the block parameters, `as |value key|`.
    """

    span: Span
    context: Scope
    body: Body
    otherwise: Body | None
    names: tuple[str, ...]

    def inside(self, value: object, data: Mapping[str, object] | None = None) -> str:
        """Render the body with `value` as `this`; a `@key` or `@index` is the second name."""
        data = data or {}
        key = data.get("key", data.get("index"))
        names = dict(zip(self.names, (value, key)))  # noqa: B905 - either may be longer
        return str(self.body(Scope(value, self.context, data, names)))

    def branch(self, condition: object) -> str:
        """Render the body or what stands after `else`, where the block stands."""
        if condition:
            return str(self.body(self.context))
        return str(self.otherwise(self.context)) if self.otherwise else ""

    def whole(self) -> str:
        """Render the body of a block that has no `else`."""
        if self.otherwise is not None:
            raise ValueError("this block has no {{else}}")
        return self.branch(True)

    def instead(self, value: object, wanted: str) -> str:
        """Render what stands after `else`; without one, `value` is an error."""
        if self.otherwise is None:
            refuse_missing(self.span, [value])
            raise ValueError(f"the argument is not {wanted}, and the block has no {{{{else}}}}")
        return self.branch(False)


def _truth(value: object, include_zero: object) -> bool:
    is_zero = isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0
    return bool(value) or bool(include_zero and is_zero)


def if_(block: Block, condition: object, *, includeZero: object = False) -> str:  # noqa: N803
    """The body if `condition` is neither missing, null, false, 0, "" nor empty.

    With `includeZero=true`, 0 counts as true. The text "0" or "false" always does.
    """
    return block.branch(_truth(condition, includeZero))


def unless(block: Block, condition: object, *, includeZero: object = False) -> str:  # noqa: N803
    """The opposite of `if`."""
    return block.branch(not _truth(condition, includeZero))


def each(block: Block, items: object) -> str:
    """The body for each item of a list, or of an object in the order of its sorted keys."""
    pairs = _pairs(items)
    if pairs is None:
        return block.instead(items, "a list or an object")
    if not pairs:
        return block.branch(False)
    return "".join(block.inside(value, data) for value, data in _numbered(pairs))


def _pairs(items: object) -> list[tuple[str, object, object]] | None:
    """Return what `each` goes over, as (what the key is called, key, value)."""
    if isinstance(items, Mapping):
        ordered = sorted(items.items(), key=lambda pair: str(pair[0]))
        return [("key", key, value) for key, value in ordered]
    if isinstance(items, (list, tuple)):
        return [("index", index, value) for index, value in enumerate(items)]
    return None


def _numbered(
    pairs: Sequence[tuple[str, object, object]],
) -> Iterator[tuple[object, dict[str, object]]]:
    for number, (kind, key, value) in enumerate(pairs):
        yield value, {kind: key, "first": number == 0, "last": number == len(pairs) - 1}


def with_(block: Block, value: object) -> str:
    """The body with `value` as `this`, or what stands after `else` if it is empty."""
    if isinstance(value, Undefined):
        return block.instead(value, "there")
    return block.inside(value) if value else block.branch(False)


def raw(block: Block) -> str:
    """The body. `{{{{raw}}}}` with four braces is what keeps text from being read."""
    return block.branch(True)


def from_json(block: Block, *, format: object = "json") -> str:  # noqa: A002 - its name
    """The body, which is JSON, in another format."""
    return formats.write(formats.read(block.whole(), "json"), format)


def to_json(block: Block, *, format: object = "json") -> str:  # noqa: A002
    """The body, which is in `format`, as JSON of several lines."""
    return formats.write(formats.read(block.whole(), format), "json_pretty")


BLOCKS: dict[str, Callable[..., str]] = {
    "if": if_,
    "unless": unless,
    "each": each,
    "with": with_,
    "raw": raw,
    "from_json": from_json,
    "to_json": to_json,
}


def render_block(
    name: str, block: Block, positional: Sequence[object], keyed: Mapping[str, object]
) -> str:
    """Return what a block prints."""
    refuse_missing(block.span, keyed.values())
    result: Any = guarded(block.span, name, BLOCKS[name], positional, keyed, hidden=(block,))
    return text(result)


def unknown_block(name: str, span: Span) -> Problem:
    """Return the error for a block that isn't there."""
    known = ", ".join(BLOCKS)
    hint = f"the blocks are {known}; a helper goes into one, such as {{{{#if (eq a b)}}}}"
    return Problem(f"there is no block `{brief(name)}`", name=name, hint=hint, span=span)


def not_a_helper(name: str, span: Span) -> Problem:
    """Return the error for a block that is written as a helper."""
    hint = f"write {{{{#{name} …}}}} … {{{{/{name}}}}}"
    return Problem(f"`{name}` is a block", name=name, hint=hint, span=span)
