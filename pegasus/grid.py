"""The cartesian product of parameters, in the order of the file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from math import prod

#: More combinations than this in one entry or file are taken for a mistake.
LIMIT = 100_000


def size(axes: Mapping[str, Sequence[object]]) -> int:
    """Return how many combinations `expand` yields, without making them."""
    return prod(len(values) for values in axes.values())


def expand(axes: Mapping[str, Sequence[str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield every choice of one value for each name, as (name, value) pairs.

    The first name varies slowest and the last fastest, as nested loops in the order of the
    file would. No name at all is one combination, the empty one.
    """
    for values in itertools.product(*axes.values()):
        yield tuple(zip(axes, values, strict=True))
