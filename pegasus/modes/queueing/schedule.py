"""Which jobs of the queue run next, and where: the policy of queue mode, without its threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pegasus.files.outlook import Outlook
from pegasus.model import Need, Node
from pegasus.modes.queueing.nodes import Nodes
from pegasus.selection import matching
from pegasus.slots.allocation import FIRST_FIT
from pegasus.slots.backfill import Backfill, Pick
from pegasus.slots.fitting import Indices, unfit_problem
from pegasus.slots.passing import Passing
from pegasus.slots.placement import Vacancies


@dataclass(frozen=True)
class Rules:
    """How a queue is run.

    Attributes:
        daemon: wait on an empty queue instead of ending.
        reconnect_for: for how long a node whose connection broke is tried again, in seconds.
        allocation: the policy by which jobs get slots, where neither job nor node names one.
        patience: for how long a job may be passed by later ones, in seconds; 0: not at all.
        zero_slot_jobs: how many jobs that need no slot run on a node at a time.
    """

    daemon: bool = False
    reconnect_for: float = 3600.0
    allocation: str = FIRST_FIT
    patience: float = 600.0
    zero_slot_jobs: int = 4


class Schedule:
    """Chooses jobs and slots; it starts nothing.

    Args:
        nodes: those of the run.
        now: returns the time, in seconds.
        rules: what is set.
    """

    def __init__(
        self,
        nodes: Nodes,
        now: Callable[[], float],
        rules: Rules,
    ) -> None:
        self._nodes = nodes
        self._now = now
        self._allocation = rules.allocation
        self._is_in_order = not rules.patience
        self._passing = Passing(rules.patience)
        self._known_for = -1  # For which version of the nodes holds what follows.
        self._matching: dict[str, frozenset[int]] = {}  # Nodes, by their indices.
        self._problems: dict[Need, str] = {}

    def vacancies(self) -> Vacancies:
        """Return what is free on the nodes that take jobs, to try out what fits."""
        free = [member.vacancy for member in self._nodes if member.takes_jobs]
        return Vacancies(free, self._allocation, self._matches)

    def picks(self, outlook: Outlook, vacancies: Vacancies) -> list[Pick]:
        """Return the jobs of the queue that may run now."""
        overdue = self._passing.overdue(self._now())
        backfill = Backfill(vacancies, overdue, self._is_in_order, self.is_unfit)
        return backfill.picks(outlook)

    def note(self, taken: Sequence[Pick]) -> None:
        """Jobs were taken that had been picked: others may have been passed."""
        self._passing.note([pick.position for pick in taken], self._now())

    def note_put_back(self, jobs: int) -> None:
        """Jobs are going to stand at the head of the queue again."""
        self._passing.put_back(jobs)

    def problem(self, need: Need) -> str:
        """Return why no node that there is, or that is being connected, could ever run a job."""
        self._catch_up()
        if need not in self._problems:
            here = [(one.node, one.indices) for one in self._nodes if one.may_run_jobs]
            coming = [one.successor for one in self._nodes if one.successor is not None]
            here += [(node, node.slots) for node in coming]
            # Where no node is left, that is another problem, of which everybody is told.
            found = self._unfit(need, here) if here else ""
            if found and not self._unfit(need, [(one.node, one.indices) for one in self._nodes]):
                found = "no node that this fits can be reached"
            self._problems[need] = found
        return self._problems[need]

    def _unfit(self, need: Need, slots: Sequence[tuple[Node, Indices]]) -> str:
        nodes = [node for node, _ in slots]
        indices = {node.index: there for node, there in slots}
        return unfit_problem(need, nodes, self._allocation, lambda node: indices[node.index])

    def is_unfit(self, need: Need) -> bool:
        """Whether there is such a problem."""
        return bool(self.problem(need))

    def _matches(self, node: Node, on: str) -> bool:
        if not on:
            return True
        self._catch_up()
        if on not in self._matching:
            nodes = [member.node for member in self._nodes]
            self._matching[on] = frozenset(node.index for node in matching(nodes, on))
        return node.index in self._matching[on]

    def _catch_up(self) -> None:
        if self._known_for != self._nodes.version:
            self._known_for = self._nodes.version
            self._matching.clear()
            self._problems.clear()
