"""What records say of events is what docs/state.md promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pegasus
from pegasus import events
from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Event
from pegasus.journal.describing import describe, is_described
from pegasus.model import (
    Attempt,
    Ending,
    Host,
    Job,
    Need,
    Node,
    Options,
    Outcome,
    Place,
    Slots,
)

PAGE = (Path(__file__).parents[2] / "docs" / "state.md").read_text()
NODE = Node(3, Host("gpu-1", "gpu-1"), (("container", "gpu0"),))
NAME = {"node": "gpu-1 (container=gpu0)", "index": 3}
JOB = Job("train {{ bs }}", (("bs", "8"),), Options(written=(("timeout", "2h"),)), id=7, attempts=1)
ATTEMPT = Attempt(2, JOB, NODE, "train 8", repeats=1, slots=Slots((2, 3)))
UNFIT = events.Unfit(Need(16, "gpu-*"), 3, Place("queue.yaml", 12, 3), "too many")
KEY = {"job": 7, "attempt": 2}
AS_JOB = {
    "job": 7,
    "template": "train {{ bs }}",
    "params": {"bs": "8"},
    "options": {"timeout": "2h"},
    "slots": None,
    "attempts": 1,
}
REFUSED = NeverStartedError(NODE, "session", "refused")
KILLED = Ending(Outcome.SIGNALLED, 137, "KILL", "why")

DESCRIBED = [
    (
        events.RunStarted("r", "queue", 7, "here", "me", {"quiet": True}, (NODE,)),
        "run_started",
        {
            "mode": "queue",
            "pid": 7,
            "host": "here",
            "user": "me",
            "pegasus": pegasus.__version__,
            "settings": {"quiet": True},
            "nodes": [{**NAME, "host": "gpu-1", "params": {"container": "gpu0"}, "slots": [0]}],
        },
    ),
    (events.RunEnded("r", 130, 2), "run_ended", {"exit_status": 130, "interrupted": 2}),
    (events.RunDied("r", (JOB,)), "run_died", {}),
    (events.JobsTaken((JOB,)), "jobs_taken", {"jobs": [AS_JOB]}),
    (
        events.JobRequeued(JOB, REFUSED),
        "jobs_requeued",
        {"jobs": [AS_JOB], "why": "never started"},
    ),
    (
        events.AttemptStarted(ATTEMPT),
        "attempt_started",
        {**KEY, **NAME, "command": "train 8", "repeats": 1, "slots": [2, 3]},
    ),
    (events.AttemptAnnounced(ATTEMPT, 4711), "attempt_announced", {**KEY, "pid": 4711}),
    (
        events.AttemptEnded(ATTEMPT, KILLED, again=True),
        "attempt_ended",
        {
            **KEY,
            "outcome": "signalled",
            "exit_status": 137,
            "exit_signal": "KILL",
            "detail": "why",
            "again": True,
        },
    ),
    (
        events.NeverStarted(ATTEMPT, REFUSED),
        "never_started",
        {**KEY, "step": "session", "problem": "refused"},
    ),
    (
        events.CancelCommandEnded(ATTEMPT, "no docker"),
        "cancel_command_ended",
        {**KEY, "problem": "no docker"},
    ),
    (events.NodeConnected(NODE, Slots((0, 1))), "node_connected", {**NAME, "slots": [0, 1]}),
    (
        events.NodeAdded(NODE),
        "node_added",
        {**NAME, "host": "gpu-1", "params": {"container": "gpu0"}, "slots": [0]},
    ),
    (events.NodeDrained(NODE, removed=True), "node_drained", {**NAME, "removed": True}),
    (events.NodeUndrained(NODE), "node_undrained", NAME),
    (events.Paused(2), "paused", {"running": 2}),
    (events.Resumed(), "resumed", {}),
    (
        events.JobsUnfit((UNFIT,)),
        "jobs_unfit",
        {
            "unfit": [
                {
                    "jobs": 3,
                    "slots": 16,
                    "on": "gpu-*",
                    "allocation": None,
                    "file": "queue.yaml",
                    "line": 12,
                    "column": 3,
                    "problem": "too many",
                }
            ]
        },
    ),
    (
        events.NodeUnreachable(NODE, UnreachableError(NODE, "auth", "no key"), skipped=True),
        "node_unreachable",
        {**NAME, "step": "auth", "problem": "no key", "skipped": True},
    ),
    (events.NodeDisconnected(NODE, "reset"), "node_disconnected", {**NAME, "problem": "reset"}),
    (events.NodeLost(NODE, "gone"), "node_lost", {**NAME, "problem": "gone"}),
]


@pytest.mark.parametrize(("event", "name", "fields"), DESCRIBED, ids=lambda value: str(value)[:20])
def test_an_event_is_described(event: Event, name: str, fields: dict[str, object]) -> None:
    assert is_described(event)
    assert describe(event) == (name, fields)
    one = describe(event).record("5f0c91ab")
    assert [*one] == ["event", "at", "run", *fields]
    assert (one["event"], one["run"]) == (name, "5f0c91ab")


def test_what_was_measured_stands_with_the_ending() -> None:
    ended = events.AttemptEnded(ATTEMPT, KILLED)
    fields = [*describe(ended, started="now", stdout=3).fields]
    assert fields[-4:] == ["detail", "started", "stdout", "again"]


@pytest.mark.parametrize(("event", "name", "fields"), DESCRIBED, ids=lambda value: str(value)[:20])
def test_the_page_on_the_journal_has_its_name_and_its_fields(
    event: Event, name: str, fields: dict[str, object]
) -> None:
    section = next(part for part in PAGE.split("\n### ") if f"\n| `{name}` |" in part)
    assert [field for field in fields if not re.search(rf"`{field}`", section)] == []


def test_other_events_are_not_described() -> None:
    assert not is_described(events.Waiting())
    with pytest.raises(KeyError):
        describe(events.Waiting())
