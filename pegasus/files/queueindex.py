"""Where the entries of a queue file stand, how many jobs they make, and what those need.

Numbers only, a few bytes for an entry: a queue may be very long. All is counted from the end of
the file, where it stays the same when something changes in front of it.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice, repeat
from operator import sub
from typing import NamedTuple

from pegasus.model import Need


class Standing(NamedTuple):
    """An entry: how far from the end of the text it begins, its jobs, and what they need."""

    begin: int
    jobs: int
    need: Need


class Row(NamedTuple):
    """Entries that follow one another, each of one job that needs what most do.

    Attributes:
        begins: how far from the end of the text they begin.
    """

    begins: array[int]


class Made(NamedTuple):
    """Entries that are put in, one behind the other, which are alike but for their texts.

    Attributes:
        lengths: how long their texts are.
        jobs: how many jobs each makes.
        need: what those need.
    """

    lengths: Sequence[int]
    jobs: int
    need: Need


class Change(NamedTuple):
    """Entries are replaced by others.

    Attributes:
        first: the number of the first entry that goes, counted from the head from 0.
        gone: how many go; with 0, the others come before the first.
        end: how far from the end of the text that stood which is replaced.
        grown: by how much the text gets longer.
        made: the entries that come there.
    """

    first: int
    gone: int
    end: int
    grown: int
    made: Sequence[Made] = ()


class Index:
    """What there is to know of each entry. Entries are numbered from the head, from 0.

    Args:
        like: an index whose entries have the same needs, most of them.
    """

    def __init__(self, like: Index | None = None) -> None:
        # The last entry comes first.
        self._begins = array("q")
        self._totals = array("q")
        self._needs = array("I")
        # Equal needs are one; those that no entry has any more may stay.
        self._table: list[Need] = like._table if like is not None else []
        self._numbers: dict[Need, int] = like._numbers if like is not None else {}
        self._counts = Counter[int]()  # How many jobs have which need.

    @classmethod
    def of(cls, entries: Iterable[Standing | Row], like: Index | None = None) -> Index:
        """Return the index of entries that are given in the order of the file."""
        index = cls(like)
        sizes = array("q")
        for one in entries:
            if isinstance(one, Row):
                index._begins.extend(one.begins)
                sizes.extend(repeat(1, len(one.begins)))
                number, jobs = index._number(Need()), len(one.begins)
                index._needs.extend(repeat(number, jobs))
            else:
                number, jobs = index._number(one.need), one.jobs
                index._begins.append(one.begin)
                sizes.append(jobs)
                index._needs.append(number)
            index._counts[number] += jobs
        index._begins.reverse()
        index._needs.reverse()
        index._totals.extend(accumulate(reversed(sizes)))
        return index

    def __len__(self) -> int:
        return len(self._begins)

    def __iter__(self) -> Iterator[tuple[Need, int]]:
        """Yield what the jobs of each entry need, and how many those are."""
        totals = reversed(self._totals)
        behind = chain(islice(reversed(self._totals), 1, None), (0,))
        needs = map(self._table.__getitem__, reversed(self._needs))
        return zip(needs, map(sub, totals, behind), strict=True)

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return self._totals[-1] if self._totals else 0

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the jobs need: each need once, in the order of the file."""
        left = {number for number, jobs in self._counts.items() if jobs}
        found: list[Need] = []
        numbers = reversed(self._needs)
        while left:
            number = next(numbers)
            if number in left:
                left.remove(number)
                found.append(self._table[number])
        return tuple(found)

    @property
    def counts(self) -> dict[Need, int]:
        """How many jobs have which need."""
        return {self._table[number]: jobs for number, jobs in self._counts.items() if jobs}

    def first_with(self, need: Need) -> int:
        """Return the number of the first entry whose jobs have this need.

        Raises:
            ValueError: there is none.
        """
        wanted = self._numbers.get(need, -1)
        for number, found in enumerate(reversed(self._needs)):
            if found == wanted:
                return number
        raise ValueError(f"no job has {need}")

    def begin(self, number: int) -> int:
        """Return how far from the end of the text an entry begins."""
        return self._begins[-1 - number]

    def find(self, position: int) -> tuple[int, int]:
        """Return in which entry a job stands, and how many jobs of that are before it.

        Args:
            position: of the job, counted from the head of the queue from 0, less than `jobs`.
        """
        left = self.jobs - position
        at = bisect_left(self._totals, left)
        return len(self) - 1 - at, self._totals[at] - left

    def starting_within(self, distance: int) -> int:
        """Return how many entries begin at most that far from the end of the text."""
        return bisect_right(self._begins, distance)

    def has(self, distance: int) -> bool:
        """Return whether an entry begins that far from the end of the text."""
        at = bisect_left(self._begins, distance)
        return at < len(self) and self._begins[at] == distance

    def _put_made_first(self, end: int, made: Sequence[Made]) -> None:
        """Add entries before all others; `end` is how far from the end of the text they end."""
        for one in reversed(made):
            count, number = len(one.lengths), self._number(one.need)
            begins = accumulate(reversed(one.lengths), initial=end)
            totals = accumulate(repeat(one.jobs, count), initial=self.jobs)
            self._begins.extend(islice(begins, 1, None))
            self._totals.extend(islice(totals, 1, None))
            self._needs.extend(repeat(number, count))
            self._counts[number] += count * one.jobs
            end += sum(one.lengths)

    def _number(self, need: Need) -> int:
        number = self._numbers.get(need)
        if number is None:
            number = self._numbers[need] = len(self._table)
            self._table.append(need)
        return number

    def put_all_first(self, other: Index, first: int, behind: int, grown: int = 0) -> None:
        """Add entries of an index with the same needs before all others.

        Args:
            first: the number of the first of them.
            behind: how many there are behind them.
            grown: by how much further from the end of the text they begin than they did.
        """
        self._put_all_first(other, first, behind, grown)
        self._counts += other._counted(behind, len(other) - first)

    def _put_all_first(self, other: Index, first: int, behind: int, grown: int) -> None:
        """Do as `put_all_first`, but for the counts."""
        part = slice(behind, len(other) - first)
        if part.start == part.stop:
            return
        more = self.jobs - (other._totals[behind - 1] if behind else 0)
        self._begins += _shifted(other._begins[part], grown)
        self._totals += _shifted(other._totals[part], more)
        self._needs += other._needs[part]

    def _counted(self, start: int, stop: int) -> Counter[int]:
        """Return how many jobs have which need, of some entries, counted from the last one."""
        if 2 * (stop - start) > len(self):  # Then there are less others.
            others = self._counted(0, start) + self._counted(stop, len(self))
            return self._counts - others
        counts = Counter[int]()
        before = self._totals[start - 1] if start else 0
        for at in range(start, stop):
            counts[self._needs[at]] += self._totals[at] - before
            before = self._totals[at]
        return counts

    def changed(self, changes: Sequence[Change]) -> Index:
        """Return the index once all changes, in the order of the file, are made."""
        index = Index(self)
        behind = grown = 0
        counts = self._counts.copy()
        for change in reversed(changes):
            index._put_all_first(self, change.first + change.gone, behind, grown)
            index._put_made_first(change.end + grown, change.made)
            behind, grown = len(self) - change.first, grown + change.grown
            counts -= self._counted(behind - change.gone, behind)
        index._put_all_first(self, 0, behind, grown)
        index._counts += counts  # There are those that were put in.
        return index


def _shifted(numbers: array[int], by: int) -> array[int]:
    """Return numbers that are all larger by one; none of them is negative, before and after.

    Both are added as one long number each, in which every one of them has its own 64 bits: that is
    done in C, and none of them runs over into the next.
    """
    if not by:
        return numbers
    more = int.from_bytes(array("q", [abs(by)]) * len(numbers), sys.byteorder)
    found = int.from_bytes(numbers, sys.byteorder)
    size = len(numbers) * numbers.itemsize
    shifted = array("q")
    shifted.frombytes((found + more if by > 0 else found - more).to_bytes(size, sys.byteorder))
    return shifted
