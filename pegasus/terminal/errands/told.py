"""What a person reads after telling runs something, and after putting jobs back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pegasus.control.client import Answer, Command, Report
from pegasus.model import Job
from pegasus.terminal.words import count, first_line

#: How many of the jobs are listed that were put back, and of the nodes that were drained.
LISTED = 20


def describe(answer: Answer, now: bool, job: int | None) -> str:
    """Return what a run was told, and what that concerns.

    Args:
        answer: what the run said.
        now: whether it was told to cancel what runs.
        job: the id of the one job it was told to cancel, or None.
    """
    number = len(answer.running)
    if job is not None:
        theirs = [command for command in answer.running if command.job == job]
        return f"{answer.run} cancels job {job}" + _lines(theirs)
    if now and number:
        return f"{answer.run} cancels {count(number, 'running command')}"
    return f"{answer.run} takes no more jobs; {_still(number)}"


def describe_pause(answer: Answer) -> str:
    """Return what a run was told by `inv pause`, and what that concerns."""
    how = "takes no more jobs until inv resume" if answer.changed else "is paused already"
    return f"{answer.run} {how}; {_still(len(answer.running))}"


def describe_resume(answer: Answer) -> str:
    """Return what a run was told by `inv resume`."""
    return f"{answer.run} {'takes jobs again' if answer.changed else 'is not paused'}"


def describe_drain(answer: Answer) -> str:
    """Return what a run was told by `inv drain`, and what still runs on these nodes."""
    if not answer.nodes:
        return f"{answer.run}: these nodes are drained already"
    theirs = [command for command in answer.running if command.node in answer.nodes]
    running = f"; {_still(len(theirs))} there{_lines(theirs)}" if theirs else ""
    return f"{answer.run} gives no more jobs to {_listed(answer.nodes)}{running}"


def describe_undrain(answer: Answer) -> str:
    """Return what a run was told by `inv undrain`."""
    if not answer.nodes:
        return f"{answer.run}: these nodes are not drained"
    return f"{answer.run} gives jobs to {_listed(answer.nodes)} again"


def _still(number: int) -> str:
    if not number:
        return "no command runs"
    return f"{count(number, 'command')} still run{'s' if number == 1 else ''}"


def _listed(labels: Sequence[str]) -> str:
    more = len(labels) - LISTED
    return ", ".join(labels[:LISTED]) + (f" and {more} more" if more > 0 else "")


def excuse(report: Report, job: int | None) -> str:
    """Return why nobody has done what was wanted; nothing where there is nobody."""
    lines = list(report.troubles)
    if report.answers:
        running = [command for answer in report.answers for command in answer.running]
        others = f"; what runs is:{_lines(running)}" if running else ", and nothing runs"
        lines.append(f"no job {job} is running" + others)
    return "\n".join(lines)


def _lines(commands: Iterable[Command]) -> str:
    return "".join(f"\n  {command}" for command in commands)


def describe_put_back(jobs: Sequence[Job], file: str, *, tail: bool, dry: bool) -> str:
    """Return which jobs have been put back into the queue; of many, the first ones.

    Args:
        jobs: in the order in which they stand there.
        file: the queue file.
        tail: whether they stand at its end.
        dry: whether they were not, and only would be.
    """
    if not jobs:
        return "there is no such job; nothing is put back"
    deed = "this would put back" if dry else "put back"
    where = f"at the {'end' if tail else 'head'} of {file}"
    shown = jobs[:LISTED]
    width = max(len(str(job.id)) for job in shown)
    lines = [f"  {job.id:>{width}}  {_described(job)}" for job in shown]
    if len(jobs) > LISTED:
        lines.append(f"  … and {len(jobs) - LISTED} more")
    return "\n".join([f"{deed} {count(len(jobs), 'job')} {where}:", *lines])


def _described(job: Job) -> str:
    """Return the first line of a job's template, and its parameters."""
    params = ", ".join(f"{name}={first_line(value)}" for name, value in job.params)
    return first_line(job.template) + (f"  ({params})" if params else "")
