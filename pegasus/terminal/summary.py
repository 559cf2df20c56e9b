"""What a person reads at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

from pegasus.model import Attempt, Ending
from pegasus.result import RunResult
from pegasus.terminal.printer import count


def summarize(result: RunResult) -> Iterator[str]:
    """Yield the lines that close a run: the failed commands, or that all succeeded."""
    total, failed = len(result.endings), result.failed
    if failed:
        yield f"{len(failed)} of {count(total, 'command')} failed:"
        for attempt, ending in failed:
            yield _failure(attempt, ending)
    elif total:
        yield "the command succeeded" if total == 1 else f"all {total} commands succeeded"
    else:
        yield "no command was run"
    for node, error in result.unreachable.items():
        yield f"not reached: [{node.label}] {error.step}: {error.problem}"
    for node, detail in result.lost.items():
        yield f"lost: [{node.label}] {detail}"


def _failure(attempt: Attempt, ending: Ending) -> str:
    first, *more = attempt.command.split("\n")
    command = f"{first} …" if more else first
    return f"  [{attempt.node.label}] {command} ({ending})"
