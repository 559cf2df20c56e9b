"""`--gather` and `--diff`: the same output of several nodes is printed once."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pegasus import events
from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Event, Output, RoundEnded, RunStarted, Stream
from pegasus.model import Attempt, Ending, Host, Job, Node
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer
from pegasus.terminal.rounds import differing, spooling
from pegasus.terminal.rounds.results import Rounds
from pegasus.terminal.rounds.spooling import Captured, Spool
from pegasus.terminal.screen import Screen

RULE = "-" * 15
OK = Ending.exited(0)


def node(number: int) -> Node:
    name = f"node-{number}"
    return Node(number, Host(name, name))


class Round:
    """A broadcast of one job on some nodes, and what is shown of it."""

    def __init__(self, folder: Path, nodes: int = 4, **told: Any) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        screen = Screen(self._out, self._err)
        settings = Settings(**{"gather": True, **told})
        printer = Printer(screen, settings.print_period, quiet=settings.quiet)
        self.rounds = Rounds(screen, printer, settings, folder)
        self.nodes = [node(number) for number in range(1, nodes + 1)]
        self.job = Job("make", id=3)
        self.endings: dict[Node, tuple[Attempt, Ending]] = {}
        self._numbers = 0
        self.show(RunStarted("r", "broadcast", 7, "here", "me", {}, tuple(self.nodes)))

    def show(self, *shown: Event) -> None:
        for event in shown:
            self.rounds(event)

    def begin(self, where: Node, command: str = "make", after: Attempt | None = None) -> Attempt:
        self._numbers += 1
        repeats = after.number if after else 0
        attempt = Attempt(self._numbers, self.job, where, command, repeats)
        self.show(events.AttemptStarted(attempt))
        return attempt

    def begin_all(self) -> list[Attempt]:
        return [self.begin(where) for where in self.nodes]

    def write(self, attempt: Attempt, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        self.show(Output(attempt, stream, data))

    def end(self, attempt: Attempt, ending: Ending = OK, *, again: bool = False) -> None:
        self.endings[attempt.node] = attempt, ending
        self.show(events.AttemptEnded(attempt, ending, again))

    def run(self, *outputs: bytes, stream: Stream = Stream.STDOUT) -> None:
        """A round in which each node writes something, and that is all."""
        for attempt, data in zip(self.begin_all(), outputs, strict=True):
            self.write(attempt, data, stream)
            self.end(attempt)
        self.over()

    def over(self) -> None:
        self.show(RoundEnded(self.job, tuple(self.endings.values())))

    @property
    def out(self) -> list[str]:
        return self._out.getvalue().splitlines()

    @property
    def err(self) -> list[str]:
        return self._err.getvalue().splitlines()


ALL = "[node-[1-4] (4)] === run 'make' === (job 3)"
ALL_WELL = "[pegasus] job 3: node-[1-4] (4): exit status: 0"


def test_the_same_output_is_shown_once_the_commonest_first(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    shown.run(b"other\n", b"one\ntwo\n", b"one\ntwo\n", b"one\ntwo\n")
    assert shown.out == [
        ALL,
        RULE,
        "node-[2-4] (3):",
        "one",
        "two",
        RULE,
        "node-1:",
        "other",
    ]
    assert shown.err == [ALL_WELL]


def test_stderr_is_compared_by_itself_and_shown_there(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    for number, attempt in enumerate(shown.begin_all()):
        shown.write(attempt, b"same\n")
        shown.write(attempt, f"oops {number % 2}\n".encode(), Stream.STDERR)
        shown.end(attempt)
    shown.over()
    assert shown.out == [ALL, RULE, "node-[1-4] (4):", "same"]
    even = [RULE, "node-[1,3] (2), stderr:", "oops 0"]
    odd = [RULE, "node-[2,4] (2), stderr:", "oops 1"]
    assert shown.err == [*even, *odd, ALL_WELL]


def test_what_is_run_is_shown_once_all_nodes_have_begun(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    for where in shown.nodes[:3]:
        shown.begin(where)
    assert shown.out == []
    shown.begin(shown.nodes[3], "make -j")
    assert shown.out == [
        "[node-[1-3] (3)] === run 'make' === (job 3)",
        "[node-4] === run 'make -j' === (job 3)",
    ]


def test_a_node_that_was_not_reached_is_not_waited_for(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    lost = UnreachableError(shown.nodes[3], "connect", "refused")
    shown.show(events.NodeUnreachable(shown.nodes[3], lost, skipped=True))
    for where in shown.nodes[:3]:
        shown.begin(where)
    assert shown.out == ["[node-[1-3] (3)] === run 'make' === (job 3)"]


def test_nodes_that_write_nothing_are_named_and_no_empty_text_is_shown(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    shown.run(b"", b"one\n", b"", b"")
    assert shown.out == [ALL, RULE, "node-2:", "one"]
    assert shown.err == ["[pegasus] job 3: node-[1,3-4] (3): no output", ALL_WELL]


def test_outputs_are_compared_byte_by_byte(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    shown.run(b"\xff\n", b"\xfe\n", b"x\n", b"x")
    assert [line for line in shown.out if line.startswith("node-")] == [
        "node-1:",
        "node-2:",
        "node-3:",
        "node-4:",
    ]
    assert shown.out[-2:] == ["node-4:", "x"]


def test_nodes_are_named_in_the_order_of_their_file_whoever_was_first(tmp_path: Path) -> None:
    shown = Round(tmp_path, nodes=2)
    shown.nodes = [Node(n, Host("gpu", "gpu"), (("n", str(n)),)) for n in (2, 1)]
    shown.run(b"same\n", b"same\n")
    assert shown.out[2] == "gpu (n=1), gpu (n=2) (2):"


def test_an_attempt_that_was_made_good_is_shown_with_its_ending(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    firsts = shown.begin_all()
    for first in firsts[:2]:
        shown.write(first, b"failed\n")
        shown.end(first, Ending.exited(1), again=True)
        second = shown.begin(first.node, after=first)
        shown.write(second, b"done\n")
        shown.end(second)
    for first in firsts[2:]:
        shown.write(first, b"done\n")
        shown.end(first)
    shown.over()
    assert shown.out == [
        ALL,
        RULE,
        "node-[1-2] (2), try 1: exit status: 1:",
        "failed",
        RULE,
        "node-[1-4] (4):",
        "done",
    ]


def test_attempts_that_never_started_are_folded_too(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    for attempt in shown.begin_all():
        error = NeverStartedError(attempt.node, "session", "refused")
        shown.show(events.NeverStarted(attempt, error))
    shown.show(RoundEnded(shown.job, ()))
    assert shown.out == [ALL, "[node-[1-4] (4)] === not started (refused) ==="]


def test_what_is_held_is_shown_when_the_run_leaves(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    attempts = shown.begin_all()
    for attempt in attempts:
        shown.write(attempt, b"so far\n")
    shown.end(attempts[0])
    shown.rounds.release()
    assert shown.out == [
        ALL,
        RULE,
        "node-[2-4] (3), unfinished:",
        "so far",
        RULE,
        "node-1:",
        "so far",
    ]
    shown.write(attempts[1], b"late\n")
    assert shown.out[-1] == "[node-2] late"
    again = shown.begin(shown.nodes[0])
    shown.write(again, b"at once\n")
    assert shown.out[-1] == "[node-1] at once"
    before = len(shown.out)
    shown.rounds.release()
    assert len(shown.out) == before


def test_the_output_of_a_late_cancel_command_is_shown_at_once(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    (attempt, *_) = shown.begin_all()
    shown.end(attempt)
    shown.write(attempt, b"stopped\n")
    shown.show(events.CancelCommandEnded(attempt))
    assert shown.out == [ALL, "[node-1] stopped"]


@pytest.mark.parametrize(("period", "lines"), [(2, ["b", "d"]), (0, None)])
def test_a_print_period_thins_out_what_is_shown(
    tmp_path: Path, period: int, lines: list[str] | None
) -> None:
    shown = Round(tmp_path, print_period=period)
    shown.run(*[b"a\nb\nc\nd\n"] * 4)
    expected = [] if lines is None else [RULE, "node-[1-4] (4):", *lines]
    assert shown.out == [ALL, *expected]


def test_quiet_shows_what_failed_and_no_output(tmp_path: Path) -> None:
    shown = Round(tmp_path, quiet=True)
    for attempt in shown.begin_all():
        shown.write(attempt, b"noise\n")
        shown.end(attempt, Ending.exited(int(attempt.number > 2)))
    shown.over()
    assert shown.out == ["[node-[3-4] (2)] === run 'make' === (job 3)"]
    shown.endings.clear()
    shown.run(*[b"noise\n"] * 4)
    assert len(shown.out) == 1
    assert len(shown.err) == 2


def test_each_round_is_shown_by_itself(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    shown.run(*[b"one\n"] * 4)
    shown.job = Job("make", id=4)
    shown.run(*[b"two\n"] * 4)
    assert shown.out[4:] == [ALL.replace("3)", "4)"), RULE, "node-[1-4] (4):", "two"]


def test_much_output_waits_in_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    shown = Round(tmp_path)
    attempts = shown.begin_all()
    text = "".join(f"line {number}\n" for number in range(20_000))
    half = len(text) // 2
    before = open_files()
    for attempt in attempts:
        shown.write(attempt, text[:half].encode())
    (file,) = open_files() - before  # One for all of them.
    status = os.fstat(file)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size >= 4 * half
    assert os.listdir(tmp_path) == []
    for attempt in attempts:
        shown.write(attempt, text[half:].encode())
        shown.end(attempt)
    shown.over()
    assert shown.out == [ALL, RULE, "node-[1-4] (4):", *text.splitlines()]
    assert open_files() == before


def open_files() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd") if is_open(int(name))}


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_what_can_not_be_held_is_shown_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Round(tmp_path, nodes=2)
    first, second = shown.begin_all()
    shown.write(second, b"small\n")
    monkeypatch.setattr(Spool, "write", full)
    big = b"x" * 99 + b"\n"
    shown.write(first, b"before\n")
    shown.write(first, big * 200)
    shown.write(first, b"after\n")
    assert shown.out[1:] == [
        "[node-1] === run 'make' === (job 3)",
        "[node-1] before",
        *["[node-1] " + "x" * 99] * 200,
        "[node-1] after",
    ]
    shown.end(first)
    shown.end(second)
    shown.over()
    assert shown.out[-4:] == [
        "[node-1] === done (exit status: 0) === (job 3)",
        RULE,
        "node-2:",
        "small",
    ]


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_output_that_can_not_be_read_again_is_said_to_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Round(tmp_path)
    monkeypatch.setattr(Spool, "read", full)
    shown.run(*[b"x" * spooling.IN_MEMORY] * 4)
    assert "can't be read" in shown.err[0]
    assert shown.err[1:] == [ALL_WELL]


def test_many_threads_may_write(tmp_path: Path) -> None:
    shown = Round(tmp_path, nodes=8)
    attempts = shown.begin_all()

    def work(attempt: Attempt) -> None:
        for number in range(500):
            shown.write(attempt, f"{number} {'x' * 90}\n".encode())
        shown.end(attempt)

    threads = [threading.Thread(target=work, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown.over()
    assert shown.out[2] == "node-[1-8] (8):"
    assert len(shown.out) == 503


# --diff


def test_the_commonest_is_shown_and_how_the_others_differ(tmp_path: Path) -> None:
    shown = Round(tmp_path, gather=False, diff=True)
    shown.run(b"a\nx\nc\n", b"a\nb\nc\n", b"a\nb\nc\n", b"a\nb\nc")
    assert shown.out[1:] == [
        RULE,
        "node-[2-3] (2):",
        "a",
        "b",
        "c",
        RULE,
        "node-1:",
        "--- node-[2-3] (2)",
        "+++ node-1",
        "@@ -1,3 +1,3 @@",
        " a",
        "-b",
        "+x",
        " c",
        RULE,
        "node-4:",
        "--- node-[2-3] (2)",
        "+++ node-4",
        "@@ -1,3 +1,3 @@",
        " a",
        " b",
        "-c",
        "+c",
        "\\ No newline at the end",
    ]


def test_where_most_write_nothing_the_others_are_shown_whole(tmp_path: Path) -> None:
    shown = Round(tmp_path, diff=True)
    shown.run(b"", b"", b"one\n", b"two\n")
    assert shown.out[1:] == [RULE, "node-3:", "one", RULE, "node-4:", "two"]


def numbered(lines: Iterable[int]) -> bytes:
    return b"".join(b"%d\n" % number for number in lines)


def captured(folder: Path, data: bytes) -> Captured:
    output = Captured(Spool(folder))
    output.add(data)
    return output


def compare(folder: Path, ours: bytes, theirs: bytes) -> tuple[list[str], str]:
    reference = differing.Reference("most", captured(folder, ours))
    lines, more = reference.differences("one", captured(folder, theirs))
    assert lines[:2] == ["--- most", "+++ one"]
    return lines[2:], more


def test_the_numbers_of_lines_are_right_far_down(tmp_path: Path) -> None:
    long = numbered(range(1, 5001))
    lines, more = compare(tmp_path, long, long.replace(b"\n4000\n", b"\nnew\nlines\n"))
    assert lines == [
        "@@ -3997,7 +3997,8 @@",
        *(" 3997", " 3998", " 3999", "-4000", "+new", "+lines", " 4001", " 4002", " 4003"),
    ]
    assert more == ""


@pytest.mark.parametrize(
    ("ours", "theirs", "hunk"),
    [
        (b"", b"a\n", ["@@ -0,0 +1 @@", "+a"]),
        (b"a\na\n", b"a\n", ["@@ -1,2 +1 @@", " a", "-a"]),
        (b"a\r\n", b"a\n", ["@@ -1 +1 @@", r"-a\r", "+a"]),
        (b"\xff\n", b"\xfe\n", ["@@ -1 +1 @@", r"-\xff", r"+\xfe"]),
        (b"a\n", b"a\n\n", ["@@ -1 +1,2 @@", " a", "+"]),
    ],
)
def test_whatever_differs_is_seen(
    tmp_path: Path, ours: bytes, theirs: bytes, hunk: list[str]
) -> None:
    assert compare(tmp_path, ours, theirs) == (hunk, "")


def test_what_can_not_be_compared_in_time_is_said_to_differ(tmp_path: Path) -> None:
    most = differing.MOST_LINES
    ours, theirs = numbered(range(most + 9)), numbered(range(8, most + 17))
    assert compare(tmp_path, ours, theirs) == (
        [],
        "they differ from line 1 on, in too many lines to compare",
    )
    large = b"x" * (differing.LARGEST + 1)
    assert "too many to compare" in compare(tmp_path, large, b"y")[1]
    assert "binary" in compare(tmp_path, b"a\0", b"b\0")[1]
    assert "no text" in compare(tmp_path, b"\xff", b"\\xff")[1]


def test_comparing_with_many_is_bounded_too(tmp_path: Path) -> None:
    lines = 1000
    reference = differing.Reference("most", captured(tmp_path, numbered(range(lines))))
    other = captured(tmp_path, numbered(range(lines, 2 * lines)))
    reference._work = differing.MOST_WORK - lines**2
    assert reference.differences("one", other)[0][2].startswith("@@")
    assert "too many lines" in reference.differences("one", other)[1]


def test_a_long_difference_is_cut_and_the_log_is_named(tmp_path: Path) -> None:
    shown = Round(tmp_path, nodes=3, diff=True)
    shown.run(*[numbered(range(500))] * 2, numbered(range(500, 1000)))
    assert shown.out[-1] == f"… 801 more lines of difference; {tmp_path}/logs/3.3.out"
    assert len(shown.out) < 1000
