"""Calling helpers: with what they take, and with their failures told as a template's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pegasus.handlebars.diagnosis import LITERAL_BRACES
from pegasus.handlebars.runtime import Scope, Undefined, nearest, resolve
from pegasus.handlebars.syntax import Path, Problem, Span, brief, told

Helper = Callable[..., object]


def named(
    span: Span, context: Scope, root: object, helpers: Mapping[str, Helper], path: Path
) -> object:
    """Return what `{{name}}` means: a parameter, or else a helper that needs no arguments.

    One that takes any number of them isn't meant, lest a missing parameter `log` be nothing.
    """
    value = resolve(span, context, root, path)
    name = path.segments[0]
    if not isinstance(value, Undefined) or name not in helpers:
        return value
    helper = helpers[name]
    parameters = _parameters(helper)
    is_meant = getattr(helper, "accepts_missing", False) or not any(
        each.kind is each.VAR_POSITIONAL for each in parameters
    )
    if is_meant and _fits(helper, (), {}):
        return call(span, root, helpers, name, (), {})
    problem = value.problem(span)
    problem.hint += f"; there is a helper `{name}`, {_usage(name, helper, 0)}"
    raise problem


def call(
    span: Span,
    root: object,
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
    hidden = (root,) if getattr(helper, "takes_root", False) else ()
    return guarded(span, name, helper, positional, keyed, hidden=hidden)


def unknown_helper(name: str, helpers: Iterable[str], span: Span) -> Problem:
    """Return the error for calling a helper that isn't there."""
    hint = nearest(name, helpers) or (  # none near: perhaps another program's template
        f"a parameter takes no arguments, and text needs quotes; {LITERAL_BRACES}"
    )
    return Problem(f"there is no helper `{brief(name)}`", name=name, hint=hint, span=span)


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
    except Problem as missing:
        missing.span = missing.span or span
        raise
    except (Exception, SystemExit) as error:
        if hidden and isinstance(error, RecursionError):  # blocks within blocks: none is to blame
            raise
        if isinstance(error, TypeError) and not _fits(function, [*hidden, *positional], keyed):
            usage = _usage(name, function, len(hidden))
            problem = f"`{name}` is called with other arguments than it takes"
            raise Problem(problem, name=name, hint=usage, span=span) from error
        problem = f"the helper `{name}` failed: {told(error)}"
        raise Problem(problem, name=name, span=span) from error


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function; of something built in that doesn't tell, none."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _fits(
    function: Callable[..., Any], positional: Sequence[object], keyed: Mapping[str, object]
) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # something built in that doesn't tell its parameters
        return True
    try:
        signature.bind(*positional, **keyed)
    except TypeError:
        return False
    return True


def _usage(name: str, function: Callable[..., Any], hidden: int) -> str:
    words = [name]
    for parameter in _parameters(function)[hidden:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            words.append(f"{parameter.name} …")
        elif parameter.kind is parameter.VAR_KEYWORD:
            words.append("key=value …")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            words.append(f"[{parameter.name}=…]")
        else:
            words.append(parameter.name)
    return f"usage: {{{{{' '.join(words)}}}}}"
