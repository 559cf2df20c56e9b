"""What is told of nodes that come and go, of slots, of pauses, and of jobs that fit nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from story import NODES, RUN, Story

from pegasus import events
from pegasus.errors import HostsFileError
from pegasus.events import Event
from pegasus.journal.describing import describe
from pegasus.journal.standing import Queue, Standing
from pegasus.model import Need, Node, Place, Slots
from pegasus.terminal.errands import status as terminal
from pegasus.terminal.errands.overview import overview
from pegasus.terminal.messages import is_trouble, message
from pegasus.terminal.times import moment

UNFIT = events.Unfit(Need(16), 3, Place("queue.yaml", 12, 3), "this needs 16 slots")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path)
    made.begin()
    return made


def tell(story: Story, *told: Event) -> None:
    story.journal.append(*(describe(event).record(RUN) for event in told))


def standing(story: Story) -> Standing:
    story.history.catch_up()
    return Standing.of(story.history, Queue("queue.yaml", 5))


def document(story: Story) -> Any:
    found = terminal.document(standing(story))
    assert json.loads(json.dumps(found)) == found
    return found["runs"][0]


def text(story: Story) -> str:
    at = moment("2030-01-01T00:00:00.000+00:00")
    assert at
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(overview(standing(story), at, 200))
    return " ".join(console.export_text().split())


def start(story: Story, number: int, slots: list[int] | None, node: int = 0) -> None:
    story.take(number)
    told = {"node": NODES[node].label, "index": node, "command": f"run {number}", "repeats": 0}
    more = {} if slots is None else {"slots": slots}
    story.tell("attempt_started", job=number, attempt=1, **told, **more)


def test_a_paused_run_is_shown_as_long_as_it_is_paused(story: Story) -> None:
    tell(story, events.Paused(0))
    assert document(story)["paused"] is True
    assert "it is paused, and takes no jobs until inv resume" in text(story)
    tell(story, events.Resumed())
    assert document(story)["paused"] is False
    assert "paused" not in text(story)


def test_drained_removed_and_added_nodes_are_told_apart(story: Story) -> None:
    new = Node(3, NODES[0].host, (("n", "1"),))
    tell(
        story,
        *(events.NodeConnected(node) for node in NODES),
        events.NodeDrained(NODES[0]),
        events.NodeDrained(NODES[1], removed=True),
        events.NodeAdded(new),
    )
    told = [(one["drained"], one["removed"], one["added"]) for one in document(story)["nodes"]]
    assert told == [
        (True, False, False),
        (False, True, False),
        (False, False, False),
        (False, False, True),
    ]
    shown = text(story)
    assert "3 nodes, 1 of them added since it began" in shown
    assert "1 connecting: gpu-1 (n=1) 1 drained: gpu-1 1 free: gpu-3 1 removed: gpu-2" in shown
    tell(story, events.NodeUndrained(NODES[0]), events.NodeUndrained(NODES[1]))
    assert "drained" not in text(story)
    assert "removed" not in text(story)


def test_a_node_that_is_back_and_drained_by_hand_is_drained(story: Story) -> None:
    tell(story, events.NodeDrained(NODES[0]), events.NodeDrained(NODES[0], removed=True))
    tell(story, events.NodeDrained(NODES[0]))
    one = document(story)["nodes"][0]
    assert (one["drained"], one["removed"]) == (True, False)


def test_several_jobs_on_a_node_are_shown_with_their_slots(story: Story) -> None:
    tell(story, events.NodeConnected(NODES[0], Slots(tuple(range(8)))))
    tell(story, events.NodeConnected(NODES[1]))
    start(story, 1, [0, 1, 2, 3])
    start(story, 2, [6])
    node = document(story)["nodes"][0]
    assert (node["job"], node["jobs"], node["slots"]) == (1, [1, 2], [*range(8)])
    assert terminal.document(standing(story))["running"][0]["slots"] == [0, 1, 2, 3]
    shown = text(story)
    assert "gpu-1 (5 of 8 slots, 2 jobs)" in shown
    assert " 0-3 " in shown
    tell(story, events.NodeDrained(NODES[0]))
    assert "drained: gpu-1 (still busy, 5 of 8 slots, 2 jobs)" in text(story)


def test_where_nodes_have_one_slot_nothing_is_said_of_slots(story: Story) -> None:
    tell(story, events.NodeConnected(NODES[0]))
    start(story, 1, [0])
    assert "slot" not in text(story)


def test_an_attempt_in_the_journal_of_an_older_pegasus_has_the_one_slot(story: Story) -> None:
    story.tell("node_connected", node=NODES[0].label, index=0)
    start(story, 1, None)
    assert terminal.document(standing(story))["running"][0]["slots"] == [0]
    assert document(story)["nodes"][0]["jobs"] == [1]


def test_jobs_that_fit_no_node_are_shown_until_they_do(story: Story) -> None:
    tell(story, events.JobsUnfit((UNFIT,)))
    assert document(story)["unfit"] == [
        {
            "jobs": 3,
            "file": "queue.yaml",
            "line": 12,
            "column": 3,
            "problem": "this needs 16 slots",
        }
    ]
    assert "queue.yaml:12:3: this needs 16 slots; 3 jobs stay in the queue" in text(story)
    tell(story, events.JobsUnfit(()))
    assert document(story)["unfit"] == []


NODE = Node(0, NODES[0].host)


@pytest.mark.parametrize(
    ("event", "words", "trouble"),
    [
        (
            events.NodeAdded(NODE),
            "[gpu-1] is new in hosts.yaml; connecting",
            False,
        ),
        (
            events.NodeDrained(NODE),
            "[gpu-1] drained: it takes no more jobs (inv undrain undoes it)",
            False,
        ),
        (
            events.NodeDrained(NODE, removed=True),
            "[gpu-1] is not in hosts.yaml any more: it takes no more jobs",
            False,
        ),
        (events.NodeUndrained(NODE), "[gpu-1] takes jobs again", False),
        (
            events.HostsRefused(HostsFileError("is wrong", Place("hosts.yaml", 2, 3))),
            "hosts.yaml:2:3: is wrong\nthe nodes stay what they were until this is mended",
            True,
        ),
        (events.HostsMended(), "hosts.yaml can be used again", False),
        (
            events.JobsUnfit((UNFIT,)),
            "queue.yaml:12:3: this needs 16 slots; 3 jobs stay in the queue",
            True,
        ),
        (events.JobsUnfit(()), "no job of the queue is left that fits no node", True),
        (events.Paused(0), "paused: taking no jobs until inv resume", True),
        (events.Paused(1), "paused: taking no jobs until inv resume; 1 command still runs", True),
        (events.Paused(2), "paused: taking no jobs until inv resume; 2 commands still run", True),
        (events.Resumed(), "taking jobs again", False),
    ],
)
def test_what_is_said_of_it_and_to_whom(event: Event, words: str, trouble: bool) -> None:
    assert message(event) == words
    assert is_trouble(event) is trouble
