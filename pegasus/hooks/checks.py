"""Checks hooks before a run begins, when nothing has been consumed yet.

Each template must parse, and fill: that of `on_fail` for every kind of job and of node. A command
in it must be quoted for the shell, which would run parts of it here otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from pegasus.errors import SettingsError, TemplateError
from pegasus.files.entries import Entry
from pegasus.hooks.facts import (
    IN_TEMPLATES,
    OF_END,
    OF_FAILURE,
    OF_PROGRESS,
    OF_RUN,
)
from pegasus.model import Job, Node, Params
from pegasus.settings import Settings
from pegasus.template import check as check_template
from pegasus.template import has_only_names, render

#: The names of what there is for the template of each hook, but for parameters.
KNOWN = {
    "on_fail": (*OF_RUN, *OF_FAILURE),
    "on_finish": (*OF_RUN, *OF_PROGRESS, *OF_END),
    "on_empty": (*OF_RUN, *OF_PROGRESS),
}

#: How many arguments a function gets.
ARGUMENTS = {"on_fail": 2, "on_finish": 1, "on_empty": 0}

#: With how many jobs a template is tried whose parameters are more than names in it.
MOST = 1000

#: A command that looks different when it is quoted.
_COMMAND = f"{IN_TEMPLATES}command"
_UNQUOTED = "it's; a `command`"

Variables = Mapping[str, str]


def check(settings: Settings, nodes: Sequence[Node], entries: Iterable[Entry]) -> None:
    """Check the hooks of a run on these nodes.

    Args:
        entries: those of the queue file. Later ones may be of other kinds: a hook that can't be
            filled for them is reported then.

    Raises:
        SettingsError: one of them can't be run.
    """
    for name in KNOWN:
        hook = getattr(settings, name)
        if callable(hook):
            _check_function(name, hook)
        elif hook:
            _check_template(name, hook, nodes, entries)


def _check_function(name: str, hook: Callable[..., object]) -> None:
    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):  # Some that are written in C say nothing.
        return
    try:
        signature.bind(*range(ARGUMENTS[name]))
    except TypeError as error:
        called = getattr(hook, "__qualname__", "the function")
        wanted = {0: "no arguments", 1: "the result of the run", 2: "an attempt and its ending"}
        raise SettingsError(
            f"{name}: {called} must take {wanted[ARGUMENTS[name]]} ({error})"
        ) from error


def _check_template(
    name: str, template: str, nodes: Sequence[Node], entries: Iterable[Entry]
) -> None:
    try:
        check_template(template)
    except TemplateError as error:
        raise SettingsError(f"{name}: {error}") from error
    known = {f"{IN_TEMPLATES}{one}": "1" for one in KNOWN[name]}
    if name != "on_fail":
        _fill(name, template, known)
        return
    known[_COMMAND] = _UNQUOTED
    entries = [*entries]
    for entry, params in _kinds(template, entries):
        for node in _one_of_each(nodes):
            job = Job(entry.heads[0].value, params)
            about = f", for the command at {entry.heads[0].place}"
            _fill(name, template, {**job.variables(node), **known}, about)
    if not (entries and nodes):
        _fill(name, template, _supplied(template, known))


def _kinds(template: str, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Params]]:
    """Yield jobs that stand for all; those with the same names do if only names count."""
    if not has_only_names(template):
        jobs = ((entry, params) for entry in entries for params in entry.choices())
        yield from islice(jobs, MOST)
        return
    kinds: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        kinds.setdefault(tuple(entry.params), entry)
    for entry in kinds.values():
        yield entry, next(iter(entry.choices()))


def _one_of_each(nodes: Iterable[Node]) -> list[Node]:
    """Return the first node with each set of parameters."""
    kinds: dict[tuple[str, ...], Node] = {}
    for node in nodes:
        kinds.setdefault(tuple(name for name, _ in node.params), node)
    return [*kinds.values()]


def _supplied(template: str, known: Variables) -> Variables:
    """Return variables with what else a template wants: jobs that come may have it."""
    variables = {**known, "hostname": "1"}
    while True:
        try:
            render(template, variables)
        except TemplateError as error:
            is_a_parameter = error.name and not error.name.startswith(IN_TEMPLATES)
            if not is_a_parameter or error.name in variables:
                return variables
            variables[error.name] = "1"
        else:
            return variables


def _fill(name: str, template: str, variables: Variables, about: str = "") -> None:
    try:
        text = render(template, variables)
    except TemplateError as error:
        raise SettingsError(f"{name}{about}: {error}") from error
    if variables.get(_COMMAND) == _UNQUOTED and _UNQUOTED in text:
        raise SettingsError(
            f"{name}: sh would run what is in {_COMMAND}; write {{{{shell_quote {_COMMAND}}}}},"
            ' or "$PEGASUS_COMMAND"'
        )
