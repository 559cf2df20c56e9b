"""Which of the free slots of a node a job is given, by one of two policies.

GPUs that lie side by side talk to each other fastest (NVLink, a PCIe switch, a socket), and free
slots that are scattered fit nothing large. So blocks are aligned where they can be: a block of a
size begins at a multiple of it, as in a buddy allocator, and then the halves of a node, their
halves, and so on stay whole for those who need them. What counts is the number of a slot, not its
place among those that are free.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

FIRST_FIT = "first_fit"
BUDDY = "buddy"

#: How well a block lies.
ALIGNED, CONTIGUOUS, SCATTERED = range(3)


class Block(NamedTuple):
    """Slots for a job, ascending. Blocks that lie better have a smaller `grade`."""

    grade: int
    indices: tuple[int, ...]


def allocate(free: Collection[int], size: int, policy: str) -> Block | None:
    """Return slots for a job of `size` (at least 1) out of the free ones, or None.

    `first_fit` gives the first aligned block; where there is none the first contiguous one, and
    else the first that are free. `buddy` gives aligned blocks only, and only to sizes that are
    powers of two.
    """
    if len(free) < size:
        return None
    if size == 1:
        return Block(ALIGNED, (min(free),))
    starts = sorted(free)
    step = alignment(size)
    if step == size or policy == FIRST_FIT:
        aligned = [start for start in starts if not start % step]
        if found := _contiguous(free, aligned, size):
            return Block(ALIGNED, found)
    if policy == BUDDY:
        return None
    if found := _contiguous(free, starts, size):
        return Block(CONTIGUOUS, found)
    return Block(SCATTERED, tuple(starts[:size]))


def nearest(
    free: Collection[int], there: Collection[int], size: int, policy: str
) -> tuple[int, ...]:
    """Return those of the free slots that a job should wait with, until there are enough.

    They may be none. Of a node that has the slots `there`, it is an aligned block of which most
    is free, for `buddy`; and else whatever is free first.
    """
    if policy != BUDDY:
        return tuple(sorted(free)[:size])
    blocks = [range(start, start + size) for start in sorted(there) if not start % size]
    whole = [block for block in blocks if all(index in there for index in block)]
    parts = [tuple(index for index in block if index in free) for block in whole]
    return max(parts, key=len, default=())


def alignment(size: int) -> int:
    """Return what the first slot of an aligned block is a multiple of: a power of two."""
    return 1 << (size - 1).bit_length()


def _contiguous(free: Collection[int], starts: list[int], size: int) -> tuple[int, ...] | None:
    for start in starts:
        block = range(start, start + size)
        if all(index in free for index in block):
            return tuple(block)
    return None
