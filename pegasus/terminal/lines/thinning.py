"""Every Nth line of a stream: what `--print-period` lets pass."""

from __future__ import annotations


class EveryNth:
    """Lets every Nth line of one stream pass.

    Args:
        period: N; 0 lets none pass.
    """

    def __init__(self, period: int) -> None:
        self.period = period
        self._count = 0

    def of(self, lines: list[str]) -> list[str]:
        """Return those that pass of the lines that come next."""
        if not self.period:
            return []
        first = (-self._count - 1) % self.period
        self._count += len(lines)
        return lines[first :: self.period]
