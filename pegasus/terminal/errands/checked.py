"""What a check has found, for people and as JSON.

The JSON is one object, whose form is that of its `version`, which grows when a reader of the old
one would be misled. Version 1::

    version   1
    nodes     how many nodes there are
    entries   how many entries
    jobs      how many jobs
    problems  what is wrong, hosts.yaml first: objects of `file`, `line`, `column` (numbers from 1,
              or null where the whole file is meant) and `problem`, a text
    unfit     jobs that fit no node, stay in the queue, and are in nobody's way: objects of `file`,
              `line`, `column` (where the first of them stands), `jobs` (how many they are),
              `slots` and `on` (what each needs) and `problem`, a text; nothing while there are
              problems
    commands  what would be run, in order, the first ones or all; nothing while there are problems:
              objects of `node`, `command`, `cancel` (the command that cancels it, or null),
              `timeout` (in seconds, or null), `retries`, `slots` (numbers: those of the node that
              it gets if nothing else runs there), `env` (the variables that are set for it, by
              name, but for those that tell a program its GPUs) and `cwd` (where, or null)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from pegasus.checking import Checked, Problem
from pegasus.events import Unfit
from pegasus.files.options import SLOTS_VARIABLE
from pegasus.model import ONE_SLOT, Node
from pegasus.plan import Plan
from pegasus.terminal.lines.sequences import harmless
from pegasus.terminal.lines.splitter import LINE_END
from pegasus.terminal.screen import was_read, write
from pegasus.terminal.words import count

VERSION = 1
#: How many commands are shown, unless all are.
FIRST = 10
#: How many lines are written in one go.
_BATCH = 1000

Commands = Iterable[tuple[Node, Plan]]


def show(
    checked: Checked,
    commands: Commands,
    total: int,
    *,
    show_all: bool,
    as_json: bool,
    unfit: Sequence[Unfit] = (),
) -> None:
    """Write to stdout what was found; as text, without the problems: see `problems_text`.

    Args:
        commands: what would be run; it is not looked at if there are problems.
        total: how many that are.
        unfit: which jobs fit no node.
        show_all: show all of it, and not only the first.

    Raises:
        StorageError: stdout can't be written to.
    """
    shown = islice(commands, None if show_all else FIRST)
    left = 0 if show_all else max(0, total - FIRST)
    if as_json:
        _write_all(_json_lines(checked, shown, unfit if checked.ok else ()))
    else:
        _write_all(_text_lines(checked, shown, left, unfit))


def problems_text(checked: Checked) -> str:
    """Return a line for each problem."""
    return "\n".join(
        f"{problem.place or problem.file}: {problem.text}" for problem in checked.problems
    )


def _text_lines(
    checked: Checked, commands: Commands, left: int, unfit: Sequence[Unfit]
) -> Iterator[str]:
    if not checked.ok:
        problems = count(len(checked.problems), "problem")
        yield f"{problems}; as far as it can be read: {_numbers(checked)}"
        return
    yield _numbers(checked)
    for one in unfit:
        fit = "fits" if one.jobs == 1 else "fit"
        yield f"{one.place}: {count(one.jobs, 'job')} {fit} no node: {harmless(one.problem)}"
    for label, plan in _labelled(commands):
        yield from (f"[{label}] {harmless(line)}" for line in _command_lines(plan))
    if left:
        yield f"… and {left} more (inv check --all shows all jobs)"


def _numbers(checked: Checked) -> str:
    entries = len(checked.entries)
    numbers = f"{count(len(checked.nodes), 'node')}, {entries} entr{'y' if entries == 1 else 'ies'}"
    return f"{numbers}, {count(checked.jobs, 'job')}"


def _labelled(commands: Commands) -> Iterator[tuple[str, Plan]]:
    labels: dict[int, str] = {}
    for node, plan in commands:
        if node.index not in labels:
            labels[node.index] = node.label
        yield labels[node.index], plan


def _command_lines(plan: Plan) -> Iterator[str]:
    yield from LINE_END.split(plan.command)
    options = [f"timeout {plan.timeout:g} s"] if plan.timeout else []
    options += [f"retries {plan.retries}"] if plan.retries else []
    options += [f"cancel {plan.cancel}"] if plan.cancel else []
    options += [f"slots {str(plan.slots) or 'none'}"] if plan.slots != ONE_SLOT else []
    options += [f"cwd {plan.surroundings.cwd}"] if plan.surroundings.cwd else []
    options += [
        f"env {name}={value}" for name, value in plan.surroundings.env if name != SLOTS_VARIABLE
    ]
    if options:
        yield from (f"# {line}" for line in LINE_END.split(", ".join(options)))


def _json_lines(checked: Checked, commands: Commands, unfit: Sequence[Unfit]) -> Iterator[str]:
    head = {
        "version": VERSION,
        "nodes": len(checked.nodes),
        "entries": len(checked.entries),
        "jobs": checked.jobs,
        "problems": [_problem_object(problem) for problem in checked.problems],
        "unfit": [_unfit_object(one) for one in unfit],
    }
    yield json.dumps(head)[:-1] + ', "commands": ['
    before = ""
    for label, plan in _labelled(commands if checked.ok else ()):
        if before:
            yield f"{before},"
        before = json.dumps({"node": label, **_plan_object(plan)})
    yield f"{before}]}}"


def _plan_object(plan: Plan) -> dict[str, object]:
    return {
        "command": plan.command,
        "cancel": plan.cancel,
        "timeout": plan.timeout,
        "retries": plan.retries,
        "slots": [*plan.slots.indices],
        "env": dict(plan.surroundings.env),
        "cwd": plan.surroundings.cwd,
    }


def _unfit_object(one: Unfit) -> dict[str, object]:
    return {
        "file": one.place.file,
        "line": one.place.line,
        "column": one.place.column,
        "jobs": one.jobs,
        "slots": one.need.slots,
        "on": one.need.on,
        "problem": one.problem,
    }


def _problem_object(problem: Problem) -> dict[str, object]:
    place = problem.place
    return {
        "file": problem.file,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "problem": problem.text,
    }


def _write_all(lines: Iterator[str]) -> None:
    """Write lines, a hundred thousand if need be, until nobody reads them any more."""
    while batch := [*islice(lines, _BATCH)]:
        if not was_read(write(sys.stdout, batch)):
            return  # As by `| head`, which has seen enough.
