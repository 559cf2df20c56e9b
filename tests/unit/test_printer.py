"""What a run prints, and on which stream."""

from __future__ import annotations

import io
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pegasus import events
from pegasus.errors import NeverStartedError, QueueFileError, UnreachableError
from pegasus.events import Output, Stream
from pegasus.model import ONE_SLOT, Attempt, Ending, Host, Job, Node, Outcome, Place, Slots
from pegasus.terminal import holding
from pegasus.terminal.lines import splitter
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen

NODE = Node(0, Host("node-1", "node-1"), (("gpu", "0"), ("zone", "b")))
PLAIN = Node(1, Host("node-2", "node-2"))


class Terminal:
    """A printer on two buffers."""

    def __init__(self, print_period: int = 1, **more: Any) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        self.printer = Printer(Screen(self._out, self._err), print_period, **more)

    def show(self, *shown: events.Event) -> None:
        for event in shown:
            self.printer(event)

    @property
    def out(self) -> list[str]:
        return self._out.getvalue().splitlines()

    @property
    def err(self) -> list[str]:
        return self._err.getvalue().splitlines()


def attempt(node: Node = NODE, command: str = "echo hi", number: int = 1) -> Attempt:
    return Attempt(number, Job(command), node, command)


def test_output_goes_to_its_own_stream_with_the_node_in_front() -> None:
    terminal = Terminal()
    terminal.show(
        Output(attempt(), Stream.STDOUT, b"one\ntwo\n"),
        Output(attempt(), Stream.STDERR, b"oops\n"),
        Output(attempt(PLAIN, number=2), Stream.STDOUT, b"three\n"),
    )
    assert terminal.out == [
        "[node-1 (gpu=0,zone=b)] one",
        "[node-1 (gpu=0,zone=b)] two",
        "[node-2] three",
    ]
    assert terminal.err == ["[node-1 (gpu=0,zone=b)] oops"]


def test_a_job_is_framed_and_its_unterminated_last_line_is_kept() -> None:
    terminal = Terminal()
    terminal.show(
        events.AttemptStarted(attempt(PLAIN)),
        Output(attempt(PLAIN), Stream.STDOUT, b"no newline"),
        events.AttemptEnded(attempt(PLAIN), Ending.exited(3)),
    )
    assert terminal.out == [
        "[node-2] === run 'echo hi' ===",
        "[node-2] no newline",
        "[node-2] === done (exit status: 3) ===",
    ]


def test_the_frame_of_a_job_names_its_id_behind_what_it_always_said() -> None:
    terminal = Terminal()
    job = Attempt(1, Job("x", id=7), PLAIN, "x")
    terminal.show(events.AttemptStarted(job), events.AttemptEnded(job, Ending.exited(0)))
    assert terminal.out == [
        "[node-2] === run 'x' === (job 7)",
        "[node-2] === done (exit status: 0) === (job 7)",
    ]


def test_the_frame_of_a_repeated_job_says_which_try_it_is() -> None:
    terminal = Terminal()
    # In a broadcast, numbers are shared by nodes; an attempt that never starts is no try.
    tries = [Attempt(n, Job("x", id=7), PLAIN, "x", before) for n, before in ((3, 0), (5, 3))]
    tries += [Attempt(6, Job("x", id=7), PLAIN, "x", 5), Attempt(7, Job("x", id=7), PLAIN, "x", 5)]
    for attempt in tries:
        terminal.show(events.AttemptStarted(attempt))
    terminal.show(events.AttemptEnded(tries[-1], Ending.exited(1)))
    assert [line.partition("=== (")[2] for line in terminal.out] == [
        "job 7)",
        "job 7, try 2)",
        "job 7, try 3)",
        "job 7, try 3)",
        "job 7, try 3)",
    ]


def test_the_output_of_a_late_cancel_command_is_shown_to_its_end() -> None:
    terminal = Terminal()
    job = Attempt(1, Job("x", id=7), PLAIN, "x")
    terminal.show(
        Output(job, Stream.STDOUT, b"stopped"),
        events.CancelCommandEnded(job),
        events.CancelCommandEnded(job, "the cancel command failed: exit status: 1"),
    )
    assert terminal.out == ["[node-2] stopped"]
    assert terminal.err == [
        "[pegasus] [node-2] the cancel command of job 7 has been run",
        "[pegasus] [node-2] job 7 may go on there: the cancel command failed: exit status: 1",
    ]


def test_each_line_of_a_long_command_has_the_node_in_front() -> None:
    terminal = Terminal()
    terminal.show(events.AttemptStarted(attempt(PLAIN, "a\nb\rc")))
    assert terminal.out == ["[node-2] === run 'a", "[node-2] b", "[node-2] c' ==="]


def test_a_job_that_did_not_begin_is_framed_too() -> None:
    terminal = Terminal()
    error = NeverStartedError(PLAIN, "session", "refused")
    terminal.show(events.NeverStarted(attempt(PLAIN), error))
    assert terminal.out == ["[node-2] === not started (refused) ==="]


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending.exited(0), "exit status: 0"),
        (Ending.exited(255), "exit status: 255"),
        (Ending(Outcome.SIGNALLED, exit_signal="KILL"), "killed by signal KILL"),
        (Ending(Outcome.TIMED_OUT, detail="after 90 s"), "timed out: after 90 s"),
        (Ending(Outcome.CANCELLED), "cancelled"),
        (Ending(Outcome.LOST, detail="reset by peer"), "lost: reset by peer"),
    ],
)
def test_the_closing_line_says_how_it_ended(ending: Ending, text: str) -> None:
    terminal = Terminal()
    terminal.show(events.AttemptEnded(attempt(PLAIN), ending))
    assert terminal.out == [f"[node-2] === done ({text}) ==="]


@pytest.mark.parametrize(
    ("period", "shown"), [(1, "123456789"), (3, "369"), (4, "48"), (10, ""), (0, "")]
)
def test_every_nth_line_of_a_stream_is_printed(period: int, shown: str) -> None:
    terminal = Terminal(period)
    for chunk in (b"1\n2\n", b"3\n4\n5\n6\n7\n", b"8\n9\n"):
        terminal.show(Output(attempt(PLAIN), Stream.STDOUT, chunk))
    assert "".join(line[-1] for line in terminal.out) == shown


def test_a_print_period_leaves_the_frame() -> None:
    terminal = Terminal(0)
    terminal.show(
        events.AttemptStarted(attempt(PLAIN)),
        Output(attempt(PLAIN), Stream.STDOUT, b"hidden\n"),
        events.AttemptEnded(attempt(PLAIN), Ending.exited(0)),
    )
    assert len(terminal.out) == 2


def test_our_own_messages_go_to_stderr() -> None:
    terminal = Terminal()
    terminal.show(
        events.NodeConnected(PLAIN),
        events.NodeConnected(Node(2, Host("localhost", "localhost"))),
        events.NodeUnreachable(PLAIN, UnreachableError(PLAIN, "connect", "refused")),
        events.NodeUnreachable(PLAIN, UnreachableError(PLAIN, "auth", "no key"), skipped=True),
        events.NodeDisconnected(PLAIN, "broken pipe"),
        events.NodeLost(PLAIN, "reset"),
        events.NotBegun(),
        events.JobRequeued(Job("echo"), NeverStartedError(PLAIN, "session", "refused")),
        events.LockAwaited("pid 7 (inv lock)"),
        events.QueueRefused(QueueFileError("is wrong", Place("queue.yaml", 2, 3))),
        events.QueueMended(),
        events.Waiting(),
        events.Draining(2),
        events.Draining(0),
        events.Cancelling(1),
        events.Cancelling(0),
        events.Aborted(),
    )
    assert terminal.out == []
    text = "\n".join(terminal.err)
    assert "[node-2] connected" in text
    assert "[localhost] runs here, without SSH" in text
    assert "can't connect: [node-2] connect: refused" in text
    assert "auth: no key; going on without it" in text
    assert "[pegasus] lost: [node-2] broken pipe; connecting again" in terminal.err
    assert "queue.yaml:2:3: is wrong" in text
    assert "locked by pid 7 (inv lock)" in text
    assert "waiting for 2 running commands" in text
    assert "cancelling 1 running command\n" in text
    assert "ending; no command runs" in text
    assert all(line.startswith("[") for line in terminal.err)


def test_lines_of_different_threads_do_not_mix() -> None:
    terminal = Terminal()

    def shout(number: int) -> None:
        letter = chr(ord("a") + number).encode()
        for _ in range(200):
            event = Output(attempt(PLAIN, number=number), Stream.STDOUT, letter * 500 + b"\n")
            terminal.show(event)

    threads = [threading.Thread(target=shout, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(terminal.out) == 1600
    assert all(len(set(line.removeprefix("[node-2] "))) == 1 for line in terminal.out)


class BrokenPipe(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_has_gone_stops_the_printing_and_not_the_run() -> None:
    err = io.StringIO()
    printer = Printer(Screen(BrokenPipe(), err))
    for _ in range(3):
        printer(Output(attempt(PLAIN), Stream.STDOUT, b"x\n"))
    assert err.getvalue().count("Broken pipe") == 1


def test_text_that_the_terminal_can_not_show_is_shown_in_escapes() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Screen(out, io.StringIO()).out(["é"])
    assert raw.getvalue() == b"\\xe9\n"


def test_what_a_server_says_can_not_command_the_terminal() -> None:
    evil = "\x1b[2Jgone\x9b1A\r"
    terminal = Terminal()
    terminal.show(
        events.NodeLost(PLAIN, evil),
        events.AttemptEnded(attempt(PLAIN), Ending(Outcome.LOST, detail=evil)),
        events.NeverStarted(attempt(PLAIN), NeverStartedError(PLAIN, "session", evil)),
    )
    shown = r"\x1b[2Jgone\x9b1A\r"
    assert terminal.err == [f"[pegasus] lost: [node-2] {shown}"]
    assert terminal.out == [
        f"[node-2] === done (lost: {shown}) ===",
        f"[node-2] === not started ({shown}) ===",
    ]


def test_commands_with_what_is_not_seen_are_framed_with_escapes() -> None:
    terminal = Terminal()
    terminal.show(events.AttemptStarted(attempt(PLAIN, "rm \u202e*\x1b[2J\n\techo é漢")))
    assert terminal.out == [r"[node-2] === run 'rm \u202e*\x1b[2J", "[node-2] \techo é漢' ==="]


def test_quietly_only_what_fails_is_framed_and_no_output_printed() -> None:
    terminal = Terminal(quiet=True)
    good, bad = (Attempt(1, Job("x", id=n), PLAIN, f"exit {n - 1}") for n in (1, 2))
    for one, ending in ((good, Ending.exited(0)), (bad, Ending.exited(1))):
        terminal.show(
            events.AttemptStarted(one),
            Output(one, Stream.STDOUT, b"out"),
            Output(one, Stream.STDERR, b"err\n"),
            events.AttemptEnded(one, ending),
        )
    late = Attempt(1, Job("y", id=3), PLAIN, "y")
    refused = NeverStartedError(PLAIN, "session", "refused")
    terminal.show(events.AttemptStarted(late), events.NeverStarted(late, refused))
    assert terminal.out == [
        "[node-2] === run 'exit 1' === (job 2)",
        "[node-2] === done (exit status: 1) === (job 2)",
        "[node-2] === run 'y' === (job 3)",
        "[node-2] === not started (refused) === (job 3)",
    ]
    assert terminal.err == []


def test_quietly_troubles_are_told_and_nothing_else() -> None:
    terminal = Terminal(quiet=True)
    job = Attempt(1, Job("x", id=7), PLAIN, "x")
    terminal.show(
        events.NodeConnected(PLAIN),
        events.NodeConnected(NODE),
        events.Waiting(),
        events.CancelCommandEnded(job),
        events.NodeDisconnected(PLAIN, "reset"),
        events.NodeConnected(PLAIN),
        events.NodeConnected(PLAIN),
        events.NodeLost(NODE, "reset"),
        events.CancelCommandEnded(job, "it failed"),
        events.QueueRefused(QueueFileError("is wrong", Place("queue.yaml", 2, 3))),
        events.Draining(0),
    )
    assert terminal.out == []
    assert terminal.err == [
        "[pegasus] lost: [node-2] reset; connecting again",
        "[node-2] connected",
        "[pegasus] lost: [node-1 (gpu=0,zone=b)] reset",
        "[pegasus] [node-2] job 7 may go on there: it failed",
        "[pegasus] queue.yaml:2:3: is wrong",
        "[pegasus] no job is taken until this is mended; running jobs go on",
        "[pegasus] taking no more jobs",
    ]


class InOrder:
    """A printer that groups, on two streams whose lines are kept in one list."""

    def __init__(self, folder: Path | None = None) -> None:
        self.lines: list[str] = []
        #: Hears each line as it is written, by the thread that does.
        self.hear: Callable[[str], None] = lambda line: None
        streams = [_Noted(self, mark) for mark in ("out", "err")]
        self.printer = Printer(Screen(*streams), group=True, folder=folder)

    def feed(self, one: Attempt, *written: tuple[Stream, bytes]) -> None:
        for stream, data in written:
            self.printer(Output(one, stream, data))


class _Noted(io.StringIO):
    def __init__(self, shown: InOrder, mark: str) -> None:
        super().__init__()
        self._shown, self._mark = shown, mark

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._shown.lines.append(f"{self._mark}: {line}")
            self._shown.hear(line)
        return len(text)


OUT, ERR = Stream.STDOUT, Stream.STDERR
ONE, TWO = (Attempt(1, Job("x", id=number), PLAIN, "x") for number in (1, 2))


def test_the_output_of_a_job_may_be_grouped() -> None:
    shown = InOrder()
    shown.printer(events.AttemptStarted(ONE))
    shown.printer(events.AttemptStarted(TWO))
    shown.feed(ONE, (OUT, b"a\nb"), (ERR, b"oops\n"), (OUT, b"c\n"))
    shown.feed(TWO, (OUT, b"two\n"))
    assert shown.lines == []
    shown.printer(events.AttemptEnded(TWO, Ending.exited(0)))
    assert shown.lines == [
        "out: [node-2] === run 'x' === (job 2)",
        "out: [node-2] two",
        "out: [node-2] === done (exit status: 0) === (job 2)",
    ]
    shown.lines.clear()
    shown.printer(events.AttemptEnded(ONE, Ending.exited(1)))
    assert shown.lines == [
        "out: [node-2] === run 'x' === (job 1)",
        "out: [node-2] a",
        "err: [node-2] oops",
        "out: [node-2] bc",
        "out: [node-2] === done (exit status: 1) === (job 1)",
    ]


def test_what_is_held_at_the_end_is_shown_and_what_comes_then_at_once() -> None:
    shown = InOrder()
    shown.printer(events.AttemptStarted(ONE))
    shown.feed(ONE, (OUT, b"before\n"))
    shown.printer.release()
    assert shown.lines == ["out: [node-2] === run 'x' === (job 1)", "out: [node-2] before"]
    shown.feed(ONE, (OUT, b"after\n"))
    shown.feed(TWO, (ERR, b"other\n"))
    assert shown.lines[2:] == ["out: [node-2] after", "err: [node-2] other"]


def test_more_than_a_little_is_held_in_a_file_that_nobody_sees(tmp_path: Path) -> None:
    shown = InOrder(tmp_path)
    count = 3 * holding.IN_MEMORY // 100
    for number in range(count):
        shown.feed(ONE, (OUT, b"%0100d\n" % number), (ERR, b"%d\n" % number))
    assert shown.lines == []
    assert list(tmp_path.iterdir()) == []
    shown.printer(events.AttemptEnded(ONE, Ending.exited(0)))
    assert [int(line.split()[-1]) for line in shown.lines[:-1]] == [
        number for number in range(count) for _ in range(2)
    ]


def test_long_lines_that_were_held_are_not_all_in_memory_at_once(tmp_path: Path) -> None:
    shown, most = InOrder(tmp_path), 200
    shown.printer(events.AttemptStarted(ONE))
    for _ in range(3 * most):  # No line has an end: such are shown in pieces.
        shown.feed(ONE, (OUT, b"x" * splitter.LONGEST))
    tracemalloc.start()
    shown.hear = lambda _: shown.lines.clear()
    shown.printer(events.AttemptEnded(ONE, Ending.exited(0)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * most * splitter.LONGEST // 2


def test_lines_of_which_none_is_shown_are_not_even_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitter.WholeLines, "feed", None)
    out = io.StringIO()
    printer = Printer(Screen(out, io.StringIO()), 0)
    printer(Output(ONE, OUT, b"one\ntwo"))
    printer(events.AttemptEnded(ONE, Ending.exited(0)))
    assert [line for line in out.getvalue().splitlines() if "===" not in line] == []


def test_what_can_not_be_held_is_shown_as_it_comes(tmp_path: Path) -> None:
    shown = InOrder(tmp_path / "missing")
    for number in range(2 * holding.IN_MEMORY // 100):
        shown.feed(ONE, (OUT, b"%0100d\n" % number))
    assert len(shown.lines) == 2 * holding.IN_MEMORY // 100
    shown.printer(events.AttemptEnded(ONE, Ending.exited(0)))
    assert [int(line.split()[-1]) for line in shown.lines[:-1]] == [*range(len(shown.lines) - 1)]


def test_on_a_disk_that_is_full_nothing_held_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = holding.IN_MEMORY + 12_345

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            left = room - os.fstat(self.fileno()).st_size
            if not left:
                raise OSError(28, "No space left on device")
            return super().write(bytes(data)[:left])

    monkeypatch.setattr(holding, "_nameless", lambda _: Full(tmp_path / "held", "w+"))
    shown = InOrder()
    for number in range(4 * holding.IN_MEMORY // 100):
        shown.feed(ONE, (OUT, b"%0100d\n" % number))
    assert [int(line.split()[-1]) for line in shown.lines] == [*range(4 * holding.IN_MEMORY // 100)]


def test_nothing_of_another_job_comes_between_the_lines_of_a_group() -> None:
    shown = InOrder()
    shown.printer(events.AttemptStarted(ONE))
    shown.feed(ONE, (OUT, b"a\n"), (ERR, b"b\n"), (OUT, b"c\n"))
    ended = events.AttemptEnded(TWO, Ending.exited(0))
    other = threading.Thread(target=shown.printer, args=(ended,))

    def meanwhile(line: str) -> None:
        if line.endswith(" b"):  # Only stderr is being written to.
            other.start()
            other.join(0.2)

    shown.hear = meanwhile
    shown.printer(events.AttemptEnded(ONE, Ending.exited(0)))
    other.join()
    assert [line.split("] ")[1][:9] for line in shown.lines] == [
        "=== run '",
        "a",
        "b",
        "c",
        "=== done ",
        "=== done ",
    ]
    assert shown.lines[-1].endswith("(job 2)")


# Several jobs on one node.

EIGHT = Slots(tuple(range(8)))
BEGUN = events.RunStarted("5f0c91ab", "queue", 1, "here", "me", {}, (NODE, PLAIN))


def sharing(job: int, slots: Slots, node: Node = PLAIN) -> Attempt:
    return Attempt(1, Job("x", id=job), node, "x", 0, slots)


def whole(made: Attempt) -> list[events.Event]:
    ended = events.AttemptEnded(made, Ending.exited(0))
    return [events.AttemptStarted(made), Output(made, Stream.STDERR, b"one\n"), ended]


def test_where_jobs_share_a_node_lines_say_of_which_job_they_are_and_frames_on_which_slots() -> (
    None
):
    terminal = Terminal()
    terminal.show(BEGUN, events.NodeConnected(PLAIN, EIGHT))
    terminal.show(*whole(sharing(7, Slots((0, 1)))), *whole(sharing(8, Slots((5,)))))
    assert terminal.out == [
        "[node-2 job 7] === run 'x' === (job 7, slots 0,1)",
        "[node-2 job 7] === done (exit status: 0) === (job 7, slots 0,1)",
        "[node-2 job 8] === run 'x' === (job 8, slot 5)",
        "[node-2 job 8] === done (exit status: 0) === (job 8, slot 5)",
    ]
    assert terminal.err[1:] == ["[node-2 job 7] one", "[node-2 job 8] one"]


def test_on_a_node_of_one_slot_only_jobs_that_need_none_are_marked() -> None:
    terminal = Terminal()
    terminal.show(BEGUN, events.NodeConnected(PLAIN))
    terminal.show(*whole(sharing(7, ONE_SLOT)), *whole(sharing(8, Slots())))
    assert terminal.out[::2] == [
        "[node-2] === run 'x' === (job 7)",
        "[node-2 job 8] === run 'x' === (job 8, no slot)",
    ]
    assert terminal.err[1:] == ["[node-2] one", "[node-2 job 8] one"]


def test_a_broadcast_has_one_job_at_a_time_and_marks_none() -> None:
    terminal = Terminal()
    begun = events.RunStarted("5f0c91ab", "broadcast", 1, "here", "me", {}, (PLAIN,))
    terminal.show(begun, events.NodeConnected(PLAIN, EIGHT), *whole(sharing(7, EIGHT)))
    assert terminal.out[0] == "[node-2] === run 'x' === (job 7)"


def test_held_output_of_jobs_that_share_a_node_says_so_too() -> None:
    terminal = Terminal(group=True)
    one, other = sharing(7, Slots((0,))), sharing(8, Slots((1,)))
    terminal.show(BEGUN, events.NodeConnected(PLAIN, EIGHT))
    for event in [event for both in zip(whole(one), whole(other), strict=True) for event in both]:
        terminal.show(event)
    assert [line.split("]")[0] for line in terminal.out] == [
        *["[node-2 job 7"] * 2,
        *["[node-2 job 8"] * 2,
    ]


def test_a_node_that_connects_says_how_many_slots_it_has_unless_it_is_one() -> None:
    terminal = Terminal()
    for slots in (ONE_SLOT, EIGHT, Slots((0,), "CUDA_VISIBLE_DEVICES"), Slots((1, 3), "X")):
        terminal.show(events.NodeConnected(PLAIN, slots))
    assert terminal.err == [
        "[node-2] connected",
        "[node-2] connected, 8 slots",
        "[node-2] connected, 1 GPU",
        "[node-2] connected, 2 GPUs",
    ]


def test_a_node_has_one_colour_whatever_job_its_lines_are_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    late = Node(2, Host("node-3", "node-3"))
    terminal.show(BEGUN, events.NodeConnected(PLAIN, EIGHT))
    terminal.show(events.NodeAdded(late), events.NodeConnected(late, EIGHT))
    terminal.show(*whole(sharing(7, Slots((0,)))), *whole(sharing(8, Slots((1,)))))
    terminal.show(*whole(sharing(9, Slots((1,)), late)))
    starts = [line.split("[node")[0] for line in terminal.out[::2]]
    assert starts[0] == starts[1] != starts[2]
    assert all(start.startswith("\x1b[") for start in starts)
