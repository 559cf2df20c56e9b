"""What a compiled template calls: names are resolved, values shown, helpers and blocks called.

Names are looked up as items of mappings and lists only, never as attributes. A name that is
not there gives an Undefined, which is false, and is an error as soon as it is printed or handed
to a helper that wants a value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from pegasus.handlebars.syntax import SHOWN, Path, Problem, Span, brief, told

#: How many names a message lists at most.
_LISTED = 20

#: Among how many names the nearest one is looked for.
_COMPARED = 1000


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

    def problem(self, span: Span | None) -> Problem:
        """Return the error for printing or passing on this value."""
        known = [str(each) for each in self.known] if isinstance(self.known, Mapping) else []
        hint = self.hint or nearest(self.key, known)
        listed = ", ".join(map(brief, known[:_LISTED])) + (", …" if len(known) > _LISTED else "")
        there = f"there are: {listed}" if known else "there are none here"
        if isinstance(self.known, str):
            there = "what stands before it is a text, which has no parts"
        hint = f"{hint}; {there}" if hint else there
        problem = f"there is no parameter `{brief(self.name)}`"
        return Problem(problem, name=self.name, hint=hint, span=span)


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
    """Return the hint that names the nearest spelling, or "".

    Names that are too long for a message are left out: to compare them would take too long.
    """
    short = [each for each in islice(known, _COMPARED) if len(each) <= SHOWN and each != name]
    found = difflib.get_close_matches(name, short, 1) if len(name) <= SHOWN else []
    return f"did you mean `{found[0]}`?" if found else ""


def resolve(span: Span, context: Scope, root: object, path: Path) -> object:
    """Return what `path`, which the tag at `span` names, means in `context`, or an Undefined."""
    try:
        return _look_up(context, root, path)
    except RecursionError:
        raise
    except Exception as error:  # parameters may be anybody's mapping
        problem = f"`{brief(path.text)}` can't be looked up: {told(error)}"
        raise Problem(problem, name=path.text, span=span) from error


def _look_up(context: Scope, root: object, path: Path) -> object:
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
    return f"within this block write `@root.{brief(name)}`"


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
        return _digits(value)
    if isinstance(value, float):  # or a subclass, whose repr may be another
        if 1e-5 <= abs(value) < 1e-4:  # there Python begins to write exponents, JSON doesn't
            return format(Decimal(float.__repr__(value)), "f")
        return re.sub(r"e([+]|(-))0*", r"e\2", float.__repr__(value))
    names = {"dict": "an object", "list": "a list"}
    kind = names.get(type(value).__name__, f"of type {type(value).__name__}")
    hint = "; json_to_str makes text of it" if type(value).__name__ in names else ""
    raise ValueError(f"is {kind}, where a text or a number is wanted{hint}")


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python refuses to write very long ones
        raise ValueError("is a number of too many digits") from None


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
