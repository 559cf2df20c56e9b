"""Durations as people write them: `90s`, `2h`, `1d`."""

from __future__ import annotations

import math

from pytimeparse.timeparse import timeparse


def parse(value: object) -> float:
    """Return the seconds that a duration means; a bare number is seconds.

    Raises:
        ValueError: it is none; the message says what would be one.
    """
    text = str(value).strip()
    try:
        seconds = float(text)
    except ValueError:
        found = timeparse(text)
        seconds = math.nan if found is None else float(found)
    if isinstance(value, bool) or not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{text!r} is not a duration; write 90s, 30m, 2h or 1d")
    return seconds
