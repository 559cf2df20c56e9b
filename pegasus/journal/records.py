"""The records of a journal: what they are called, and what stands in them.

A journal is a file of JSON objects, one a line. The first line says which version of this form
it has; each other one is a record with the fields `event`, `at` (local time in ISO 8601, with
its offset) and `run` (the id of the run that wrote it, or "" where it was none). docs/state.md
lists the events and the fields of each. A reader passes over events and fields that it does not
know: they may be added without a new version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pegasus.model import Job, Node, Options, Params, Written

VERSION = 1

RUN_STARTED = "run_started"
RUN_ENDED = "run_ended"
RUN_DIED = "run_died"
JOBS_TAKEN = "jobs_taken"
JOBS_REQUEUED = "jobs_requeued"
UNDONE = "undone"
ATTEMPT_STARTED = "attempt_started"
ATTEMPT_ANNOUNCED = "attempt_announced"
ATTEMPT_ENDED = "attempt_ended"
NEVER_STARTED = "never_started"
CANCEL_COMMAND_ENDED = "cancel_command_ended"
NODE_CONNECTED = "node_connected"
NODE_UNREACHABLE = "node_unreachable"
NODE_DISCONNECTED = "node_disconnected"
NODE_LOST = "node_lost"
NODE_ADDED = "node_added"
NODE_DRAINED = "node_drained"
NODE_UNDRAINED = "node_undrained"
JOBS_UNFIT = "jobs_unfit"
PAUSED = "paused"
RESUMED = "resumed"

#: Why jobs were put back.
WHY_NEVER_STARTED = "never started"
WHY_RETRY = "retry"

Record = Mapping[str, Any]

_JSON = json.JSONEncoder(ensure_ascii=False)

#: What a job is known by: its template, parameters, options and number of slots.
JobText = tuple[str, Params, Written, int | None]


def now() -> str:
    """Return the local time as records have it, in milliseconds."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def record(event: str, run: str, **fields: Any) -> dict[str, Any]:
    """Return a record of an event that happens now."""
    return {"event": event, "at": now(), "run": run, **fields}


def encode(value: Record) -> bytes:
    """Return a record as a line. What is no Unicode text is escaped, as JSON has it."""
    return _JSON.encode(value).encode("utf-8", "backslashreplace") + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """Return the object on a line, or None where it holds none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def job_fields(job: Job) -> dict[str, Any]:
    """Return a job as it stands in a record."""
    return {
        "job": job.id,
        "template": job.template,
        "params": dict(job.params),
        "options": option_fields(job.options),
        "slots": job.slots,
        "attempts": job.attempts,
    }


def job_of(fields: Record) -> Job:
    """Return the job that stands in a record. Of its options, it has what was written.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: there is none.
    """
    slots = fields.get("slots")  # Older journals don't have it.
    return Job(
        str(fields["template"]),
        _pairs(fields["params"]),
        Options(written=tuple(map(_written, fields["options"].items()))),
        None if slots is None else int(slots),
        id=int(fields["job"]),
        attempts=int(fields["attempts"]),
    )


def text_of(job: Job) -> JobText:
    """Return what a job is known by in the queue file, which has no ids."""
    return job.template, job.params, job.options.written, job.slots


def option_fields(options: Options) -> dict[str, str | dict[str, str]]:
    """Return options as they are written: texts by name, and under `env` an object of texts."""
    return {
        name: value if isinstance(value, str) else dict(value) for name, value in options.written
    }


def _written(item: tuple[str, Any]) -> tuple[str, str | Params]:
    name, value = item
    return str(name), _pairs(value) if isinstance(value, dict) else str(value)


def _pairs(fields: Mapping[str, Any]) -> Params:
    return tuple((str(name), str(value)) for name, value in fields.items())


def node_fields(node: Node) -> dict[str, Any]:
    """Return a node as it stands in a record: `index` tells apart those with equal labels.

    `slots` are the numbers of its slots; null where they are GPUs, which are yet to be counted.
    """
    return {
        "node": node.label,
        "index": node.index,
        "host": node.host.text,
        "params": dict(node.params),
        "slots": None if node.slots is None else [*node.slots],
    }


def number_in(fields: Record, name: str) -> int | None:
    """Return a number of a record, or None where that is none."""
    value = fields.get(name)
    return value if isinstance(value, int) else None


def numbers_in(values: Any) -> tuple[int, ...] | None:
    """Return the numbers of a list, or None where there is none."""
    return None if values is None else tuple(int(value) for value in values)
