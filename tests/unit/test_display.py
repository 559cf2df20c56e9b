"""What stands on the screen when a run is over: its summary, and nothing below that."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from pegasus import events
from pegasus.events import Output, Stream
from pegasus.model import Attempt, Ending, Host, Job, Node
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.statistics import Statistics
from pegasus.terminal.display import Display, display

NODES = tuple(Node(number, Host(f"node-{number}", "")) for number in (1, 2))
ATTEMPTS = tuple(
    Attempt(number, Job("make", id=number), node, "make")
    for number, node in enumerate(NODES, start=1)
)


class Prompting(io.StringIO):
    """A stream to which a second node writes whenever the first one is shown."""

    display: Display | None = None

    def write(self, text: str) -> int:
        if self.display and "[node-1]" in text:
            self.display(Output(ATTEMPTS[1], Stream.STDOUT, b"more\n"))
        return super().write(text)


def begun(folder: Path, stdout: io.StringIO, *, group: bool) -> Display:
    """A run that has two jobs running, each of which has written a line."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", stdout)
        made = display(Settings(group=group), Statistics(), folder)
    made(events.RunStarted("r", "queue", 7, "here", "me", {}, NODES))
    for attempt in ATTEMPTS:
        made(events.AttemptStarted(attempt))
        made(Output(attempt, Stream.STDOUT, b"line\n"))
    return made


def left_running() -> RunResult:
    result = RunResult()
    for attempt in ATTEMPTS:
        result(events.AttemptStarted(attempt))
    return result


@pytest.mark.parametrize("group", [False, True])
def test_nothing_of_a_job_that_was_left_running_stands_below_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], group: bool
) -> None:
    stdout = io.StringIO()
    shown = begun(tmp_path, stdout, group=group)
    shown.end(left_running())
    before = stdout.getvalue()
    assert before.splitlines() == [
        "[node-1] === run 'make' === (job 1)",
        "[node-1] line",
        "[node-2] === run 'make' === (job 2)",
        "[node-2] line",
    ]
    shown(Output(ATTEMPTS[0], Stream.STDOUT, b"late\n"))
    shown(events.AttemptEnded(ATTEMPTS[0], Ending.exited(1)))
    shown.say("a hook has failed")
    assert stdout.getvalue() == before
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "[pegasus] left 2 commands running, for the nodes to end:"
    assert err[-1] == "[pegasus] a hook has failed"


def test_what_is_held_does_not_grow_while_it_is_shown_at_the_end(tmp_path: Path) -> None:
    stdout = Prompting()
    stdout.display = shown = begun(tmp_path, stdout, group=True)
    shown.end(left_running())
    assert "[node-2] line" in stdout.getvalue()
    assert "more" not in stdout.getvalue()
