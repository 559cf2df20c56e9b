"""Which white space of a template goes: that beside a `~`, and lines that hold only a tag.

A block's tag, an `else`, a comment or a raw block's edge that stands alone on its line goes
with that line. Nothing else of the text is touched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pegasus.handlebars.syntax import Show, Tag, Text, Token

_REST_OF_LINE = re.compile(r"[ \t]*(?:\r?\n|\Z)")


def control(tokens: Sequence[Token]) -> None:
    """Set what is cut from each Text among `tokens`."""
    for index, token in enumerate(tokens):
        if isinstance(token, Text):
            continue
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if not isinstance(token.node, Show):
            _cut_line(before, after, is_second=index == 1, is_second_last=index + 2 == len(tokens))
        _trim(token, before, after)


def _trim(tag: Tag, before: Token | None, after: Token | None) -> None:
    if tag.trims_left and isinstance(before, Text):
        before.cut_right = len(before.value) - len(before.value.rstrip())
    if tag.trims_right and isinstance(after, Text):
        after.cut_left = len(after.value) - len(after.value.lstrip())


def _cut_line(
    before: Token | None, after: Token | None, *, is_second: bool, is_second_last: bool
) -> None:
    """Cut the line of the tag between `before` and `after`, where it holds nothing else."""
    left = _blank_before(before, is_start=is_second)
    right = _blank_after(after, is_end=is_second_last)
    if left is None or right is None:
        return
    if isinstance(before, Text):
        before.cut_right = max(before.cut_right, left)
    if isinstance(after, Text):
        after.cut_left = max(after.cut_left, right)


def _blank_before(before: Token | None, *, is_start: bool) -> int | None:
    """Return how many blanks stand between the line's start and the tag; None: other text."""
    if before is None:
        return 0
    if not isinstance(before, Text):
        return None
    line_start = before.value.rfind("\n") + 1
    blanks = before.value[line_start:]
    if blanks.strip(" \t") or (line_start == 0 and not is_start):
        return None
    return len(blanks)


def _blank_after(after: Token | None, *, is_end: bool) -> int | None:
    """Return how many characters stand between the tag and the next line; None: other text."""
    if after is None:
        return 0
    if not isinstance(after, Text):
        return None
    found = _REST_OF_LINE.match(after.value)
    if found is None or (not is_end and not found.group().endswith("\n")):
        return None
    return found.end()
