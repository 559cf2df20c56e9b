"""Times of a run as numbers: milliseconds, as the clocks on the wall showed them when it began."""

from __future__ import annotations

from datetime import datetime, timedelta

from pegasus.terminal.times import moment


class Clock:
    """Turns times of the journal into numbers that grow evenly.

    The time zone is the one in which the run began: where summer time begins or ends meanwhile,
    nothing happens twice and nothing is left out.

    Args:
        beginning: when the run began, in ISO 8601, or "" where that is not known: then it is UTC.
    """

    def __init__(self, beginning: str) -> None:
        self._offset = _offset(beginning)

    @property
    def zone(self) -> str:
        """The time zone, such as `UTC+02:00`."""
        minutes = round(self._offset.total_seconds() / 60)
        sign = "-" if minutes < 0 else "+"
        hours, rest = divmod(abs(minutes), 60)
        return f"UTC{sign}{hours:02}:{rest:02}" if minutes else "UTC"

    def read(self, text: str | None) -> int | None:
        """Return the milliseconds since 1970 of a time in ISO 8601; None where it is none."""
        at = moment(text or "")
        return None if at is None else self.of(at)

    def of(self, at: datetime) -> int:
        """Return the milliseconds since 1970 of a moment."""
        return round((at.timestamp() + self._offset.total_seconds()) * 1000)


def text(at: int) -> str:
    """Return a number of this clock as people read it: `2024-03-31 14:03:22`."""
    return (datetime(1970, 1, 1) + timedelta(milliseconds=at)).strftime("%Y-%m-%d %H:%M:%S")


def _offset(beginning: str) -> timedelta:
    try:
        return datetime.fromisoformat(beginning).utcoffset() or timedelta()
    except ValueError:
        return timedelta()
