"""The jobs of a queue that fit no node: they stay there, and people are told."""

from __future__ import annotations

from collections.abc import Callable

from pegasus.events import JobsUnfit, Sink, Unfit
from pegasus.files.outlook import Outlook
from pegasus.model import Need


class UnfitJobs:
    """Tells which jobs no node of a run could run, now or later.

    Args:
        problem: returns why jobs with a need fit no node, or "".
        version: returns a number that grows when nodes come or go.
        emit: where it is told.
    """

    def __init__(
        self, problem: Callable[[Need], str], version: Callable[[], int], emit: Sink
    ) -> None:
        self._problem = problem
        self._version = version
        self._emit = emit
        self._told: tuple[Unfit, ...] = ()
        self._seen: tuple[Outlook | None, int] = (None, -1)

    def are_all(self, outlook: Outlook) -> bool:
        """Return whether no other jobs stand in the queue."""
        return all(map(self._problem, outlook.needs))

    def tell(self, outlook: Outlook | None) -> None:
        """Tell which they are, if that has changed; None is that nobody knows what there is."""
        version = self._version()
        if outlook is None or self._seen == (outlook, version):
            return
        self._seen = outlook, version
        unfit = tuple(
            Unfit(need, outlook.counts[need], outlook.place_of(need), problem)
            for need in outlook.needs
            if (problem := self._problem(need))
        )
        if [(one.need, one.jobs) for one in unfit] != [(one.need, one.jobs) for one in self._told]:
            self._emit(JobsUnfit(unfit))
        self._told = unfit
