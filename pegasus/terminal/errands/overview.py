"""How things stand in a queue, drawn for people: tables as wide as the terminal.

Commands, nodes and problems are other people's texts: what a terminal would obey is escaped, and
nothing in them is markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pegasus.journal.jobs import KINDS
from pegasus.journal.nodes import NodeHistory, NodeState, RunHistory
from pegasus.journal.standing import TROUBLES, Execution, Standing, Trouble
from pegasus.model import printable
from pegasus.terminal.times import clock, duration, moment
from pegasus.terminal.words import count, first_line

#: How many jobs in trouble, and how many nodes of a kind, are listed.
LISTED = 20
#: With fewer columns than this, tables leave out what can be left out.
NARROW = 60

_COLOURS = {"running": "green", "failed": "red", "lost": "red", "interrupted": "yellow"}


def overview(standing: Standing, now: datetime, width: int) -> RenderableType:
    """Return how things stand, as rich prints it.

    Args:
        now: the time, from which it is counted how long something takes.
        width: of the terminal, in columns.
    """
    parts: list[RenderableType] = [*_heads(standing, now), _counts(standing)]
    if standing.queue.problem:
        parts.append(_line(standing.queue.problem, "yellow"))
    if standing.running:
        parts += [_gap(), _running(standing, now, width)]
    for run in standing.runs:
        parts += [_line(str(unfit), "yellow") for unfit in run.unfit]
        if nodes := [*_nodes(run, standing)]:
            parts += [_gap(), *nodes]
    if standing.troubles:
        parts += [_gap(), *_troubles(standing.troubles)]
    if standing.earlier:
        parts += [_gap(), _earlier(standing.earlier)]
    return Group(*parts)


def _heads(standing: Standing, now: datetime) -> Iterator[Text]:
    if not standing.runs:
        yield _line(f"no run has used {standing.queue.file} yet")
    for run in standing.runs:
        mode = f" ({run.mode})" if run.mode else ""
        text = _line(f"run {run.id}{mode} ", "bold")
        yield text.append(printable(_progress(run, now)), "green" if run.is_on else "")
        if run.is_on and run.is_paused:
            yield _line("it is paused, and takes no jobs until inv resume", "yellow")


def _progress(run: RunHistory, now: datetime) -> str:
    """Return whether a run is on, or how and when it ended."""
    started = moment(run.started)
    if run.is_on:
        whose = f": pid {run.pid} of {run.user} on {run.host}" if run.pid else ""
        return f"is on{whose}" + (f", {_since(started, now)}" if started else "")
    ended = moment(run.ended or "")
    if ended is None:
        begun = f"; it began {clock(started, now)}" if started else ""
        return f"died: it did not say how it ended{begun}"
    took = f" after {duration((ended - started).total_seconds())}" if started else ""
    how = f"with status {run.exit_status}"
    if run.interrupted is not None:
        how = f"by signal {run.interrupted}, {how}"
    return f"ended {clock(ended, now)}{took}, {how}"


def _since(started: datetime, now: datetime) -> str:
    return f"since {clock(started, now)} ({duration((now - started).total_seconds())})"


def _counts(standing: Standing) -> Columns:
    queued = standing.queue.jobs
    numbers = {"queued": "?" if queued is None else str(queued)}
    for kind in ("taken", "running", *KINDS):
        if kind != "taken" or standing.counts[kind]:
            numbers[kind] = str(standing.counts[kind])
    texts = []
    for kind, number in numbers.items():
        colour = "" if number == "0" else _COLOURS.get(kind, "")
        end = "" if kind == [*numbers][-1] else ","
        texts.append(Text(f"{number} {kind}{end}", colour))
    return Columns(texts)


def _running(standing: Standing, now: datetime, width: int) -> Table:
    nodes = [node for run in standing.runs for node in run.nodes.values()]
    has_slots = any(len(node.slots or ()) > 1 for node in nodes)
    slots = ["slots"] if has_slots else []
    table = _table("job", "node", *slots, "for" if width < NARROW else "since", "command")
    for one in standing.running:
        attempt, started = one.attempt, moment(one.attempt.started)
        since = ""
        if started:
            ago = duration((now - started).total_seconds())
            since = ago if width < NARROW else f"{clock(started, now)} ({ago})"
        given = [_ranges(attempt.slots)] if has_slots else []
        table.add_row(*_cells(str(one.job.id), attempt.node, *given, since, attempt.command))
    return table


def _nodes(run: RunHistory, standing: Standing) -> Iterator[RenderableType]:
    """Yield how many nodes a run has, and which of them are in which state."""
    if not run.nodes:
        return
    busy = standing.on(run)
    found: dict[str, list[str]] = {}
    for index in sorted(run.nodes):
        node, jobs = run.nodes[index], busy.get(index, ()) if run.is_on else ()
        found.setdefault(_node_state(node, run, jobs), []).append(_described(node, jobs))
    yield _line(_headline(run, standing), "bold")
    grid = Table.grid(padding=(0, 1))
    for state, names in sorted(found.items()):
        grid.add_row(Text(f"  {len(names)} {state}:", no_wrap=True), _line(_listed(names)))
    yield grid


def _headline(run: RunHistory, standing: Standing) -> str:
    there = [node for node in run.nodes.values() if not node.is_removed]
    added = sum(node.is_added for node in there)
    whose = f" of run {run.id}" if len(standing.runs) > 1 else ""
    when = "" if run.is_on else " at its end"
    more = f", {added} of them added since it began" if added else ""
    return f"{count(len(there), 'node')}{whose}{when}{more}"


def _node_state(node: NodeHistory, run: RunHistory, jobs: Sequence[Execution]) -> str:
    if node.is_removed:
        return "removed"
    if node.is_drained:
        return "drained"
    if jobs:
        return "busy"
    return "free" if run.is_on and node.state is NodeState.CONNECTED else node.state.value


def _described(node: NodeHistory, jobs: Sequence[Execution]) -> str:
    """Return the label of a node, and in parentheses what is to be known of it."""
    slots = len(node.slots or ())
    about = [node.problem] if node.problem else []
    if jobs and (node.is_removed or node.is_drained):
        about.append("still busy")
    if jobs and slots > 1:
        taken = {slot for one in jobs for slot in one.attempt.slots}
        about.append(f"{len(taken)} of {slots} slots")
    if len(jobs) > 1:
        about.append(count(len(jobs), "job"))
    return f"{node.label} ({', '.join(about)})" if about else node.label


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers with what is in a row as a range: 0-3,6."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if part[1:] else f"{part[0]}" for part in parts)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f", … and {more} more" if more > 0 else "")


def _troubles(troubles: Sequence[Trouble]) -> Iterator[RenderableType]:
    table = _table("job", "node", "why", "command")
    for trouble in troubles[:LISTED]:
        node = trouble.attempt.node if trouble.attempt else ""
        if trouble.others:
            node += f" and {trouble.others} more"
        job, why = str(trouble.job.id), trouble.why
        table.add_row(*_cells(job, node, why, trouble.command))
    yield table
    if len(troubles) > LISTED:
        yield _line(f"… and {len(troubles) - LISTED} more (inv status --json lists all)")
    yield _line(_advice(troubles))


def _earlier(troubles: Sequence[Trouble]) -> Text:
    kinds = Counter(trouble.kind for trouble in troubles)
    numbers = _joined([f"{kinds[kind]} {kind}" for kind in TROUBLES if kinds[kind]], "and")
    jobs = "job" if len(troubles) == 1 else "jobs"
    return _line(f"earlier runs have left {numbers} {jobs} ({_advice(troubles)})")


def _advice(troubles: Iterable[Trouble]) -> str:
    kinds = {trouble.kind for trouble in troubles}
    flags = [f"--{kind}" for kind in TROUBLES if kind in kinds]
    return f"inv retry {_joined(flags, 'or')} puts them back into the queue"


def _joined(words: Sequence[str], last: str) -> str:
    """Return `a, b and c`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _cells(*texts: str) -> Iterator[Text]:
    """Return texts as cells of one line, cut off where they are too long."""
    lines = (printable(first_line(text)) for text in texts)
    return (Text(line, no_wrap=True, overflow="ellipsis") for line in lines)


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style)


def _gap() -> Text:
    return Text()
