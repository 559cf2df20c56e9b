"""Checks commands before anything is consumed: each must parse, and fill, on every node."""

from __future__ import annotations

from collections.abc import Iterable

from pegasus.errors import PegasusError, QueueFileError, TemplateError
from pegasus.files.entries import Entry
from pegasus.model import Job, Node, Text
from pegasus.template import check, render


def place(error: TemplateError, source: Text | None) -> PegasusError:
    """Return `error` as one that names the place in queue.yaml, where the source is known."""
    if source is None:
        return error
    return QueueFileError(error.advice, source.locate(error.line, error.column))


class Linter:
    """Fills the templates of queue.yaml for the nodes of a run, to see whether it can be done.

    Nodes with the same parameter names stand for each other, and the first value of each of an
    entry's parameters for the rest: which parameters there are does not depend on their values.
    Without nodes, templates are only parsed.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        kinds = {tuple(name for name, _ in node.params): node for node in reversed([*nodes])}
        self._nodes = list(kinds.values())

    def __call__(self, entry: Entry) -> None:
        """Check one entry.

        Raises:
            QueueFileError: a template of it does not parse, or a parameter is missing.
        """
        first = tuple((name, values[0].value) for name, values in entry.params.items())
        for command in entry.heads:
            self._check(Job(command.value, first, source=command))

    def _check(self, job: Job) -> None:
        try:
            check(job.template)
            for node in self._nodes:
                render(job.template, job.variables(node))
        except TemplateError as error:
            raise place(error, job.source) from error
