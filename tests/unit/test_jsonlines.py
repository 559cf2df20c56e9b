"""A run as JSON: what a program reads on stdout, held together with docs/json.md."""

from __future__ import annotations

import io
import json
import re
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_tables import tables, values

from pegasus import events
from pegasus.errors import (
    HostsFileError,
    NeverStartedError,
    ProblemsError,
    QueueFileError,
    StorageError,
)
from pegasus.events import Event, Output, Stream
from pegasus.model import Attempt, Ending, Host, Job, Need, Node, Outcome, Place
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.statistics import Statistics
from pegasus.terminal.display import display
from pegasus.terminal.jsonlines import VERSION, JsonDisplay
from pegasus.terminal.lines import verbatim
from pegasus.terminal.lines.verbatim import VerbatimSplitter

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
NODE = Node(0, Host("gpu-1", "gpu-1"), (("gpu", "0"),))
NAME = {"node": "gpu-1 (gpu=0)", "index": 0}
JOB = Job("train", id=7)
ATTEMPT = Attempt(1, JOB, NODE, "train")
AGAIN = Attempt(2, JOB, NODE, "train", repeats=1)
LOST = NeverStartedError(NODE, "session", "refused")
STARTED = events.RunStarted("5f0c91ab", "queue", 7, "here", "me", {}, (NODE,))

#: One of each event; `summary` and `run_ended` come at the end.
SAMPLES: list[Event] = [
    events.LockAwaited("pid 7 (inv lock)"),
    events.RunDied("0000000a", (JOB,)),
    events.NodeConnected(NODE),
    events.NodeUnreachable(NODE, LOST),
    events.NodeDisconnected(NODE, "reset"),
    events.NodeLost(NODE, "gone"),
    events.NodeAdded(NODE),
    events.NodeDrained(NODE, removed=True),
    events.NodeUndrained(NODE),
    events.HostsRefused(HostsFileError("is wrong", Place("hosts.yaml", 2, 3))),
    events.HostsMended(),
    events.JobsUnfit((events.Unfit(Need(16), 3, Place("queue.yaml", 12, 3), "too many"),)),
    events.Paused(2),
    events.Resumed(),
    events.QueueCounted(3),
    events.QueueRefused(QueueFileError("is wrong", Place("queue.yaml", 2, 3))),
    events.QueueMended(),
    events.Waiting(),
    events.JobsTaken((JOB,)),
    events.AttemptStarted(ATTEMPT),
    events.AttemptAnnounced(ATTEMPT, 4711),
    Output(ATTEMPT, Stream.STDOUT, b"one\n"),
    events.AttemptEnded(ATTEMPT, Ending.exited(1), again=True),
    events.NeverStarted(AGAIN, LOST),
    events.CancelCommandEnded(ATTEMPT, "no docker"),
    events.JobRequeued(JOB, LOST),
    events.RoundEnded(JOB, ((ATTEMPT, Ending.exited(1)),)),
    events.Draining(1),
    events.Cancelling(1),
    events.NotBegun(),
    events.Aborted(),
    events.RunEnded("5f0c91ab", 5, None),
]


class Reader:
    """A JSON display on two buffers, and who reads them."""

    def __init__(self, *, begun: bool = True, out: io.StringIO | None = None, **told: Any) -> None:
        self._out, self._err = out or io.StringIO(), io.StringIO()
        self.result = RunResult()
        settings = Settings(output="json", **told)
        self.display = JsonDisplay(settings, Statistics(), self._out, self._err)
        if begun:
            self.show(STARTED)

    def show(self, *shown: Event) -> None:
        for event in shown:
            self.result(event)
            self.display(event)

    def end(self) -> None:
        self.show(events.RunEnded("5f0c91ab", self.result.exit_status, None))
        self.display.end(self.result)

    @property
    def all(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self._out.getvalue().splitlines()]
        for one in found:
            assert [*one][:3] == ["event", "at", "run"]
            assert datetime.fromisoformat(one["at"]).tzinfo
        return found

    @property
    def objects(self) -> list[dict[str, Any]]:
        """All but the first."""
        return self.all[1:]

    def texts(self, stream: str = "stdout") -> list[str]:
        return [
            one["text"]
            for one in self.objects
            if one["event"] == "output" and one["stream"] == stream
        ]

    @property
    def err(self) -> str:
        return self._err.getvalue()


def out(data: bytes, stream: Stream = Stream.STDOUT, attempt: Attempt = ATTEMPT) -> Output:
    return Output(attempt, stream, data)


def test_there_is_a_sample_of_each_event() -> None:
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type)}
    kinds = {kind for kind in kinds if issubclass(kind, Event) and kind is not Event}
    assert {type(event) for event in SAMPLES} == kinds - {events.RunStarted}


def test_each_event_has_the_fields_that_the_page_says() -> None:
    documented = {
        values(row[0])[0]: values(row[1])
        for table in tables(PAGE)
        for row in table
        if len(row) == 3
    }
    reader = Reader()
    reader.show(*SAMPLES)
    reader.end()
    told = {one["event"]: [*one][3:] for one in reader.all}
    assert {name: set(fields) for name, fields in told.items()} == {
        name: set(fields) for name, fields in documented.items()
    }


def test_the_summary_and_the_endings_of_a_round_have_what_the_page_says() -> None:
    reader = Reader()
    reader.show(*SAMPLES)
    reader.end()
    (summary,) = [one for one in reader.all if one["event"] == "summary"]
    (described,) = re.findall(r"## The summary\n(.*)", PAGE, re.S)
    assert [*summary][3:] == [values(row[0])[0] for row in tables(described)[0]]
    (ended,) = [one for one in reader.all if one["event"] == "round_ended"]
    text = next(line for line in PAGE.splitlines() if line.startswith("| `round_ended`"))
    assert [*ended["endings"][0]] == values(text.split("objects of")[1])


def test_the_page_names_the_version_and_it_stands_in_the_first_line() -> None:
    first = Reader().all[0]
    assert (first["event"], first["version"], first["run"]) == ("run_started", VERSION, "5f0c91ab")
    assert f"`version` of this form is {VERSION};" in PAGE


def test_an_attempt_is_told_from_its_start_to_its_end() -> None:
    reader = Reader()
    reader.show(
        events.AttemptStarted(ATTEMPT),
        out(b"one\ntw"),
        out("grüße\n".encode(), Stream.STDERR),
        out(b"o"),
        events.AttemptEnded(ATTEMPT, Ending.exited(3)),
    )
    started, *output, ended = reader.objects
    assert [(one["stream"], one["text"]) for one in output] == [
        ("stdout", "one\n"),
        ("stderr", "grüße\n"),
        ("stdout", "two"),
    ]
    assert all({"job": 7, "attempt": 1, **NAME}.items() <= one.items() for one in reader.objects)
    assert (ended["started"], ended["stdout"], ended["stderr"]) == (started["at"], 7, 8)
    assert (ended["outcome"], ended["exit_status"]) == ("failed", 3)


def test_output_is_in_ascii_and_what_is_no_utf8_is_replaced() -> None:
    reader = Reader()
    reader.show(out("ü\x1b[2J\x9b".encode() + b"\xff\xc3\n"))
    assert reader.texts() == ["ü\x1b[2J\x9b\ufffd\ufffd\n"]
    assert reader._out.getvalue().isascii()
    assert "\x1b" not in reader._out.getvalue()


def test_a_command_that_is_no_text_does_not_break_the_line() -> None:
    reader = Reader()
    reader.show(events.AttemptStarted(Attempt(1, JOB, NODE, "echo \udcff\n\x00")))
    assert reader.objects[0]["command"] == "echo \udcff\n\x00"


@pytest.mark.parametrize(
    ("chunks", "pieces"),
    [
        ([b"a\r\nb\rc\n"], ["a\r\n", "b\r", "c\n"]),
        ([b"a\r", b"\nb"], ["a\r\n", "b"]),
        ([b"a\r", b"b\r"], ["a\r", "b\r"]),
        ([b"\xe2\x82", b"\xac\n"], ["€\n"]),
        ([b"a\xe2\x82"], ["a\ufffd"]),
        ([b"", b"\n\n"], ["\n", "\n"]),
        (["a\u2028b\x0bc\n".encode()], ["a\u2028b\x0bc\n"]),
    ],
)
def test_lines_keep_their_ends_wherever_the_chunks_are_cut(
    chunks: list[bytes], pieces: list[str]
) -> None:
    splitter = VerbatimSplitter()
    found = [piece for chunk in chunks for piece in splitter.feed(chunk)]
    assert found + splitter.finish() == pieces


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"\r", b"\n", b"\r\n", b"\xc3"])))
def test_the_pieces_put_together_are_the_text(chunks: list[bytes]) -> None:
    splitter = VerbatimSplitter()
    pieces = [piece for chunk in chunks for piece in splitter.feed(chunk)] + splitter.finish()
    text = b"".join(chunks).decode(errors="replace")
    assert "".join(pieces) == text
    whole = VerbatimSplitter()
    assert pieces == whole.feed(b"".join(chunks)) + whole.finish()


def test_a_line_without_an_end_is_told_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbatim, "LONGEST", 10)
    splitter = VerbatimSplitter()
    assert splitter.feed(b"x" * 7) == []
    assert splitter.feed(b"x" * 7) == ["x" * 14]
    assert splitter.feed(b"y\nz") == ["y\n"]
    assert splitter.finish() == ["z"]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({}, "1234567"),
        ({"print_period": 3}, "36"),
        ({"print_period": 0}, ""),
        ({"quiet": True}, ""),
    ],
)
def test_settings_leave_out_output_and_nothing_else(told: dict[str, Any], shown: str) -> None:
    reader = Reader(**told)
    reader.show(events.AttemptStarted(ATTEMPT))
    reader.show(out(b"1\n2\n"), out(b"3\n4\n5\n6\n"), out(b"7"))
    reader.show(events.AttemptEnded(ATTEMPT, Ending.exited(0)))
    assert "".join(text.strip() for text in reader.texts()) == shown
    names = [one["event"] for one in reader.objects if one["event"] != "output"]
    assert names == ["attempt_started", "attempt_ended"]
    assert reader.objects[-1]["stdout"] == 13


def test_the_end_is_the_last_line_with_the_summary_before_it() -> None:
    reader = Reader()
    running = Attempt(1, Job("sleep", id=8), NODE, "sleep")
    reader.show(
        events.AttemptStarted(ATTEMPT),
        events.AttemptEnded(ATTEMPT, Ending.exited(1), again=True),
        events.AttemptStarted(AGAIN),
        events.AttemptEnded(AGAIN, Ending(Outcome.TIMED_OUT)),
        events.AttemptStarted(running),
        out(b"half a line", attempt=running),
    )
    reader.end()
    reader.show(out(b"too late\n", attempt=running), events.Waiting())
    *_, left, summary, ended = reader.objects
    assert left["text"] == "half a line"
    assert summary["outcomes"] == {
        **dict.fromkeys((outcome.value for outcome in Outcome), 0),
        "timed out": 1,
    }
    assert summary["repeated"] == 1
    assert summary["left_running"] == [{"job": 8, "attempt": 1, **NAME}]
    assert summary["wall"] >= 0
    assert (ended["event"], ended["interrupted"]) == ("run_ended", None)
    assert ended["exit_status"] == reader.result.exit_status


def test_what_comes_before_the_beginning_is_said_on_stderr() -> None:
    reader = Reader(begun=False)
    reader.show(events.LockAwaited("pid 7 (inv lock)"))
    reader.display.say("the disk is full")
    reader.end()
    assert reader.all == []
    assert reader.err == (
        "[pegasus] waiting for the queue: it is locked by pid 7 (inv lock)\n"
        "[pegasus] the disk is full\n"
    )


def test_all_problems_of_a_queue_are_told_with_their_places() -> None:
    reader = Reader()
    wrong = QueueFileError("is wrong", Place("queue.yaml", 2, 3))
    for error in (ProblemsError([wrong, wrong]), StorageError("can't be read")):
        reader.show(events.QueueRefused(error))
    placed = {"file": "queue.yaml", "line": 2, "column": 3, "problem": "is wrong"}
    nowhere = {"file": None, "line": None, "column": None, "problem": "can't be read"}
    assert [one["problems"] for one in reader.objects] == [[placed, placed], [nowhere]]


def test_a_run_that_died_is_named_as_in_the_journal() -> None:
    reader = Reader()
    reader.show(events.RunDied("0000000a", (JOB,)))
    (died,) = reader.objects
    assert (died["run"], [job["job"] for job in died["jobs"]]) == ("0000000a", [7])


class BrokenPipe(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_has_gone_is_told_of_once_and_the_run_goes_on() -> None:
    reader = Reader(out=BrokenPipe())
    reader.show(*SAMPLES)
    reader.end()
    assert reader.err.count("Broken pipe") == 1


def test_lines_of_different_threads_are_whole() -> None:
    reader = Reader()

    def shout(number: int) -> None:
        attempt = Attempt(number, JOB, NODE, "shout")
        for _ in range(100):
            reader.show(out(b"x" * 500 + b"\nhalf", attempt=attempt), out(b"\n", attempt=attempt))

    threads = [threading.Thread(target=shout, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reader.texts(), key=len) == ["half\n"] * 800 + ["x" * 500 + "\n"] * 800


def test_the_settings_choose_it(tmp_path: Path) -> None:
    chosen = display(Settings(output="json"), Statistics(), tmp_path)
    assert isinstance(chosen, JsonDisplay)
    assert not isinstance(display(Settings(), Statistics(), tmp_path), JsonDisplay)
