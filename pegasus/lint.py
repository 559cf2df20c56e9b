"""Checks templates before anything is consumed: each must parse, and fill, on every node.

Those are the commands, and what options say: a job's own, or else the node's. With `on`, they are
the nodes that match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from pegasus.errors import PegasusError, QueueFileError, TemplateError
from pegasus.files.entries import Entry
from pegasus.filling import COMMAND, CWD, fill, filled, place, templates
from pegasus.model import Job, Node, Params, Slots, Text
from pegasus.selection import matching
from pegasus.slots.allocation import FIRST_FIT
from pegasus.slots.fitting import allocation_problem
from pegasus.template import check, has_only_names

#: With how many choices of parameters a template is tried at most.
MOST = 1000

T = TypeVar("T")

_BLOCK = re.compile(r"\{\{~?\s*[#^]")


class _OfNode(NamedTuple):
    """A template in the options of a node."""

    node: Node
    name: str
    template: str


class _Group:
    """The nodes that the jobs of some entries may run on.

    Attributes:
        nodes: all of them.
        kinds: one of each kind: those with the same parameter names stand for each other.
        plain, others: what the nodes' options say, once for each kind: where it is names and
            nothing else, and where it depends on values whether it can be filled.
        settled: for which kinds of entries that was tried.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.kinds = _one_of_each(nodes, lambda node: _names(node.params))
        said = _one_of_each(
            (
                _OfNode(node, name, template)
                for node in nodes
                for name, template in templates(node.options)
                if "{{" in template
            ),
            lambda one: (_names(one.node.params), one.name, one.template),
        )
        self.plain = [one for one in said if not depends_on_values(one.name, one.template)]
        self.others = [one for one in said if depends_on_values(one.name, one.template)]
        self.settled: set[Hashable] = set()


class Linter:
    """Fills the templates of queue.yaml for the nodes of a run, to see whether it can be done.

    Nodes with the same parameter names stand for each other. Where a template has blocks or
    helpers, whose work depends on values, it is filled with each choice of them, up to `MOST`
    for an entry; elsewhere with one. Without nodes, templates are only parsed.

    Args:
        nodes: those of the run.
        allocation: by which policy jobs get slots, where neither they nor their nodes say so.
    """

    def __init__(self, nodes: Iterable[Node], allocation: str = FIRST_FIT) -> None:
        self._nodes = [*nodes]
        self._allocation = allocation
        self._groups: dict[str, _Group] = {}

    def __call__(self, entry: Entry) -> None:
        """Check one entry.

        Raises:
            QueueFileError: a template of it does not parse, or a parameter is missing; or it asks
                for slots that no node gives.
            HostsFileError: a node's template that is to fill for its jobs can't be.
        """
        for problem in self.problems(entry):
            raise problem

    def problems(self, entry: Entry) -> Iterator[PegasusError]:
        """Yield all that `__call__` may raise, in part more than once."""
        on = entry.need.on
        if on not in self._groups:
            self._groups[on] = _Group(matching(self._nodes, on))
        group = self._groups[on]
        for head in entry.heads:
            yield from _problems(COMMAND, head, entry, group)
        for name, _ in templates(entry.options):
            if source := entry.options.source(name):
                yield from _problems(name, source, entry, group)
        yield from _problems_of_nodes(entry, group)
        if problem := allocation_problem(group.nodes, entry.need, self._allocation):
            yield QueueFileError(problem, entry.slots_place)


def depends_on_values(name: str, template: str) -> bool:
    """Whether it takes more than the names of parameters to know if a template can be filled.

    Args:
        name: what it is called in `pegasus.filling`.
    """
    return not has_only_names(template) or (name == CWD and "{{" in template)


def _most(name: str, template: str) -> int:
    """Return with how many choices of parameters a template is tried at most."""
    return MOST if depends_on_values(name, template) else 1


def _problems(name: str, text: Text, entry: Entry, group: _Group) -> Iterator[PegasusError]:
    """Parse and fill a template of an entry."""
    if "{{" not in text.value:
        return
    try:
        check(text.value)
    except TemplateError as error:
        yield place(error, text)
        return
    for params in islice(entry.choices(), _most(name, text.value)):
        job = Job(text.value, params)
        for node in group.kinds:
            for failure in _failures(name, text.value, job.variables(node, _stand_ins(entry))):
                yield place(failure, text)


def _problems_of_nodes(entry: Entry, group: _Group) -> Iterator[PegasusError]:
    """Fill what the nodes say of how a job is run, unless it was done for such jobs.

    There may be many entries and many nodes: what is only names is settled by names.
    """
    own = frozenset(name for name, _ in templates(entry.options))
    names, slots = tuple(entry.params), entry.need.slots
    if (names, own) not in group.settled:
        yield from _fill(entry, [one for one in group.plain if one.name not in own], 1)
    if names or (names, own, slots) not in group.settled:
        yield from _fill(entry, [one for one in group.others if one.name not in own], MOST)
    group.settled |= {(names, own), (names, own, slots)}


def _fill(entry: Entry, said: Iterable[_OfNode], most: int) -> Iterator[PegasusError]:
    head = entry.heads[0]
    for node, name, template in said:
        for params in islice(entry.choices(), most):
            job = Job(head.value, params, entry.options, entry.slots, source=head)
            try:
                filled(name, template, job, node, _stand_ins(entry))
            except PegasusError as error:
                yield error


def _stand_ins(entry: Entry) -> Slots:
    """Return as many slots as a job will be given."""
    return Slots(tuple(range(entry.need.slots)))


def _failures(name: str, template: str, variables: Mapping[str, str]) -> Iterator[TemplateError]:
    """Yield why a template can't be filled: for each name that is missing, if it has no blocks.

    With blocks, what a missing parameter stands for may decide whether another one is needed.
    """
    known = _StandIns(variables)
    while (error := _failure(name, template, known)) is not None:
        is_missing = error.problem == f"there is no parameter `{error.name}`"
        if is_missing or not known.missing:
            yield error
        if not is_missing or error.name in known or _BLOCK.search(template):
            return
        known.missing.add(error.name)


class _StandIns(dict[str, str]):
    """Parameters, and a value for those that are missing; these are not among those there are."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.missing: set[str] = set()

    def __contains__(self, name: object) -> bool:
        return name in self.missing or super().__contains__(name)

    def __missing__(self, name: str) -> str:
        if name in self.missing:
            return "-"
        raise KeyError(name)


def _failure(name: str, template: str, variables: Mapping[str, str]) -> TemplateError | None:
    try:
        fill(name, template, variables)
    except TemplateError as error:
        return error
    return None


def _one_of_each(found: Iterable[T], kind: Callable[[T], Hashable]) -> list[T]:
    """Return the first of each kind."""
    return [*{kind(one): one for one in reversed([*found])}.values()]


def _names(params: Params) -> tuple[str, ...]:
    return tuple(name for name, _ in params)
