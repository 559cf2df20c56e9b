"""What experiments hand over: rows, with figures that are medians of things done in turn."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

__all__ = ["Row", "Verdict", "alternate", "at_least", "at_most", "median"]

#: Something that is done once, and takes its time. It may return a figure of its own instead.
Deed = Callable[[], float | None]


class Verdict(enum.Enum):
    """What a figure means for its target."""

    REACHED = "reached"
    MISSED = "missed"
    MEASURED = "measured"  # There is no target.
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured, or compared with what.
        target: what it should come to, in words; empty where nothing was promised.
        figure: what it came to, in words; of what was not run, why.
        verdict: whether that is enough.
        numbers: what the figure comes from, for the JSON: units are in the names.
    """

    what: str
    target: str
    figure: str
    verdict: Verdict
    numbers: Mapping[str, Any] = field(default_factory=dict)


def not_run(what: str, target: str, why: str) -> Row:
    """Return the row of something that can't be measured here."""
    return Row(what, target, why, Verdict.NOT_RUN)


def at_most(figure: float, limit: float) -> Verdict:
    """Return whether a figure stays within a limit."""
    return Verdict.REACHED if figure <= limit else Verdict.MISSED


def at_least(figure: float, limit: float) -> Verdict:
    """Return whether a figure comes up to a limit."""
    return Verdict.REACHED if figure >= limit else Verdict.MISSED


def alternate(deeds: Mapping[str, Deed], times: int) -> dict[str, list[float]]:
    """Do all deeds in turn, and that several times: A B C, A B C, …

    So what else happens on the machine meanwhile falls on all of them alike.

    Returns:
        for each deed the figures that it returned; where it returned None, the seconds it took.
    """
    figures: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(times):
        for name, deed in deeds.items():
            begin = time.perf_counter()
            figure = deed()
            figures[name].append(time.perf_counter() - begin if figure is None else figure)
    return figures
