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
