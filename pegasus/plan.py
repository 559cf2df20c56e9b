"""What a job comes to on a node, and so what exactly is run there."""

from __future__ import annotations

from dataclasses import dataclass

from pegasus.errors import TemplateError
from pegasus.lint import cancel_command, place
from pegasus.model import Job, Node, Options
from pegasus.template import render


@dataclass(frozen=True)
class Plan:
    """What a job comes to on one node: its templates are filled, its options are settled.

    Attributes:
        command: what is run.
        cancel: what is run to cancel it beside the signals, or None.
        timeout: how long it may run, in seconds; None is for ever.
        retries: how many times it is run again.
    """

    command: str
    cancel: str | None = None
    timeout: float | None = None
    retries: int = 0


def plan(job: Job, node: Node, defaults: Options) -> Plan:
    """Return what `job` comes to on `node`.

    Args:
        defaults: what holds for it where neither it nor its node says anything.

    Raises:
        PegasusError: one of its templates can't be filled.
    """
    options = job.options.over(node.options).over(defaults)
    try:
        command = render(job.template, job.variables(node))
    except TemplateError as error:
        raise place(error, job.source) from error
    if "\0" in command:
        problem = "the command has a NUL character in it, which no shell takes"
        raise place(TemplateError(problem), job.source)
    cancel = cancel_command(job, node) or None
    return Plan(command, cancel, options.timeout or None, options.retries or 0)
