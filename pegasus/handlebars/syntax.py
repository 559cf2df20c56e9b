"""What a template is made of: the tokens and expressions that the grammar yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

#: Where a tag stands in the template: the offset of its first character and the one after it.
Span = tuple[int, int]

#: Longer names and pieces of a template are cut in messages.
SHOWN = 60

#: How much of what others say of a failure is told, in characters.
_TOLD = 300


def brief(text: str, most: int = SHOWN) -> str:
    """Return `text` as it may stand in a message: on one line, and not too long."""
    shown = text if len(text) <= most else f"{text[:most]}…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown
    )


def told(error: BaseException) -> str:
    """Return what an error says. A ValueError's text is written for the user."""
    try:
        what = str(error)
    except Exception:  # an exception class of a user's that can't even say what it is
        what = ""
    if not (what and isinstance(error, ValueError)):
        what = f"{type(error).__name__}: {what}" if what else type(error).__name__
    return brief(" ".join(what.split()), _TOLD)


class Problem(Exception):  # noqa: N818
    """Something is wrong with a template; `pegasus.template` makes a TemplateError of it.

    `span` is the tag's, or None where whoever raises it doesn't know.
    """

    def __init__(
        self, problem: str, *, name: str = "", hint: str = "", span: Span | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.name = name
        self.hint = hint
        self.span = span


@dataclass(frozen=True)
class Literal:
    """A string, number, true, false, null or JSON object as an argument."""

    value: object


@dataclass(frozen=True)
class Path:
    """A name, perhaps of something within something: `bs`, `../a.b`, `[my key]`, `@index`.

    Attributes:
        text: as it was written.
        up: how many times `../` stands in front.
        is_data: whether it begins with `@`.
        segments: the names to look up, one within the other; none is `this`.
        is_plain: neither `this.`, `./`, `../`, `@` nor brackets: a helper may be meant.
    """

    text: str
    up: int
    is_data: bool
    segments: tuple[str, ...]
    is_plain: bool

    @property
    def is_name(self) -> bool:
        """Whether this may be the name of a helper."""
        return self.is_plain and len(self.segments) == 1


@dataclass(frozen=True)
class Call:
    """A helper with its arguments, as a tag's content or in parentheses."""

    name: str
    positional: tuple[Expression, ...]
    keyed: tuple[tuple[str, Expression], ...]


Expression: TypeAlias = "Literal | Path | Call"


@dataclass
class Text:
    """Literal text. `cut_left` and `cut_right` count the characters that don't count."""

    value: str
    cut_left: int = 0
    cut_right: int = 0

    @property
    def kept(self) -> str:
        return self.value[self.cut_left : len(self.value) - self.cut_right]


@dataclass(frozen=True)
class Comment:
    """`{{! … }}`: prints nothing."""


@dataclass(frozen=True)
class RawEdge:
    """`{{{{raw}}}}` or `{{{{/raw}}}}`: what is between them is one Text."""


@dataclass(frozen=True)
class Show:
    """`{{x}}`: prints a value."""

    expression: Path | Call


@dataclass(frozen=True)
class Open:
    """`{{#if x}}`, and the part after `else` of `{{else if x}}`."""

    call: Call
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Else:
    """`{{else}}`, `{{^}}`, `{{else if x}}`."""

    chained: Open | None


@dataclass(frozen=True)
class Close:
    """`{{/if}}`."""

    name: str


@dataclass(frozen=True)
class Tag:
    """A tag, where it stands, and whether a `~` takes the white space to its sides."""

    node: Comment | RawEdge | Show | Open | Else | Close
    span: Span
    trims_left: bool = False
    trims_right: bool = False


Token: TypeAlias = "Text | Tag"  # noqa: S105
