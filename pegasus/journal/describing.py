"""What records say of events: one form for the journal, and for whoever else writes them down.

docs/state.md lists the records and their fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pegasus
from pegasus import events
from pegasus.errors import NodeError
from pegasus.events import Event
from pegasus.journal import records
from pegasus.journal.records import job_fields, node_fields, record
from pegasus.model import Attempt, Ending, Job, Node


class Description(NamedTuple):
    """The name of an event in records, and what stands in them behind `event`, `at` and `run`."""

    event: str
    fields: dict[str, Any]

    def record(self, run: str) -> dict[str, Any]:
        """Return the record of it, as of now."""
        return record(self.event, run, **self.fields)


def describe(event: Event, **measured: Any) -> Description:
    """Return what a record says of an event.

    Args:
        measured: what the end of an attempt does not tell itself: when it `started`, how many
            bytes of output it had. It stands with the fields of the ending.

    Raises:
        KeyError: the journal has no such record.
    """
    name, fields_of = _DESCRIBED[type(event)]
    return Description(name, fields_of(event, **measured))


def is_described(event: Event) -> bool:
    """Return whether the journal has records of such events."""
    return type(event) in _DESCRIBED


def name_fields(node: Node) -> dict[str, Any]:
    """Return what a node is known by in the records that are about it."""
    return {"node": node.label, "index": node.index}


def ending_fields(ending: Ending) -> dict[str, Any]:
    """Return how an attempt has ended, as records have it."""
    return {
        "outcome": ending.outcome.value,
        "exit_status": ending.exit_status,
        "exit_signal": ending.exit_signal,
        "detail": ending.detail,
    }


def _run_started(event: events.RunStarted) -> dict[str, Any]:
    return {
        "mode": event.mode,
        "pid": event.pid,
        "host": event.host,
        "user": event.user,
        "pegasus": pegasus.__version__,
        "settings": dict(event.settings),
        "nodes": [node_fields(node) for node in event.nodes],
    }


def _run_ended(event: events.RunEnded) -> dict[str, Any]:
    return {"exit_status": event.exit_status, "interrupted": event.interrupted}


def _run_died(event: events.RunDied) -> dict[str, Any]:
    return {}


def _jobs_taken(event: events.JobsTaken) -> dict[str, Any]:
    return _jobs(event.jobs)


def _jobs_requeued(event: events.JobRequeued) -> dict[str, Any]:
    return {**_jobs([event.job]), "why": records.WHY_NEVER_STARTED}


def _attempt_started(event: events.AttemptStarted) -> dict[str, Any]:
    attempt = event.attempt
    told = {"command": attempt.command, "repeats": attempt.repeats}
    slots = [*attempt.slots.indices]
    return {**_key(attempt), **name_fields(attempt.node), **told, "slots": slots}


def _attempt_announced(event: events.AttemptAnnounced) -> dict[str, Any]:
    return {**_key(event.attempt), "pid": event.pid}


def _attempt_ended(event: events.AttemptEnded, **measured: Any) -> dict[str, Any]:
    ending = ending_fields(event.ending)
    return {**_key(event.attempt), **ending, **measured, "again": event.again}


def _never_started(event: events.NeverStarted) -> dict[str, Any]:
    return {**_key(event.attempt), **_trouble(event.error)}


def _cancel_command_ended(event: events.CancelCommandEnded) -> dict[str, Any]:
    return {**_key(event.attempt), "problem": event.problem}


def _node_connected(event: events.NodeConnected) -> dict[str, Any]:
    return {**name_fields(event.node), "slots": [*event.slots.indices]}


def _node_unreachable(event: events.NodeUnreachable) -> dict[str, Any]:
    return {**name_fields(event.node), **_trouble(event.error), "skipped": event.skipped}


def _node_gone(event: events.NodeDisconnected | events.NodeLost) -> dict[str, Any]:
    return {**name_fields(event.node), "problem": event.detail}


def _node_added(event: events.NodeAdded) -> dict[str, Any]:
    return node_fields(event.node)


def _node_drained(event: events.NodeDrained) -> dict[str, Any]:
    return {**name_fields(event.node), "removed": event.removed}


def _node_undrained(event: events.NodeUndrained) -> dict[str, Any]:
    return name_fields(event.node)


def _jobs_unfit(event: events.JobsUnfit) -> dict[str, Any]:
    return {"unfit": [_unfit(one) for one in event.unfit]}


def _unfit(unfit: events.Unfit) -> dict[str, Any]:
    need, place = unfit.need, unfit.place
    return {
        "jobs": unfit.jobs,
        "slots": need.slots,
        "on": need.on or None,
        "allocation": need.allocation or None,
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "problem": unfit.problem,
    }


def _paused(event: events.Paused) -> dict[str, Any]:
    return {"running": event.running}


def _resumed(event: events.Resumed) -> dict[str, Any]:
    return {}


def _key(attempt: Attempt) -> dict[str, Any]:
    job, number = attempt.key
    return {"job": job, "attempt": number}


def _trouble(error: NodeError) -> dict[str, Any]:
    return {"step": error.step, "problem": error.problem}


def _jobs(jobs: Iterable[Job]) -> dict[str, Any]:
    return {"jobs": [job_fields(job) for job in jobs]}


_DESCRIBED: dict[type[Event], tuple[str, Callable[..., dict[str, Any]]]] = {
    events.RunStarted: (records.RUN_STARTED, _run_started),
    events.RunEnded: (records.RUN_ENDED, _run_ended),
    events.RunDied: (records.RUN_DIED, _run_died),
    events.JobsTaken: (records.JOBS_TAKEN, _jobs_taken),
    events.JobRequeued: (records.JOBS_REQUEUED, _jobs_requeued),
    events.AttemptStarted: (records.ATTEMPT_STARTED, _attempt_started),
    events.AttemptAnnounced: (records.ATTEMPT_ANNOUNCED, _attempt_announced),
    events.AttemptEnded: (records.ATTEMPT_ENDED, _attempt_ended),
    events.NeverStarted: (records.NEVER_STARTED, _never_started),
    events.CancelCommandEnded: (records.CANCEL_COMMAND_ENDED, _cancel_command_ended),
    events.NodeConnected: (records.NODE_CONNECTED, _node_connected),
    events.NodeUnreachable: (records.NODE_UNREACHABLE, _node_unreachable),
    events.NodeDisconnected: (records.NODE_DISCONNECTED, _node_gone),
    events.NodeLost: (records.NODE_LOST, _node_gone),
    events.NodeAdded: (records.NODE_ADDED, _node_added),
    events.NodeDrained: (records.NODE_DRAINED, _node_drained),
    events.NodeUndrained: (records.NODE_UNDRAINED, _node_undrained),
    events.JobsUnfit: (records.JOBS_UNFIT, _jobs_unfit),
    events.Paused: (records.PAUSED, _paused),
    events.Resumed: (records.RESUMED, _resumed),
}
