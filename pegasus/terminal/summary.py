"""What a person reads at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

from pegasus.model import Attempt, Ending
from pegasus.result import RunResult
from pegasus.terminal.printer import count


def summarize(result: RunResult) -> Iterator[str]:
    """Yield the lines that close a run: the failed commands, or that all succeeded."""
    yield from _commands(result)
    yield from _leftovers(result)
    for node, error in result.unreachable.items():
        yield f"not reached: [{node.label}] {error.step}: {error.problem}"
    for node, detail in result.lost.items():
        yield f"lost: [{node.label}] {detail}"


def _commands(result: RunResult) -> Iterator[str]:
    total, failed = len(result.final), result.failed
    if failed:
        yield "the command failed:" if total == 1 else f"{len(failed)} of {total} commands failed:"
        for attempt, ending in failed:
            yield _failure(attempt, ending)
    elif total:
        yield "the command succeeded" if total == 1 else f"all {total} commands succeeded"
    elif not result.running:
        yield "no command was run"
    repeated = len(result.endings) - total
    if repeated:
        yield f"{count(repeated, 'failed attempt')} {'was' if repeated == 1 else 'were'} run again"


def _leftovers(result: RunResult) -> Iterator[str]:
    """Yield what a run that did not wait for its end has left behind."""
    left = list(result.running.values())
    if left:
        yield f"left {count(len(left), 'command')} running, for the nodes to end:"
        yield from (_line(attempt) for attempt in left)
    for job in result.owed:
        yield f"neither run nor back in the queue (consumed.yaml has it): {job.template}"


def _failure(attempt: Attempt, ending: Ending) -> str:
    return f"{_line(attempt)} ({ending})"


def _line(attempt: Attempt) -> str:
    first, *more = attempt.command.split("\n")
    job = f"job {attempt.job.id}: " if attempt.job.id else ""
    return f"  {job}[{attempt.node.label}] {first}" + (" …" if more else "")
