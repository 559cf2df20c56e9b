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

from pegasus.model import Job, Node, Options, Params

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

#: Why jobs were put back.
WHY_NEVER_STARTED = "never started"
WHY_RETRY = "retry"

Record = Mapping[str, Any]

#: What a job is known by: its template, parameters and options.
JobText = tuple[str, Params, Params]


def now() -> str:
    """Return the local time as records have it, in milliseconds."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def record(event: str, run: str, **fields: Any) -> dict[str, Any]:
    """Return a record of an event that happens now."""
    return {"event": event, "at": now(), "run": run, **fields}


def encode(value: Record) -> bytes:
    """Return a record as a line. What is no Unicode text is escaped, as JSON has it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


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
        "options": dict(job.options.written),
        "attempts": job.attempts,
    }


def job_of(fields: Record) -> Job:
    """Return the job that stands in a record. Of its options, it has what was written.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: there is none.
    """
    params, written = fields["params"], fields["options"]
    return Job(
        str(fields["template"]),
        tuple((str(name), str(value)) for name, value in params.items()),
        Options(written=tuple((str(name), str(value)) for name, value in written.items())),
        id=int(fields["job"]),
        attempts=int(fields["attempts"]),
    )


def text_of(job: Job) -> JobText:
    """Return what a job is known by in the queue file, which has no ids."""
    return job.template, job.params, job.options.written


def node_fields(node: Node) -> dict[str, Any]:
    """Return a node as it stands in a record: `index` tells apart those with equal labels."""
    return {
        "node": node.label,
        "index": node.index,
        "host": node.host.text,
        "params": dict(node.params),
    }
