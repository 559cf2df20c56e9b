"""Durations as people write them: `90s`, `2h`, `1d`."""

from __future__ import annotations

import math

#: The longest there is, in seconds: what waits can't wait for much longer.
LONGEST = 36_500 * 86_400.0

#: More characters than this are no duration; parsers and messages are spared them.
_MOST_CHARACTERS = 100


def parse(value: object) -> float:
    """Return the seconds that a duration means; a bare number is seconds.

    `1:30` is 90 seconds, as it is to YAML 1.1 where nobody quotes it, and `1:30:00` 90 minutes.

    Raises:
        ValueError: it is none; the message says what would be one.
    """
    text = str(value).strip()
    shown = repr(text[:_MOST_CHARACTERS])
    seconds = math.nan if isinstance(value, bool) else _seconds(text)
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{shown} is not a duration; write 90s, 30m, 2h or 1d")
    if seconds > LONGEST:
        raise ValueError(f"{shown} is too long; 36500d is the most")
    return abs(seconds)  # There is a -0.0.


def _seconds(text: str) -> float:
    """Return what a text means, or NaN; digits of other scripts than ours are refused."""
    if len(text) > _MOST_CHARACTERS or not text.isascii():
        return math.nan
    try:
        return float(text)
    except ValueError:
        from pytimeparse.timeparse import timeparse  # Mostly, no duration is given.

        found = timeparse(text)
        return math.nan if found is None else float(found)
