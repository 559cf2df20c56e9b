"""Checks hosts.yaml and queue.yaml as a whole: everything that is wrong, and what would be run.

Nothing is taken, locked or written. Every template is linted, and every job whose command depends
on more than names is filled for the node that it would get if all of them took turns.

That jobs fit no node is no mistake: it is said, they stay in the queue, and the others run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from pegasus.errors import PegasusError, PlacedError, ProblemsError, TemplateError
from pegasus.events import Unfit
from pegasus.files import hosts
from pegasus.files.entries import Entry
from pegasus.files.queuefile import QueueFile, jobs_of
from pegasus.filling import COMMAND, templates
from pegasus.lint import Linter, depends_on_values
from pegasus.model import ONE_SLOT, Job, Need, Node, Options, Place, Slots
from pegasus.plan import Plan, plan
from pegasus.slots.allocation import FIRST_FIT
from pegasus.slots.fitting import unfit_problem
from pegasus.slots.turns import Turns

#: Returns some of the nodes.
Choose = Callable[[Sequence[Node]], list[Node]]

_UNKNOWN = "what comes behind it was not looked at"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        file: the file it is about, as the user named it.
        error: what a run would end with.
    """

    file: str
    error: PegasusError

    @property
    def place(self) -> Place | None:
        """Where it stands, or None where the whole file is meant."""
        return self.error.place if isinstance(self.error, PlacedError) else None

    @property
    def text(self) -> str:
        """What is wrong, without the place."""
        text = self.error.problem if isinstance(self.error, PlacedError) else str(self.error)
        return text.removeprefix(f"{self.file}: ")


@dataclass(frozen=True)
class Checked:
    """What was found in the files, as far as it is right.

    Attributes:
        nodes: those of hosts.yaml.
        entries: those of queue.yaml.
        problems: what is wrong, in the order of the files, hosts.yaml first; each is said once,
            for whatever nodes and jobs it shows up.
        allocation: by which policy jobs get slots, where neither they nor their nodes say so.
    """

    nodes: Sequence[Node]
    entries: Sequence[Entry]
    problems: Sequence[Problem] = ()
    allocation: str = FIRST_FIT

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def jobs(self) -> int:
        """How many jobs the entries make."""
        return sum(entry.size for entry in self.entries)

    def require(self) -> None:
        """Raise what is wrong: a ProblemsError, or where it is one thing the error itself."""
        errors = [problem.error for problem in self.problems]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ProblemsError(errors)

    def in_turn(self, defaults: Options) -> Iterator[tuple[Node, Plan]]:
        """Yield what each job comes to on the node that it gets if they all take turns.

        Args:
            defaults: what holds for a job where neither it nor its node says anything.
        """
        turns = Turns(self.nodes, self.allocation)
        for job in self._jobs():
            if node := turns.next(job.need):
                yield node, plan(job, node, defaults, turns.slots(node, job.need))

    def on_each(self, defaults: Options) -> Iterator[tuple[Node, Plan]]:
        """Yield what each job comes to on each node, job by job; see `in_turn`.

        That is a broadcast, where a job has all slots of a node. Those that connecting would count
        are taken for one.
        """
        turns = Turns(self.nodes, self.allocation)
        for job in self._jobs():
            for node in turns.matching(job.need.on):
                slots = ONE_SLOT if node.slots is None else Slots(node.slots)
                yield node, plan(job, node, defaults, slots)

    def unfit(self, *, on_each: bool = False) -> list[Unfit]:
        """Return which jobs fit no node, what they need once each, in the order of the file.

        Args:
            on_each: whether they are to run on each node; there, only `on` counts.
        """
        entries: dict[Need, list[Entry]] = {}
        for entry in self.entries:
            need = entry.need._replace(slots=0) if on_each else entry.need
            entries.setdefault(need, []).append(entry)
        return [
            Unfit(need, sum(entry.size for entry in same), same[0].place, problem)
            for need, same in entries.items()
            if self.nodes and (problem := unfit_problem(need, self.nodes, self.allocation))
        ]

    def total(self, *, on_each: bool = False) -> int:
        """Return how many commands `in_turn` or `on_each` yields."""
        if not on_each:
            return self.jobs - sum(unfit.jobs for unfit in self.unfit())
        turns = Turns(self.nodes, self.allocation)
        return sum(entry.size * len(turns.matching(entry.need.on)) for entry in self.entries)

    def _jobs(self) -> Iterator[Job]:
        for entry in self.entries:
            yield from jobs_of(entry)


def check_files(
    hosts_file: Path, queue: QueueFile, choose: Choose = list, allocation: str = FIRST_FIT
) -> Checked:
    """Check both files, even when one of them can't be read at all.

    Args:
        choose: returns those of the nodes that are to be looked at. It is not asked while
            something is wrong with them, and what it raises is not about the files.
        allocation: by which policy jobs get slots, where neither they nor their nodes say so.
    """
    found = _Findings()
    nodes: list[Node] = []
    with found.of(hosts_file):
        nodes = hosts.load(hosts_file, refuse=lambda error: found.add(hosts_file, error))
    if not len(found):
        nodes = choose(nodes)
    return _check(nodes, queue, found, allocation)


def check_queue(nodes: Sequence[Node], queue: QueueFile, allocation: str = FIRST_FIT) -> Checked:
    """Check the queue file for these nodes; without any, templates are only parsed.

    A file with which all is well is not checked again when jobs are taken from it. `allocation` is
    that of `check_files`.
    """
    checked = _check(nodes, queue, _Findings(), allocation, keep=False)
    return replace(checked, entries=queue.trust()) if checked.ok else checked


class _Findings:
    """Collects problems, each once."""

    def __init__(self) -> None:
        self._problems: dict[tuple[object, ...], Problem] = {}

    def add(self, file: Path, error: PegasusError) -> None:
        """Note a mistake that came up in reading or linting a file."""
        place = error.place if isinstance(error, PlacedError) else None
        cause = error.__cause__
        # One tag may fail for many nodes, values and commands, with another hint for each.
        about = str(error)
        if isinstance(cause, TemplateError):
            about = cause.name or cause.problem
        problem = Problem(place.file if place else str(file), error)
        self._problems.setdefault((place, about), problem)

    @contextmanager
    def of(self, file: Path) -> Iterator[None]:
        """Note what ends the reading of a file in a `with` block, and go on behind that."""
        try:
            yield
        except PlacedError as error:
            problem = f"{error.problem}; {_UNKNOWN}" if error.place else error.problem
            self.add(file, type(error)(problem, error.place))
        except PegasusError as error:
            self.add(file, error)

    def __len__(self) -> int:
        return len(self._problems)

    def sorted(self, last: Path) -> list[Problem]:
        """Return all in the order of the files, those of `last` at the end."""

        def order(problem: Problem) -> tuple[object, ...]:
            place = problem.place
            where = (place.line, place.column) if place else (0, 0)
            return problem.file == str(last), *where

        return sorted(self._problems.values(), key=order)


def _check(
    nodes: Sequence[Node],
    queue: QueueFile,
    found: _Findings,
    allocation: str,
    *,
    keep: bool = True,
) -> Checked:
    linter = Linter(nodes, allocation)
    turns = Turns(nodes, allocation)
    entries: list[Entry] = []
    vary = any(_vary(node.options) for node in nodes)
    with found.of(queue.path):
        for alike in queue.alike(lambda error: found.add(queue.path, error)):
            before, first = len(found), next(iter(alike))
            for error in linter.problems(first):
                found.add(queue.path, error)
            # What fails for some values is said by then; it need not be tried with all of them.
            if len(found) == before and (vary or _varies(first)):
                for error in chain.from_iterable(_filled(entry, turns) for entry in alike):
                    found.add(queue.path, error)
            else:
                turns.skip(first.need, first.size * len(alike))
            if keep:
                entries.extend(alike)
    return Checked(nodes, entries, found.sorted(queue.path), allocation)


def _varies(entry: Entry) -> bool:
    """Whether it takes more than the names to know if the templates of an entry can be filled."""
    return _vary(entry.options) or any(
        depends_on_values(COMMAND, head.value) for head in entry.heads
    )


def _vary(options: Options) -> bool:
    return any(depends_on_values(name, template) for name, template in templates(options))


def _filled(entry: Entry, turns: Turns) -> Iterator[PegasusError]:
    """Fill what an entry says for each of its jobs, and yield why it can't be."""
    for job in jobs_of(entry):
        if node := turns.next(job.need):
            try:
                plan(job, node, Options(), turns.slots(node, job.need))
            except PegasusError as error:
                yield error
