"""What a person reads after telling runs to stop."""

from __future__ import annotations

from collections.abc import Iterable

from pegasus.control.client import Answer, Command, Report
from pegasus.terminal.printer import count


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
    still = f"{count(number, 'command')} still run{'s' if number == 1 else ''}"
    return f"{answer.run} takes no more jobs; {still if number else 'no command runs'}"


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
