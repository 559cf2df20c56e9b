"""Why a tag can't be read, in words."""

from __future__ import annotations

import re

from pegasus.handlebars.lexicon import tag_span
from pegasus.handlebars.syntax import Problem

LITERAL_BRACES = r"where literal braces are meant, write \{{ or {{{{raw}}}} … {{{{/raw}}}}"

# What is looked for at the tag's start; what is wrong then; what to do.
_KNOWN = tuple(
    (re.compile(pattern, re.DOTALL), problem, hint)
    for pattern, problem, hint in (
        (r"\{\{!(?!.*\}\})", "this comment is never closed", "end it with }}"),
        (r"\{\{!--(?!.*--\}\})", "this comment is never closed", "end it with --}}"),
        (
            r"\{{4}\s*raw\s*\}{4}",
            "this raw block is never closed",
            "end it with {{{{/raw}}}}",
        ),
        (r"\{{4}", "only {{{{raw}}}} … {{{{/raw}}}} has four braces", ""),
        (
            r"\{\{~?\s*\^\s*\w",
            "{{^…}} is not understood",
            "write {{#unless …}} … {{/unless}}",
        ),
        (r"\{\{~?\s*(?:#\s*)?[>*]", "partials and decorators are not supported", LITERAL_BRACES),
        (r"\{\{~?\s*~?\}\}", "this tag is empty", LITERAL_BRACES),
        (
            r"\{\{~?\s*else\b",
            "`else` can't be used in this way",
            "write {{else}} or {{else if …}}; a parameter of that name is {{[else]}}",
        ),
    )
)


def diagnose(source: str, start: int, furthest: int) -> Problem:
    """Return what is wrong with the tag at `start`, where reading came as far as `furthest`."""
    span = tag_span(source, start)
    for pattern, problem, hint in _KNOWN:
        if pattern.match(source, start):
            return Problem(problem, hint=hint, span=span)
    if furthest >= len(source) or "}}" not in source[start:]:
        hint = f"end it with }}}}; {LITERAL_BRACES}"
        return Problem("this tag is never closed", hint=hint, span=span)
    if source[furthest] in "\"'":
        return Problem("a string in this tag is never closed", span=span)
    problem = f"unexpected {_spell(source[furthest])} in this tag"
    return Problem(problem, hint=LITERAL_BRACES, span=span)


def _spell(char: str) -> str:
    return f"`{char}`" if char.isprintable() and char != " " else f"character U+{ord(char):04X}"
