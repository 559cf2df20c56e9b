"""What is measured of a run, as values: how far it has come, and what it has taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a run has come. In a broadcast a job is a round: it is done on all nodes.

    Attributes:
        done: how many jobs have come to their end, well or not.
        failed: how many of them not well.
        total: those, what runs, what waits to be run again, and what is left in the queue file
            for this run or another; but not what fits no node. None while the file has not been
            looked at.
        queued: how many are left in the queue file; None while it has not been looked at.
        unfit: how many of them fit no node.
        running: how many attempts run; in a broadcast, on as many nodes.
        connected: how many nodes are connected, and take jobs or have some.
        slots: how many slots these have; of those that take no more jobs, those that jobs are on.
        free: how many of the slots could be given to jobs.
        is_paused: whether no job is taken for now.
        elapsed: seconds since the run began.
        remaining: in how many seconds it is going to end, or None where that can't be said.
        on_nodes: broadcast: on how many nodes the job of this round has ended, and on how many it
            is run; None between rounds.
    """

    done: int
    failed: int
    total: int | None
    queued: int | None
    unfit: int
    running: int
    connected: int
    slots: int
    free: int
    is_paused: bool
    elapsed: float
    remaining: float | None
    on_nodes: tuple[int, int] | None


@dataclass(frozen=True)
class Times:
    """What a run took, in seconds.

    Attributes:
        wall: from its beginning to its end, or until now.
        jobs: the time of all attempts together, repeated ones too, on however many slots.
        busy: for how long jobs were on slots, all slots together.
        available: for how long there were slots, all together: those of nodes that were
            connected. Where somebody wants slots to be idle (the run is paused, a node is
            drained), they are not there unless a job is still on them.
        attempts: of each attempt that has ended and had begun, by its key.
        has_slots: whether there was a node with another number of slots than one.
    """

    wall: float
    jobs: float
    busy: float
    available: float
    attempts: Mapping[tuple[int, int], float]
    has_slots: bool = False

    @property
    def utilisation(self) -> float | None:
        """The share of their time in which slots were busy; None where there was none."""
        return min(self.busy / self.available, 1.0) if self.available else None
