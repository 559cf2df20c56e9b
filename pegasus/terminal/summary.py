"""What a person reads at the end of a run."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from pegasus.journal.jobs import KINDS, WORST_FIRST, JobState
from pegasus.measures import Times
from pegasus.model import Node, Outcome
from pegasus.nodesets import fold
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.terminal.failures import LISTED, described, failures
from pegasus.terminal.rounds.folding import grouped
from pegasus.terminal.times import fine_duration
from pegasus.terminal.words import count

#: How many of the slowest commands are named, if there were more.
SLOWEST = 3
#: What took less is not slow, in seconds.
SLOW = 1.0
#: How much of a command is shown of them, in characters.
BRIEF = 60


@dataclass(frozen=True)
class Circumstances:
    """What a summary tells beyond the result.

    Attributes:
        run: the id of the run.
        queue_file: as the settings have it.
        folder: where the journal and the logs are.
        times: what the run took.
        left: how many jobs are in the queue file, as far as that is known.
    """

    run: str
    queue_file: str
    folder: Path
    times: Times
    left: int | None = None


def summarize(result: RunResult, about: Circumstances) -> Iterator[str]:
    """Yield the lines that close a run: what failed, or that all is well, and what it took."""
    yield from _commands(result, about.folder)
    yield from _leftovers(result)
    unreachable = {
        node: f"{error.step}: {error.problem}" for node, error in result.unreachable.items()
    }
    yield from _nodes("not reached", unreachable)
    yield from _nodes("lost", result.lost)
    yield from _unfit(result, about.queue_file)
    if result.final:
        yield from _slowest(result, about.times)
        yield from _outcomes(result)
        yield _took(about.times)
    if about.left:
        verb = "is" if about.left == 1 else "are"
        yield f"{count(about.left, 'job')} {verb} left in {about.queue_file}"
    if command := retry_command(result, about):
        yield f"to retry: {command}"


def retry_command(result: RunResult, about: Circumstances) -> str:
    """Return the command that puts back what failed in the run and nothing else, or "".

    Jobs that were left running count, too: they are interrupted.
    """
    states: dict[int, JobState] = {}
    bad = [(one.job.id, JobState(ending.outcome.value)) for one, ending in result.failed]
    for number, state in [*bad, *((one.job.id, JobState.INTERRUPTED) for one in result.left)]:
        if number:
            states[number] = min(state, states.get(number, state), key=WORST_FIRST.index)
    if not states:
        return ""
    if len(states) <= LISTED:
        which = [str(number) for number in sorted(states)]
    else:
        kinds = [kind for kind, those in KINDS.items() if those & {*states.values()}]
        which = [*(f"--{kind}" for kind in kinds), "--run", about.run]
    words = [_program(), "retry", *which]
    if about.queue_file != Settings.queue_file:
        words += ["--queue-file", about.queue_file]
    return shlex.join(words)


def _program() -> str:
    """Return as what the user has called us: `inv`, or `pegasus`."""
    return "pegasus" if os.path.basename(sys.argv[0]) == "pegasus" else "inv"


def _commands(result: RunResult, folder: Path) -> Iterator[str]:
    total, failed = len(result.final), result.failed
    if failed:
        yield "the command failed:" if total == 1 else f"{len(failed)} of {total} commands failed:"
        yield from failures(failed, folder)
    elif total:
        yield "the command succeeded" if total == 1 else f"all {total} commands succeeded"
    elif not result.running:
        yield "no command was run"
    repeated = len(result.endings) - total
    if repeated:
        yield f"{count(repeated, 'failed attempt')} {'was' if repeated == 1 else 'were'} run again"


def _leftovers(result: RunResult) -> Iterator[str]:
    """Yield what a run that did not wait for its end has left behind."""
    left = result.left
    if left:
        yield f"left {count(len(left), 'command')} running, for the nodes to end:"
        yield from (described(attempt) for attempt in left[:LISTED])
        yield from _more(len(left) - LISTED, "inv status shows them")
    for job in result.owed[:LISTED]:
        yield f"neither run nor back in the queue (consumed.yaml has it): {job.template}"
    yield from _more(len(result.owed) - LISTED, "consumed.yaml has them")


def _more(number: int, where: str) -> Iterator[str]:
    if number > 0:
        yield f"  … and {number} more ({where})"


def _unfit(result: RunResult, queue_file: str) -> Iterator[str]:
    """Yield which jobs stay in the queue file since they fit no node, and why."""
    if not result.unfit:
        return
    jobs = sum(one.jobs for one in result.unfit)
    fit, stay = ("fits", "stays") if jobs == 1 else ("fit", "stay")
    yield f"{count(jobs, 'job')} {fit} no node, and {stay} in {queue_file}:"
    for one in result.unfit[:LISTED]:
        number = f" ({count(one.jobs, 'job')})" if len(result.unfit) > 1 else ""
        # Where it stands was said: jobs have left the file in front of it since.
        yield f"  {one.problem}{number}"
    yield from _more(len(result.unfit) - LISTED, "inv check shows them")


def _nodes(what: str, problems: Mapping[Node, str]) -> Iterator[str]:
    """Yield which nodes have a problem; of many, those that have the same in one line."""
    if len(problems) <= LISTED:
        yield from (f"{what}: [{node.label}] {problem}" for node, problem in problems.items())
        return
    alike = grouped((problem, node) for node, problem in problems.items())
    for problem, nodes in [*alike.items()][:LISTED]:
        yield f"{what}: {count(len(nodes), 'node')}, {fold(nodes)}: {problem}"
    yield from _more(sum(map(len, [*alike.values()][LISTED:])), "inv status shows them")


def _slowest(result: RunResult, times: Times) -> Iterator[str]:
    took = [(times.attempts.get(one.key, 0.0), one) for one, _ in result.final]
    slowest = nlargest(SLOWEST, took, key=lambda item: item[0])
    if len(took) <= SLOWEST or slowest[0][0] < SLOW:
        return
    texts = [fine_duration(seconds) for seconds, _ in slowest]
    width = max(map(len, texts))
    yield "slowest:"
    for text, (_, attempt) in zip(texts, slowest, strict=True):
        yield f"  {text:>{width}}{described(attempt, BRIEF)}"


def _outcomes(result: RunResult) -> Iterator[str]:
    """Yield how many ended in which way, where they differ."""
    counts = Counter(ending.outcome for _, ending in result.final)
    if len(counts) > 1:
        yield ", ".join(f"{counts[one]} {one.value}" for one in Outcome if counts[one])


def _took(times: Times) -> str:
    texts = [f"wall time {fine_duration(times.wall)}", f"job time {fine_duration(times.jobs)}"]
    if times.utilisation is not None:
        what = "slots" if times.has_slots else "nodes"
        texts.append(f"{what} busy {times.utilisation:.0%} of their time")
    return ", ".join(texts)
