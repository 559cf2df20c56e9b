"""What a compiled template calls: names are resolved, values shown, helpers and blocks called.

Names are looked up as items of mappings and lists only, never as attributes. A name that is
not there gives an Undefined, which is false, and is an error as soon as it is printed or handed
to a helper that wants a value.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pegasus.handlebars.syntax import Path, Problem, Span

Helper = Callable[..., object]

#: How many names a message lists at most.
_LISTED = 20


class Undefined:
    """The value of a name that isn't there.

    Args:
        name: as it was written.
        known: where the last part of it was looked for.
        key: that part.
    """

    def __init__(self, name: str, known: object, key: str, hint: str = "") -> None:
        self.name = name
        self.known = known
        self.key = key
        self.hint = hint

    def __bool__(self) -> bool:
        return False

    def problem(self, span: Span) -> Problem:
        """Return the error for printing or passing on this value."""
        known = [str(each) for each in self.known] if isinstance(self.known, Mapping) else []
        hint = self.hint or nearest(self.key, known)
        listed = ", ".join(known[:_LISTED]) + (", …" if len(known) > _LISTED else "")
        there = f"there are: {listed}" if known else "there are none here"
        if isinstance(self.known, str):
            there = "what stands before it is a text, which has no parts"
        hint = f"{hint}; {there}" if hint else there
        return Problem(f"there is no parameter `{self.name}`", name=self.name, hint=hint, span=span)


class Scope:
    """What names mean in the body of a block: a value, and the scope around it."""

    __slots__ = ("data", "names", "parent", "value")

    def __init__(
        self,
        value: object,
        parent: Scope | None = None,
        data: Mapping[str, object] | None = None,
        names: Mapping[str, object] | None = None,
    ) -> None:
        self.value = value
        self.parent = parent
        self.data = data or {}  # @index, @key, @first, @last
        self.names = names or {}  # as |value key|

    def above(self, levels: int) -> Scope:
        """Return the scope that `levels` times `../` leads to; the outermost is its own parent."""
        scope = self
        for _ in range(levels):
            scope = scope.parent or scope
        return scope

    def named(self, name: str) -> Scope | None:
        """Return the nearest scope with a block parameter `name`."""
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.parent
        return scope


def ensure_scope(context: object, root: object) -> Scope:
    """Return `context` as a scope: the generated code calls this as each body begins."""
    return context if isinstance(context, Scope) else Scope(context)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint that names the nearest spelling, or ""."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean `{found[0]}`?" if found else ""


def resolve(context: Scope, root: object, path: Path) -> object:
    """Return what `path` means in `context`, or an Undefined."""
    scope = context.above(path.up)
    segments: Sequence[str] = path.segments
    value = scope.value
    if path.is_data:
        value, segments = _data(scope, root, segments)
    elif path.is_plain and segments and (owner := scope.named(segments[0])) is not None:
        value, segments = owner.names[segments[0]], segments[1:]
    for number, segment in enumerate(segments):
        inner = item(value, segment)
        if isinstance(inner, Undefined):
            hint = "" if number else _where_else(path, value, root)
            return Undefined(path.text, value, segment, hint)
        value = inner
    return value


def _data(scope: Scope, root: object, segments: Sequence[str]) -> tuple[object, Sequence[str]]:
    if segments and segments[0] == "root":
        return root, segments[1:]
    return {f"@{name}": value for name, value in scope.data.items()}, [
        f"@{segments[0]}" if segments else "@",
        *segments[1:],
    ]


def _where_else(path: Path, value: object, root: object) -> str:
    name = path.segments[0]
    if value is root or path.is_data or not isinstance(root, Mapping) or name not in root:
        return ""
    return f"within this block write `@root.{name}`"


def item(container: object, key: str) -> object:
    """Return an item of a mapping, or of a list by its number, or an Undefined."""
    if isinstance(container, Mapping):
        return container[key] if key in container else Undefined(key, container, key)
    if isinstance(container, (list, tuple)) and re.fullmatch("[0-9]{1,9}", key):
        return container[int(key)] if int(key) < len(container) else Undefined(key, None, key)
    return Undefined(key, None, key)


def text(value: object) -> str:
    """Return how a value reads in a command.

    Raises:
        ValueError: it has no text, being a list, an object or something else.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return re.sub(r"e([+]|(-))0*", r"e\2", repr(value))
    names = {"dict": "an object", "list": "a list"}
    kind = names.get(type(value).__name__, f"of type {type(value).__name__}")
    raise ValueError(f"is {kind}, where a text or a number is wanted")


def show(span: Span, value: object) -> str:
    """Return what a tag prints."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        raise value.problem(span)
    try:
        return text(value)
    except ValueError as error:
        raise Problem(f"what this tag would print {error}", span=span) from error


def named(
    span: Span, context: Scope, root: object, helpers: Mapping[str, Helper], path: Path
) -> object:
    """Return what `{{name}}` means: a parameter, or else a helper without arguments."""
    value = resolve(context, root, path)
    name = path.segments[0]
    if isinstance(value, Undefined) and name in helpers:
        return call(span, helpers, name, (), {})
    return value


def call(
    span: Span,
    helpers: Mapping[str, Helper],
    name: str,
    positional: Sequence[object],
    keyed: Mapping[str, object],
) -> object:
    """Return the result of a helper."""
    helper = helpers.get(name)
    if helper is None:
        raise unknown_helper(name, helpers, span)
    if not getattr(helper, "accepts_missing", False):
        refuse_missing(span, (*positional, *keyed.values()))
    return guarded(span, name, helper, positional, keyed)


def unknown_helper(name: str, helpers: Iterable[str], span: Span) -> Problem:
    """Return the error for calling a helper that isn't there."""
    hint = nearest(name, helpers) or "a parameter takes no arguments, and text needs quotes"
    return Problem(f"there is no helper `{name}`", name=name, hint=hint, span=span)


def refuse_missing(span: Span, values: Iterable[object]) -> None:
    """Raise a Problem if one of the arguments is a name that isn't there."""
    for value in values:
        if isinstance(value, Undefined):
            raise value.problem(span)


def guarded(
    span: Span,
    name: str,
    function: Callable[..., Any],
    positional: Sequence[object],
    keyed: Mapping[str, object],
    *,
    hidden: Sequence[object] = (),
) -> Any:
    """Call a helper; whatever it raises comes out as a Problem that names it.

    Args:
        hidden: arguments in front of `positional` that a user doesn't write.
    """
    try:
        return function(*hidden, *positional, **keyed)
    except (Problem, RecursionError):
        raise
    except Exception as error:
        if isinstance(error, TypeError) and not _fits(function, [*hidden, *positional], keyed):
            usage = _usage(name, function, len(hidden))
            problem = f"`{name}` is called with other arguments than it takes"
            raise Problem(problem, name=name, hint=usage, span=span) from error
        what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise Problem(f"the helper `{name}` failed: {what}", name=name, span=span) from error


def _fits(
    function: Callable[..., Any], positional: Sequence[object], keyed: Mapping[str, object]
) -> bool:
    try:
        inspect.signature(function).bind(*positional, **keyed)
    except TypeError:
        return False
    except ValueError:  # something built in that doesn't tell its parameters
        return True
    return True


def _usage(name: str, function: Callable[..., Any], hidden: int) -> str:
    words = [name]
    for parameter in list(inspect.signature(function).parameters.values())[hidden:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            words.append(f"{parameter.name} …")
        elif parameter.kind is parameter.VAR_KEYWORD:
            words.append("key=value …")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            words.append(f"[{parameter.name}=…]")
        else:
            words.append(parameter.name)
    return f"usage: {{{{{' '.join(words)}}}}}"
