"""Checks commands before anything is consumed: each must parse, and fill, on every node."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from pegasus.errors import PegasusError, QueueFileError, TemplateError
from pegasus.files.entries import Entry
from pegasus.model import Job, Node, Text
from pegasus.template import check, has_only_names, render

#: With how many choices of parameters a template is tried at most.
MOST = 1000


def place(error: TemplateError, source: Text | None) -> PegasusError:
    """Return `error` as one that names the place in queue.yaml, where the source is known."""
    if source is None:
        return error
    return QueueFileError(error.advice, source.locate(error.line, error.column))


class Linter:
    """Fills the templates of queue.yaml for the nodes of a run, to see whether it can be done.

    Nodes with the same parameter names stand for each other. Where a template has blocks or
    helpers, whose work depends on values, it is filled with each choice of them, up to `MOST`
    for an entry; elsewhere with one. Without nodes, templates are only parsed.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        kinds = {tuple(name for name, _ in node.params): node for node in reversed([*nodes])}
        self._nodes = list(kinds.values())

    def __call__(self, entry: Entry) -> None:
        """Check one entry.

        Raises:
            QueueFileError: a template of it does not parse, or a parameter is missing.
        """
        for head in entry.heads:
            most = 1 if has_only_names(head.value) else MOST
            try:
                check(head.value)
                for params in islice(entry.choices(), most):
                    self._fill(Job(head.value, params))
            except TemplateError as error:
                raise place(error, head) from error

    def _fill(self, job: Job) -> None:
        for node in self._nodes:
            render(job.template, job.variables(node))
