"""How busy slots were: spans of time, put together and added up. All times are milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

#: A beginning and an end.
Span = tuple[int, int]


def united(spans: Iterable[Span]) -> list[Span]:
    """Return spans that don't overlap and are in order: the time that is in any of them."""
    result: list[Span] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result


def total(spans: Iterable[Span]) -> int:
    """Return how long spans are together, where they don't overlap."""
    return sum(end - begin for begin, end in spans)


def curve(spans: Iterable[Span], begin: int, end: int, steps: int) -> list[float]:
    """Return how many spans hold at a time, as the mean of each of so many equal steps.

    Args:
        spans: those of all slots; the ones of a slot don't overlap.
        begin, end: what is looked at; `end` is later.
    """
    width = (end - begin) / steps
    # What each step gets, and what all behind it get: spans cost the same, however long.
    parts, changes = [0.0] * (steps + 1), [0] * (steps + 2)
    for first, last in spans:
        left, right = (_place(at, begin, width, steps) for at in (first, last))
        low, high = int(left), int(right)
        parts[low] += low + 1 - left
        parts[high] -= high + 1 - right
        changes[low + 1] += 1
        changes[high + 1] -= 1
    result, holding = [], 0
    for step in range(steps):
        holding += changes[step]
        result.append(round(max(0.0, holding + parts[step]), 3))
    return result


def _place(at: int, begin: int, width: float, steps: int) -> float:
    return min(max((at - begin) / width, 0.0), float(steps))
