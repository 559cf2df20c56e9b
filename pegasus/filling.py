"""Fills templates for a job on a node: its command, and what options say.

What is wrong is said where it stands: in queue.yaml if the job has the option itself, else in
hosts.yaml, and then also for which command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pegasus.errors import HostsFileError, PegasusError, QueueFileError, TemplateError
from pegasus.model import ONE_SLOT, Job, Node, Options, Slots, Text
from pegasus.template import render

#: What templates are called here; those of options, as `Options.source` knows them.
COMMAND, CANCEL, CWD, ENV = "command", "cancel", "cwd", "env."


def place(error: TemplateError, source: Text | None) -> PegasusError:
    """Return `error` as one that names the place in queue.yaml, where the source is known."""
    if source is None:
        return error
    placed = QueueFileError(error.advice, source.locate(error.line, error.column))
    placed.__cause__ = error
    return placed


def templates(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the templates in options, each with the name that `Options.source` knows it by."""
    if options.cancel is not None:
        yield CANCEL, options.cancel
    if options.cwd is not None:
        yield CWD, options.cwd
    for name, value in options.env:
        yield ENV + name, value


def fill(name: str, template: str, variables: Mapping[str, str]) -> str:
    """Return a template, filled.

    Raises:
        TemplateError: it can't be, or makes what it must not.
    """
    text = render(template, variables)
    if "\0" in text:
        what = "the command" if name == COMMAND else f"`{name}`"
        raise TemplateError(f"{what} has a NUL character in it, which no shell takes")
    if name == CWD and not text.strip():
        problem = "`cwd` comes out empty; write '.' for the directory that jobs are run in anyway"
        raise TemplateError(problem)
    return text


def filled(name: str, template: str, job: Job, node: Node, slots: Slots = ONE_SLOT) -> str:
    """Return one of the `templates` of a job on a node, filled.

    Args:
        name, template: one of those of `job.options.over(node.options)`.
        slots: those of the node that the job is given.

    Raises:
        QueueFileError: the job's own template can't be filled, or makes what it must not.
        HostsFileError: so it is with the node's, for this job.
        TemplateError: so it is with one that comes from no file.
    """
    try:
        return fill(name, template, job.variables(node, slots))
    except TemplateError as error:
        placed = _placed(error, name, job, node)
        if placed is None:
            raise
        raise placed from error


def cancel_command(job: Job, node: Node, slots: Slots = ONE_SLOT) -> str | None:
    """Return the command that cancels `job` on `node`, as the job or else the node has it.

    Raises:
        PegasusError: see `filled`.
    """
    cancel = job.options.over(node.options).cancel
    return None if cancel is None else filled(CANCEL, cancel, job, node, slots)


def _placed(error: TemplateError, name: str, job: Job, node: Node) -> PegasusError | None:
    """Return the error with its place, or None where the template comes from no file."""
    if (source := job.options.source(name)) is not None:
        return place(error, source)
    source = job.options.over(node.options).source(name)
    return None if source is None else _needed(error, source, job.source)


def _needed(error: TemplateError, source: Text, command: Text | None) -> PegasusError:
    """Return the error of a node's template that can't be filled for a command."""
    problem = f"{error.problem}, for the command at {command.place}" if command else error.problem
    advice = f"{problem}; {error.hint}" if error.hint else problem
    return HostsFileError(advice, source.locate(error.line, error.column))
