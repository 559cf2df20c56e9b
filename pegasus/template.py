"""Strict, unescaped Handlebars for shell text: commands and host names.

Strict: a name that isn't there, a tag that can't be read, a block that isn't closed are errors,
never a shorter command. Unescaped: values come out as they are; `shell_quote` quotes for a
shell. Text without `{{` is returned as it is, without a look at anything else.

pybars3 does the work, extended in `pegasus.handlebars`; it is imported when the first template
needs it. Most need nothing but parameters put in their places, which is done here: a queue may
have a hundred thousand of them. These functions may be called by any thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pegasus.errors import TemplateError

if TYPE_CHECKING:
    from pegasus.handlebars.compiler import Program
    from pegasus.handlebars.syntax import Problem

Helpers = Mapping[str, Callable[..., object]]

#: A tag that is only a name. Braces or a backslash beside it would make it something else.
_NAME_TAG = re.compile(r"(?<![{\\])\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}(?!\})")

#: Names that mean something else where they stand alone in a tag.
_WORDS = frozenset({"else", "false", "null", "this", "true", "undefined"})


def render(template: str, params: Mapping[str, object], helpers: Helpers | None = None) -> str:
    """Return `template` with its tags replaced.

    Args:
        params: the values by name; usually strings, which come out unchanged.
        helpers: Handlebars helpers besides those that are registered, by name: functions of
            the arguments in the tag, as for `pegasus.helper`.

    Raises:
        TemplateError: whatever goes wrong, in the template, its parameters or a helper.
    """
    if "{{" not in template:
        return template
    text = _put_in(template, params)
    if text is not None:
        return text
    with _as_template_error(template):
        return _compile(template).render(params, _known(helpers))


def check(template: str, helpers: Helpers | None = None) -> None:
    """Check that `template` parses and that the helpers it calls are there.

    Raises:
        TemplateError: it doesn't, or they aren't.
    """
    if "{{" not in template or has_only_names(template):
        return
    with _as_template_error(template):
        _compile(template).check_calls(_known(helpers))


def _put_in(template: str, params: Mapping[str, object]) -> str | None:
    """Return a template of nothing but names, filled; None: it takes more than that."""
    pieces = _NAME_TAG.split(template)
    if not _are_plain(pieces):
        return None
    try:
        values = [params[name] for name in pieces[1::2]]
    except Exception:  # a missing one, or anybody's mapping: the engine tells which, and where
        return None
    if not all(isinstance(value, str) for value in values):
        return None
    pieces[1::2] = [str(value) for value in values]
    return "".join(pieces)


def has_only_names(template: str) -> bool:
    """Whether all tags are names of parameters, so that their values decide nothing."""
    return _are_plain(_NAME_TAG.split(template))


def _are_plain(pieces: list[str]) -> bool:
    """Whether a template, split at its tags, has no others than names of parameters."""
    has_other_tags = any("{{" in text for text in pieces[::2])
    return not has_other_tags and _WORDS.isdisjoint(pieces[1::2])


def _compile(template: str) -> Program:
    from pegasus.handlebars.compiler import compile_template

    return compile_template(template)


def _known(helpers: Helpers | None) -> Helpers:
    from pegasus.helpers import registry

    known = registry.REGISTRY.known()
    return {**known, **registry.guarded(helpers)} if helpers else known


@contextmanager
def _as_template_error(template: str) -> Iterator[None]:
    """Turn what the rooms underneath raise into a TemplateError that tells the place."""
    from pegasus.handlebars.syntax import Problem, told

    try:
        yield
    except Problem as problem:
        raise _locate(template, problem) from problem.__cause__
    except RecursionError:
        raise TemplateError("the template nests too deeply") from None
    except Exception as error:  # such as a parameter that can't be looked into
        raise TemplateError(f"the template can't be filled: {told(error)}") from error


def _locate(template: str, problem: Problem) -> TemplateError:
    from pegasus.handlebars.syntax import SHOWN

    start, end = problem.span or (0, 0)
    tag = template[start:end]
    return TemplateError(
        problem.problem,
        line=template.count("\n", 0, start) + 1,
        column=start - template.rfind("\n", 0, start),
        tag=tag if len(tag) <= SHOWN else f"{tag[:SHOWN]}…",
        name=problem.name,
        hint=problem.hint,
    )
