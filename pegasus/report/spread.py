"""How long attempts took, by the values of a parameter: what varied, and how durations spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

from pegasus.journal.jobs import JobState
from pegasus.report.account import Account, Row
from pegasus.report.outcomes import FAILURES

#: Into how many groups durations are divided at most.
GROUPS = 24
#: How many parameters there are to choose from at most.
CHOICES = 50
#: How many durations of a group are shown one by one at most; of a small one, all are.
POINTS = 40
SMALL = 12

#: An attempt by its place among the rows, and its value of a parameter.
_Valued = list[tuple[int, str]]


@dataclass(frozen=True)
class Box:
    """How durations spread, in milliseconds.

    Attributes:
        number: how many there are.
        low, first, median, third, high: the quartiles, and between which durations all others lie
            but for those beyond one and a half times the distance of the quartiles.
        points: attempts that are shown one by one, by their places among the rows.
    """

    number: int
    low: float
    first: float
    median: float
    third: float
    high: float
    points: Sequence[int]


@dataclass(frozen=True)
class Group:
    """Attempts of one value, or of several that are put together.

    `succeeded` and `failed` are None where there is no such attempt.
    """

    label: str
    succeeded: Box | None
    failed: Box | None


@dataclass(frozen=True)
class Choice:
    """What durations may be divided by; `kind` is parameter, node or template."""

    kind: str
    name: str
    groups: Sequence[Group]


def choices(account: Account) -> Iterator[Choice]:
    """Yield all by which durations may be divided: what has more than one value.

    Only attempts count that came to an end by themselves.
    """
    ended = [
        place
        for place, row in enumerate(account.rows)
        if row.state == JobState.SUCCEEDED.value or row.state in FAILURES
    ]
    for kind, name, valued in _ways(account, ended):
        parts = _divided(valued)
        if len(parts) > 1:
            groups = [_group(account.rows, label, places) for label, places in parts]
            yield Choice(kind, name, groups)


def params_of(account: Account, row: Row) -> dict[str, str]:
    """Return the parameters that a row was filled with; those of a node win."""
    own = {} if row.node is None else account.nodes[row.node].node.params
    return {**dict(row.params), **own}


def _ways(account: Account, ended: Sequence[int]) -> Iterator[tuple[str, str, _Valued]]:
    """Yield by what attempts may be divided: its kind, its name, and the values that there are."""
    filled = {place: params_of(account, account.rows[place]) for place in ended}
    names = dict.fromkeys(name for params in filled.values() for name in params)
    for name in [*names][:CHOICES]:
        having = [(place, params[name]) for place, params in filled.items() if name in params]
        yield "parameter", name, having
    nodes = [(place, account.rows[place].node or 0) for place in ended]
    yield "node", "", [(place, account.nodes[node].node.label) for place, node in nodes]
    yield "template", "", [(place, account.rows[place].template) for place in ended]


def _divided(valued: _Valued) -> list[tuple[str, list[int]]]:
    """Return groups with their labels: numbers in their order, words as they come first."""
    parts: dict[str, list[int]] = {}
    for place, text in valued:
        parts.setdefault(text, []).append(place)
    numbers = {text: number for text in parts if (number := _number(text)) is not None}
    if len(numbers) < len(parts):
        return _commonest(parts)
    ordered = sorted(parts.items(), key=lambda item: numbers[item[0]])
    return ordered if len(ordered) <= GROUPS else _ranges(ordered)


def _commonest(parts: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    if len(parts) <= GROUPS:
        return [*parts.items()]
    kept = sorted(parts, key=lambda text: -len(parts[text]))[: GROUPS - 1]
    rest = [text for text in parts if text not in set(kept)]
    others = [place for text in rest for place in parts[text]]
    common = [(text, parts[text]) for text in parts if text in set(kept)]
    return [*common, (f"{len(rest)} others", others)]


def _ranges(ordered: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
    """Return ranges of numbers, each of about as many values."""
    size = math.ceil(len(ordered) / GROUPS)
    result = []
    for begin in range(0, len(ordered), size):
        part = ordered[begin : begin + size]
        first, last = part[0][0], part[-1][0]
        label = first if len(part) == 1 else f"{first} – {last}"
        result.append((label, [place for _, places in part for place in places]))
    return result


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _group(rows: Sequence[Row], label: str, places: Sequence[int]) -> Group:
    good = [place for place in places if rows[place].state == JobState.SUCCEEDED.value]
    bad = [place for place in places if rows[place].state in FAILURES]
    return Group(label, _box(rows, good), _box(rows, bad))


def _box(rows: Sequence[Row], places: Sequence[int]) -> Box | None:
    if not places:
        return None
    ordered = sorted(places, key=lambda place: rows[place].duration)
    durations = [rows[place].duration for place in ordered]
    # One duration is its own quartiles.
    first, median, third = quantiles(durations * 2 if len(durations) == 1 else durations, n=4,
                                     method="inclusive")  # fmt: skip
    reach = 1.5 * (third - first)
    within = [one for one in durations if first - reach <= one <= third + reach]
    outside = [p for p in ordered if not within[0] <= rows[p].duration <= within[-1]]
    points = ordered if len(ordered) <= SMALL else _some(outside)
    return Box(len(durations), within[0], first, median, third, within[-1], points)


def _some(places: list[int]) -> list[int]:
    """Return so many as may be shown: the longest and the shortest."""
    if len(places) <= POINTS:
        return places
    half = POINTS // 2
    return places[:half] + places[-half:]
