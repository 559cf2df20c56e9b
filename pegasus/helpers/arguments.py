"""What a helper's arguments may be."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from pegasus.handlebars import runtime

Helper = Callable[..., object]


def as_text(value: object) -> str:
    """Return an argument as text; numbers are text, since parameters always are."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"an argument is {runtime.text(value) or 'null'}, and text is wanted")
    try:
        return runtime.text(value)
    except ValueError as error:
        raise ValueError(f"an argument {error}") from None


def as_text_or_empty(value: object) -> str:
    """Return an argument as text; null and names that aren't there are "", and not an error."""
    if value is None or isinstance(value, runtime.Undefined):
        return ""
    return as_text(value)


def of_text(function: Callable[..., str]) -> Callable[..., str]:
    """Make a helper of a function whose parameters are all text."""

    @wraps(function)
    def helper(*arguments: object) -> str:
        return function(*(as_text(each) for each in arguments))

    return helper


def accepts_missing(function: Callable[..., object]) -> Helper:
    """Let a helper have names that aren't there as arguments; elsewhere they are an error."""
    function.accepts_missing = True  # type: ignore[attr-defined]
    return function


def takes_root(function: Callable[..., object]) -> Helper:
    """Give a helper the parameters of this rendering, as a dict, as its first argument."""
    function.takes_root = True  # type: ignore[attr-defined]
    return function


def refuse_missing(*values: object) -> None:
    """Refuse names that aren't there, among arguments that otherwise may be so."""
    for value in values:
        if isinstance(value, runtime.Undefined):
            raise value.problem(None)
