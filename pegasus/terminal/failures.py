"""What failed in a run, as its summary lists it: each command with its last words, but many that
are alike only once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from pegasus.model import Attempt, Ending
from pegasus.nodesets import fold
from pegasus.terminal.errands.logs import telling_log
from pegasus.terminal.lines.sequences import shown
from pegasus.terminal.lines.splitter import LINE_END
from pegasus.terminal.words import count

#: So many failures are listed one by one; of more, those that are alike are listed as one, and
#: no more kinds than that.
LISTED = 10
#: How many lines of an output are shown.
LAST_LINES = 5
#: How much of a line is shown, in characters.
LONGEST = 300
#: How many ranges of ids are shown.
RANGES = 12

Failure = tuple[Attempt, Ending]


def failures(failed: Sequence[Failure], folder: Path) -> Iterator[str]:
    """Yield lines about attempts that failed.

    Args:
        failed: the attempts and their endings.
        folder: `.pegasus/<queue file name>`, where the logs are.
    """
    kinds = _kinds(failed) if len(failed) > LISTED else [[one] for one in failed]
    for alike in kinds[:LISTED]:
        attempt, ending = alike[0]
        yield f"{described(attempt)} ({_cut(str(ending))})"
        yield from _last_words(attempt, folder)
        yield from _others([other for other, _ in alike[1:]], attempt)
    if hidden := sum(map(len, kinds[LISTED:])):
        yield f"  … and {hidden} more (inv logs --failed shows them)"


def described(attempt: Attempt, longest: int = LONGEST) -> str:
    """Return which job an attempt ran where, with so much of it: `  job 7: [node-1] make …`."""
    first, *more = attempt.command.split("\n")
    job = f"job {attempt.job.id}: " if attempt.job.id else ""
    return f"  {job}[{attempt.node.label}] {_cut(first, longest)}" + (" …" if more else "")


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers in few words: `3, 7-9`; of very many, the first ones."""
    ordered = enumerate(sorted(set(numbers)))
    runs = [[*run] for _, run in groupby(ordered, key=lambda item: item[1] - item[0])]
    texts = [f"{run[0][1]}-{run[-1][1]}" if len(run) > 1 else f"{run[0][1]}" for run in runs]
    return ", ".join([*texts[:RANGES], *(["…"] if len(texts) > RANGES else [])])


def _kinds(failed: Sequence[Failure]) -> list[list[Failure]]:
    """Put together what has the same template and ended in the same way; most come first."""
    kinds: dict[object, list[Failure]] = {}
    for attempt, ending in failed:
        how = (ending.outcome, ending.exit_status, ending.exit_signal)
        kinds.setdefault((attempt.job.template, how), []).append((attempt, ending))
    return sorted(kinds.values(), key=len, reverse=True)


def _last_words(attempt: Attempt, folder: Path) -> Iterator[str]:
    path, tail = telling_log(folder, *attempt.key)
    text = tail.decode(errors="replace").rstrip()
    lines = [shown(line, sgr=False).rstrip() for line in LINE_END.split(text)]
    yield from (f"    | {_cut(line)}" for line in lines[-LAST_LINES:] if text)
    if path is not None:
        yield f"    log: {_short(path)}"


def _others(others: Sequence[Attempt], first: Attempt) -> Iterator[str]:
    """Yield what there is to say of attempts that are like one that was described."""
    nodes = {attempt.node.index: attempt.node for attempt in others}
    jobs = {attempt.job.id for attempt in others} - {first.job.id}
    if not others:
        return
    if jobs:
        yield f"    and {count(len(others), 'command')} like it: jobs {ranges(jobs)}"
    else:
        yield f"    and on {count(len(nodes), 'other node')}: {_cut(fold(nodes.values()))}"


def _short(path: Path) -> str:
    """Return a path as it is from here, if that is shorter."""
    try:
        return min(os.path.relpath(path), str(path), key=len)
    except OSError:  # There is no here any more.
        return str(path)


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
