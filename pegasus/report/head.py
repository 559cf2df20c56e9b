"""What a report says first, in HTML: which run, how it ended, the numbers, and its nodes."""

from __future__ import annotations

import html
from collections.abc import Iterator

from pegasus.journal.nodes import NodeHistory, NodeState
from pegasus.model import printable
from pegasus.report.account import Account, NodeRow
from pegasus.report.clock import text
from pegasus.report.outcomes import LOOKS
from pegasus.report.utilisation import total
from pegasus.terminal.times import duration, fine_duration

#: A list of nodes that is longer is folded.
FOLDED = 12


def escaped(value: object) -> str:
    """Return a text that HTML shows as it is, on one line."""
    return html.escape(printable(str(value)))


def status(account: Account) -> str:
    """Return how the run ended, or that it has not."""
    run = account.run
    if run.is_on:
        return "still on: this is how far it has come"
    if run.ended is None:
        return "died: it did not say how it ended"
    code = f" with status {run.exit_status}" if run.exit_status is not None else ""
    how = f", by signal {run.interrupted}" if run.interrupted is not None else ""
    return f"ended{code}{how}"


def head(account: Account) -> str:
    """Return the headline and the numbers."""
    run = account.run
    whose = f"{run.mode or 'run'} of {run.user} on {run.host}" if run.user else run.mode
    notes = "".join(f'<p class="note">{note}</p>' for note in _notes(account))
    tiles = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>"
        for name, value in _numbers(account)
    )
    return (
        f"<header><h1>Run {escaped(run.id)}</h1>"
        f'<p class="status">{escaped(status(account))}</p>'
        f"<p>{escaped(whose)} · queue file {escaped(account.queue_file)} · {_when(account)}</p>"
        f'{notes}<dl class="numbers">{tiles}</dl>{_counts(account)}</header>'
    )


def _when(account: Account) -> str:
    if not account.end:
        return "no time is known of it"
    begin, end = text(account.begin), text(account.end)
    until = end[11:] if begin[:10] == end[:10] else end
    return f"{begin} to {until} ({escaped(account.zone)})"


def _notes(account: Account) -> Iterator[str]:
    if account.is_backward:
        yield "The clock was set back during this run: some times and durations are not right."
    if not account.rows:
        yield "This run has taken no job."


def _numbers(account: Account) -> Iterator[tuple[str, str]]:
    share = account.utilisation
    yield "took", fine_duration(account.wall / 1000)
    yield "jobs", f"{sum(account.jobs.values()):,}"
    yield "attempts", f"{sum(account.attempts.values()):,}"
    yield "time of all attempts", fine_duration(account.job_time / 1000)
    yield "nodes", f"{len(account.nodes):,}"
    if account.has_slots:
        yield "slots", f"{sum(len(node.slots) for node in account.nodes):,}"
    what = "slots" if account.has_slots else "nodes"
    yield f"utilisation of the {what}", "–" if share is None else f"{share:.0%}"


def _counts(account: Account) -> str:
    """Return how many jobs ended how."""
    items = "".join(
        f'<li><i style="background:{look.colour}"></i>{account.jobs[state]:,} {state}</li>'
        for state, look in LOOKS.items()
        if account.jobs[state]
    )
    return f'<ul class="counts" aria-label="jobs by outcome">{items}</ul>' if items else ""


def nodes(account: Account) -> str:
    """Return the nodes, each with how busy it was, and what is wrong with it."""
    opened = " open" if len(account.nodes) <= FOLDED else ""
    rows = "".join(_node(node, account) for node in account.nodes)
    slots = '<th scope="col">slots</th>' if account.has_slots else ""
    busy = "slot time" if account.has_slots else "for"
    return (
        f"<details{opened}><summary>{len(account.nodes):,} nodes, one by one</summary>"
        '<div class="scrolled" tabindex="0" role="region" aria-label="nodes">'
        f'<table class="nodes"><thead><tr><th scope="col">node</th>{slots}'
        f'<th scope="col" colspan="2">busy</th><th scope="col">{busy}</th>'
        '<th scope="col">attempts</th><th scope="col">by outcome</th>'
        f'<th scope="col">connection</th></tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _node(row: NodeRow, account: Account) -> str:
    busy, available = total(row.spans), account.wall * len(row.slots)
    share = min(1.0, busy / available) if available else 0.0
    slots = f'<td class="number">{len(row.slots)}</td>' if account.has_slots else ""
    counts = ", ".join(f"{row.counts[state]:,} {state}" for state in LOOKS if row.counts[state])
    return (
        f'<tr><th scope="row">{escaped(row.node.label)}</th>{slots}'
        f'<td class="number">{share:.0%}</td>'
        f'<td class="share"><div><i style="width:{share:.1%}"></i></div></td>'
        f'<td class="number">{duration(busy / 1000)}</td>'
        f'<td class="number">{sum(row.counts.values()):,}</td>'
        f"<td>{escaped(counts)}</td><td>{escaped(_connection(row.node))}</td></tr>"
    )


def _connection(node: NodeHistory) -> str:
    """Return what is worth a word about the connection of a node, and how it came and went."""
    words = []
    if node.state is not NodeState.CONNECTED:
        words.append(f"{node.state.value}: {node.problem}" if node.problem else node.state.value)
    words += ["added later"] if node.is_added else []
    words += ["removed"] if node.is_removed else ["drained"] if node.is_drained else []
    return ", ".join(words)
