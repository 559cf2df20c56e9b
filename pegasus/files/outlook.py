"""What stands in a queue file, as far as it matters for who may run next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from pegasus.files.known import Known
from pegasus.model import Need, Place


class Outlook:
    """What the jobs of a queue need, in the order of the file. It never changes.

    Iterating yields, for each entry from the head on, what each of its jobs needs, and how many
    jobs there are. The length is the number of entries.
    """

    def __init__(self, known: Known) -> None:
        self._known = known

    def __len__(self) -> int:
        return len(self._known.index)

    def __iter__(self) -> Iterator[tuple[Need, int]]:
        return iter(self._known.index)

    def shows(self, known: Known) -> bool:
        """Return whether this is the content that it shows."""
        return self._known is known

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return self._known.index.jobs

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What the jobs need: each need once, in the order of the file."""
        return self._known.index.needs

    def place_of(self, need: Need) -> Place:
        """Return where the first entry stands whose jobs have this need.

        Raises:
            ValueError: there is none.
        """
        (entry,) = self._known.entries([self._known.index.first_with(need)])
        return entry.place

    @cached_property
    def counts(self) -> Mapping[Need, int]:
        """How many jobs have which need. This costs nothing, however long the queue is."""
        return self._known.index.counts
