"""How far a run has come, in numbers: collected from its events, with the times they came at."""

from __future__ import annotations

from pegasus.events import Event


class Statistics:
    """Counts what a run has done, and adds up the time that it took. Any thread may use it."""

    def __call__(self, event: Event) -> None:
        """Take notice of an event: this is an event sink."""
