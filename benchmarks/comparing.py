"""pegasus beside others that do the same: one row a peer, with how many times theirs ours is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.measuring import Row, Verdict, at_least, at_most, median, not_run

#: Why a peer was not asked that is a program.
NOT_INSTALLED = "not installed"


def faster(
    what: str,
    least: float | None,
    ours: Sequence[float],
    theirs: Sequence[float],
    show: Callable[[float], str],
) -> Row:
    """Return the row for rates, of which the more the better; without a limit it is measured.

    Args:
        show: a rate in words, with its unit.
    """
    ratio = median(ours) / median(theirs)
    return _row(what, "≥", least, ratio, (ours, theirs), show, at_least)


def longer(
    what: str,
    most: float | None,
    ours: Sequence[float],
    theirs: Sequence[float],
    show: Callable[[float], str],
) -> Row:
    """Return the row for times, of which the fewer the better: how many times theirs ours is."""
    ratio = median(ours) / median(theirs)
    return _row(what, "≤", most, ratio, (ours, theirs), show, at_most)


def times_faster(
    what: str,
    least: float | None,
    ours: Sequence[float],
    theirs: Sequence[float],
    show: Callable[[float], str],
) -> Row:
    """Return the row for times: how many times as fast ours is, so theirs divided by ours."""
    ratio = median(theirs) / median(ours)
    return _row(what, "≥", least, ratio, (ours, theirs), show, at_least)


def absent(what: str, sign: str, limit: float | None, why: str = NOT_INSTALLED) -> Row:
    """Return the row of a peer that is not there."""
    return not_run(what, _target(sign, limit), why)


def _row(
    what: str,
    sign: str,
    limit: float | None,
    ratio: float,
    figures: tuple[Sequence[float], Sequence[float]],
    show: Callable[[float], str],
    judge: Callable[[float, float], Verdict],
) -> Row:
    ours, theirs = figures
    verdict = Verdict.MEASURED if limit is None else judge(ratio, limit)
    figure = f"{ratio:.2f} × ({show(median(ours))} / {show(median(theirs))})"
    numbers = {"ours": list(ours), "theirs": list(theirs), "ratio": ratio}
    return Row(what, _target(sign, limit), figure, verdict, numbers)


def _target(sign: str, limit: float | None) -> str:
    return "" if limit is None else f"{sign} {limit:g} ×"
