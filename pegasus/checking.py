"""Checks hosts.yaml and queue.yaml as a whole: everything that is wrong, and what would be run.

Nothing is taken, locked or written. Every template is linted, and every job whose command depends
on more than names is filled for the node that it would get if all of them took turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from pegasus.errors import PegasusError, PlacedError, ProblemsError, TemplateError
from pegasus.files import hosts
from pegasus.files.entries import Entry
from pegasus.files.queuefile import QueueFile, jobs_of
from pegasus.lint import Linter
from pegasus.model import Job, Node, Options, Place
from pegasus.plan import Plan, plan
from pegasus.template import has_only_names

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
    """

    nodes: Sequence[Node]
    entries: Sequence[Entry]
    problems: Sequence[Problem] = ()

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
        for job, node in zip(self._jobs(), cycle(self.nodes), strict=False):
            yield node, plan(job, node, defaults)

    def on_each(self, defaults: Options) -> Iterator[tuple[Node, Plan]]:
        """Yield what each job comes to on each node, job by job; see `in_turn`."""
        for job in self._jobs():
            for node in self.nodes:
                yield node, plan(job, node, defaults)

    def _jobs(self) -> Iterator[Job]:
        for entry in self.entries:
            yield from jobs_of(entry)


def check_files(hosts_file: Path, queue: QueueFile, choose: Choose = list) -> Checked:
    """Check both files, even when one of them can't be read at all.

    Args:
        choose: returns those of the nodes that are to be looked at. It is not asked while
            something is wrong with them, and what it raises is not about the files.
    """
    found = _Findings()
    nodes: list[Node] = []
    with found.of(hosts_file):
        nodes = hosts.load(hosts_file, refuse=lambda error: found.add(hosts_file, error))
    if not len(found):
        nodes = choose(nodes)
    return _check(nodes, queue, found)


def check_queue(nodes: Sequence[Node], queue: QueueFile) -> Checked:
    """Check the queue file for these nodes; without any, templates are only parsed.

    A file with which all is well is not checked again when jobs are taken from it.
    """
    checked = _check(nodes, queue, _Findings())
    if checked.ok:
        queue.trust(checked.entries)
    return checked


class _Findings:
    """Collects problems, each once."""

    def __init__(self) -> None:
        self._problems: dict[tuple[object, ...], Problem] = {}

    def add(self, file: Path, error: PegasusError) -> None:
        """Note a mistake that came up in reading or linting a file."""
        place = error.place if isinstance(error, PlacedError) else None
        cause = error.__cause__
        # One tag may fail for many nodes and values, with another hint for each.
        about = cause.name if isinstance(cause, TemplateError) and cause.name else str(error)
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


def _check(nodes: Sequence[Node], queue: QueueFile, found: _Findings) -> Checked:
    linter = Linter(nodes)
    entries: list[Entry] = []
    vary = any(not has_only_names(node.options.cancel or "") for node in nodes)
    turn = 0
    with found.of(queue.path):
        for entry in queue.entries(lambda error: found.add(queue.path, error)):
            before = len(found)
            for error in linter.problems(entry):
                found.add(queue.path, error)
            # What fails for some values is said by then; it need not be tried with all of them.
            if len(found) == before and nodes and (vary or _varies(entry)):
                _fill(entry, nodes, turn, found, queue.path)
            entries.append(entry)
            turn += entry.size
    return Checked(nodes, entries, found.sorted(queue.path))


def _varies(entry: Entry) -> bool:
    """Whether it takes more than the names to know if the templates of an entry can be filled."""
    templates = [head.value for head in entry.heads]
    return not all(map(has_only_names, [*templates, entry.options.cancel or ""]))


def _fill(entry: Entry, nodes: Sequence[Node], turn: int, found: _Findings, file: Path) -> None:
    for number, job in enumerate(jobs_of(entry), turn):
        try:
            plan(job, nodes[number % len(nodes)], Options())
        except PegasusError as error:
            found.add(file, error)
