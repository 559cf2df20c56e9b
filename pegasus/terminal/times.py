"""Moments and durations, as people read them."""

from __future__ import annotations

from datetime import datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def moment(text: str) -> datetime | None:
    """Return the moment that a text in ISO 8601 means, or None where it means none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def clock(at: datetime, now: datetime) -> str:
    """Return the time of a moment, with its date where that is not today's."""
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: `2h 3m`, `5s`."""
    left = max(0, int(seconds))
    counts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        counts.append((left // size, unit))
        left %= size
    first = next((index for index, (count, _) in enumerate(counts) if count), len(counts) - 1)
    shown = [f"{count}{unit}" for count, unit in counts[first : first + 2] if count]
    return " ".join(shown) or "0s"


def fine_duration(seconds: float) -> str:
    """Return a duration as `duration` does, or one below ten seconds with tenths: `3.2s`."""
    return duration(seconds) if seconds >= 9.95 else f"{max(seconds, 0.0):.1f}s"
