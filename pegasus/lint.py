"""Checks templates before anything is consumed: each must parse, and fill, on every node.

Those are the commands, and the commands that cancel them: a job's own, or else the node's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from pegasus.errors import HostsFileError, PegasusError, QueueFileError, TemplateError
from pegasus.files.entries import Entry
from pegasus.model import Job, Node, Params, Text
from pegasus.template import check, has_only_names, render

#: With how many choices of parameters a template is tried at most.
MOST = 1000

_BLOCK = re.compile(r"\{\{~?\s*[#^]")


def place(error: TemplateError, source: Text | None) -> PegasusError:
    """Return `error` as one that names the place in queue.yaml, where the source is known."""
    if source is None:
        return error
    placed = QueueFileError(error.advice, source.locate(error.line, error.column))
    placed.__cause__ = error
    return placed


def cancel_command(job: Job, node: Node) -> str | None:
    """Return the command that cancels `job` on `node`, as the job or else the node has it.

    Raises:
        QueueFileError: the job's own template can't be filled.
        HostsFileError: the node's can't, for this job.
        TemplateError: so can't one that comes from no file.
    """
    options = job.options.over(node.options)
    if options.cancel is None:
        return None
    try:
        return render(options.cancel, job.variables(node))
    except TemplateError as error:
        if options.source is None:
            raise
        if job.options.cancel is not None:
            raise place(error, options.source) from error
        raise _needed(error, options.source, job.source) from error


def _needed(error: TemplateError, source: Text, command: Text | None) -> PegasusError:
    """Return the error of a node's template that can't be filled for a command."""
    problem = f"{error.problem}, for the command at {command.place}" if command else error.problem
    advice = f"{problem}; {error.hint}" if error.hint else problem
    return HostsFileError(advice, source.locate(error.line, error.column))


class Linter:
    """Fills the templates of queue.yaml for the nodes of a run, to see whether it can be done.

    Nodes with the same parameter names stand for each other. Where a template has blocks or
    helpers, whose work depends on values, it is filled with each choice of them, up to `MOST`
    for an entry; elsewhere with one. Without nodes, templates are only parsed.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        nodes = [*nodes]
        self._nodes = _one_of_each(nodes, lambda node: _names(node.params))
        cancelling = _one_of_each(
            (node for node in nodes if node.options.cancel),
            lambda node: (_names(node.params), node.options.cancel),
        )
        self._plain = [node for node in cancelling if has_only_names(node.options.cancel or "")]
        self._others = [node for node in cancelling if node not in self._plain]
        self._settled: set[tuple[str, ...]] = set()

    def __call__(self, entry: Entry) -> None:
        """Check one entry.

        Raises:
            QueueFileError: a template of it does not parse, or a parameter is missing.
            HostsFileError: a node's template that is to cancel its jobs can't be filled for them.
        """
        for problem in self.problems(entry):
            raise problem

    def problems(self, entry: Entry) -> Iterator[PegasusError]:
        """Yield all that `__call__` may raise, in part more than once."""
        for head in entry.heads:
            yield from self._check(head, entry)
        if entry.options.source:
            yield from self._check(entry.options.source, entry)
        else:
            yield from self._check_nodes(entry)

    def _check(self, text: Text, entry: Entry) -> Iterator[PegasusError]:
        try:
            check(text.value)
        except TemplateError as error:
            yield place(error, text)
            return
        most = 1 if has_only_names(text.value) else MOST
        for params in islice(entry.choices(), most):
            job = Job(text.value, params)
            for node in self._nodes:
                for failure in _failures(text.value, job.variables(node)):
                    yield place(failure, text)

    def _check_nodes(self, entry: Entry) -> Iterator[PegasusError]:
        """Fill what the nodes say of how a job is cancelled, unless it was done for such jobs.

        There may be many entries and many nodes: what is only names is settled by names.
        """
        names = tuple(entry.params)
        is_new = names not in self._settled
        if is_new:
            yield from _cancel(entry, self._plain, 1)
        if is_new or names:
            yield from _cancel(entry, self._others, MOST)
        self._settled.add(names)


def _failures(template: str, variables: Mapping[str, str]) -> Iterator[TemplateError]:
    """Yield why a template can't be filled: for each name that is missing, if it has no blocks.

    With blocks, what a missing parameter stands for may decide whether another one is needed.
    """
    filled = _StandIns(variables)
    while (error := _failure(template, filled)) is not None:
        is_missing = error.problem == f"there is no parameter `{error.name}`"
        if is_missing or not filled.missing:
            yield error
        if not is_missing or error.name in filled or _BLOCK.search(template):
            return
        filled.missing.add(error.name)


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


def _failure(template: str, variables: Mapping[str, str]) -> TemplateError | None:
    try:
        render(template, variables)
    except TemplateError as error:
        return error
    return None


def _cancel(entry: Entry, nodes: Sequence[Node], most: int) -> Iterator[PegasusError]:
    head = entry.heads[0]
    for node in nodes:
        for params in islice(entry.choices(), most):
            try:
                cancel_command(Job(head.value, params, source=head), node)
            except PegasusError as error:
                yield error


def _one_of_each(nodes: Iterable[Node], kind: Callable[[Node], Hashable]) -> list[Node]:
    """Return the first node of each kind."""
    return [*{kind(node): node for node in reversed([*nodes])}.values()]


def _names(params: Params) -> tuple[str, ...]:
    return tuple(name for name, _ in params)
