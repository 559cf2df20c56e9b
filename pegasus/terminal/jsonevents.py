"""What an event is called in the JSON of a run, and what stands in it. docs/json.md lists it all.

What the journal has, too, is called the same and has the same fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pegasus import events
from pegasus.errors import PegasusError, PlacedError, ProblemsError
from pegasus.events import Event
from pegasus.journal.describing import (
    Description,
    describe,
    ending_fields,
    is_described,
    name_fields,
)
from pegasus.journal.records import job_fields
from pegasus.measures import Times
from pegasus.model import Attempt, Outcome
from pegasus.result import RunResult


def told(event: Event, **measured: Any) -> Description | None:
    """Return what is told of an event, or None where nothing is; see `describe`."""
    if is_described(event):
        name, fields = describe(event, **measured)
        return Description(name, {**fields, **_beyond_the_journal(event)})
    if type(event) not in _TOLD:
        return None
    name, fields_of = _TOLD[type(event)]
    return Description(name, fields_of(event))


def summary(result: RunResult, times: Times) -> Description:
    """Return what a run came to, in numbers."""
    outcomes = dict.fromkeys((outcome.value for outcome in Outcome), 0)
    final = result.final
    for _, ending in final:
        outcomes[ending.outcome.value] += 1
    share = times.utilisation
    return Description(
        "summary",
        {
            "outcomes": outcomes,
            "repeated": len(result.endings) - len(final),
            "left_running": [_key(attempt) for attempt in result.left],
            "owed": [job_fields(job) for job in result.owed],
            "nodes_unreachable": len(result.unreachable),
            "nodes_lost": len(result.lost),
            "unfit": sum(one.jobs for one in result.unfit),
            "wall": round(times.wall, 3),
            "job_time": round(times.jobs, 3),
            "busy": round(times.busy, 3),
            "available": round(times.available, 3),
            "utilisation": None if share is None else round(share, 4),
        },
    )


def _beyond_the_journal(event: Event) -> Mapping[str, Any]:
    """Return what a reader of the journal knows from other records."""
    attempt = getattr(event, "attempt", None)
    if isinstance(attempt, Attempt):
        return name_fields(attempt.node)
    if isinstance(event, events.RunDied):
        return {"jobs": [job_fields(job) for job in event.interrupted]}
    return {}


def _key(attempt: Attempt) -> dict[str, Any]:
    job, number = attempt.key
    return {"job": job, "attempt": number, **name_fields(attempt.node)}


def _queue_counted(event: events.QueueCounted) -> dict[str, Any]:
    return {"queued": event.jobs}


def _refused(event: events.QueueRefused | events.HostsRefused) -> dict[str, Any]:
    error = event.error
    errors = error.errors if isinstance(error, ProblemsError) else (error,)
    return {"problems": [_problem(one) for one in errors]}


def _problem(error: PegasusError) -> dict[str, Any]:
    """Return what is wrong, in the form of `inv check --json`."""
    place = error.place if isinstance(error, PlacedError) else None
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "problem": error.problem if isinstance(error, PlacedError) else str(error),
    }


def _round_ended(event: events.RoundEnded) -> dict[str, Any]:
    endings = [
        {"attempt": attempt.number, **name_fields(attempt.node), **ending_fields(ending)}
        for attempt, ending in event.endings
    ]
    return {"job": event.job.id, "endings": endings}


def _lock_awaited(event: events.LockAwaited) -> dict[str, Any]:
    return {"holder": event.holder}


def _running(event: events.Draining | events.Cancelling) -> dict[str, Any]:
    return {"running": event.running}


def _nothing(event: Event) -> dict[str, Any]:
    return {}


_TOLD: dict[type[Event], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    events.QueueCounted: ("queue_counted", _queue_counted),
    events.QueueRefused: ("queue_refused", _refused),
    events.QueueMended: ("queue_mended", _nothing),
    events.HostsRefused: ("hosts_refused", _refused),
    events.HostsMended: ("hosts_mended", _nothing),
    events.LockAwaited: ("lock_awaited", _lock_awaited),
    events.RoundEnded: ("round_ended", _round_ended),
    events.Waiting: ("waiting", _nothing),
    events.Draining: ("draining", _running),
    events.Cancelling: ("cancelling", _running),
    events.NotBegun: ("not_begun", _nothing),
    events.Aborted: ("aborted", _nothing),
}
