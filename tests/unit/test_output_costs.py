"""What it costs to show output: counted, not timed."""

from __future__ import annotations

import gc
import io
import os
import pty
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus import events
from pegasus.events import Output, Stream
from pegasus.model import Attempt, Ending, Host, Job, Node
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen

ONE = Attempt(1, Job("x", id=1), Node(0, Host("node-1", "node-1")), "x")
OUT, ERR = Stream.STDOUT, Stream.STDERR


class Counted(io.RawIOBase):
    """A file that counts how often something is written to it, and how much."""

    def __init__(self) -> None:
        self.writes = self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.writes += 1
        self.bytes += len(data)
        return len(data)


def printer(raw: io.RawIOBase, **more: Any) -> Printer:
    stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    return Printer(Screen(stream, io.StringIO()), **more)


def lines(count: int, text: bytes = b"x" * 79) -> bytes:
    return (text + b"\n") * count


def instructions(work: Callable[[], object]) -> int:
    """Return how many instructions of Python's are executed."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    gc.disable()  # Others may have it call them.
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
        gc.enable()
    return count


@pytest.mark.parametrize("size", [1, 10, 400, 3000])
def test_each_chunk_of_output_is_written_in_one_go_however_many_lines_it_has(size: int) -> None:
    raw = Counted()
    shown = printer(raw)
    for _ in range(20):
        shown(Output(ONE, OUT, lines(size)))
    assert raw.writes == 20
    assert raw.bytes == 20 * size * len(b"[node-1] " + lines(1))


def test_the_frame_of_a_job_that_writes_nothing_is_written_twice() -> None:
    raw = Counted()
    shown = printer(raw)
    shown(events.AttemptStarted(ONE))
    assert raw.writes == 1
    shown(events.AttemptAnnounced(ONE, 7))
    shown(events.AttemptEnded(ONE, Ending.exited(0)))
    assert raw.writes == 2


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A terminal whose reader forgets what it reads."""
    ours, theirs = pty.openpty()

    def read() -> None:
        try:
            while os.read(ours, 65536):
                pass
        except OSError:  # It has been closed.
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream
    reader.join()
    os.close(ours)


def test_nothing_is_done_in_python_for_each_line_that_goes_to_a_file() -> None:
    shown = printer(Counted())
    costs = []
    for text in (
        lines(2),
        lines(2000),
        "漢\x1b[2J\r\n".encode() * 2,
        "漢\x1b[2J\r\n".encode() * 2000,
    ):
        shown(Output(ONE, OUT, b"warm\n"))
        costs.append(instructions(lambda text=text: shown(Output(ONE, OUT, text))))  # type: ignore[misc]
    assert max(costs) < min(costs) + 100


def test_nor_for_each_line_that_fits_a_terminal_as_it_is(terminal: TextIO) -> None:
    shown = Printer(Screen(terminal, io.StringIO()))
    shown(Output(ONE, OUT, b"warm\n"))
    few, many = (
        instructions(lambda text=text: shown(Output(ONE, OUT, text)))  # type: ignore[misc]
        for text in (lines(2, b"short"), lines(1000, b"short"))
    )
    assert many < few + 100


def test_nor_for_each_line_that_is_held_and_shown_at_the_end(tmp_path: Path) -> None:
    def cost(text: bytes) -> int:
        shown = printer(Counted(), group=True, folder=tmp_path)
        shown(events.AttemptStarted(ONE))

        def show() -> None:
            shown(Output(ONE, OUT, text))
            shown(events.AttemptEnded(ONE, Ending.exited(0)))

        return instructions(show)

    cost(lines(1))
    assert cost(lines(500)) < cost(lines(2)) + 100


@pytest.mark.parametrize("group", [False, True])
def test_the_memory_is_flat_however_much_is_written(tmp_path: Path, group: bool) -> None:
    shown = printer(Counted(), group=group, folder=tmp_path)
    chunk = lines(400)
    shown(Output(ONE, OUT, chunk))
    tracemalloc.start()
    for _ in range(500):
        shown(Output(ONE, OUT, chunk))
    shown(events.AttemptEnded(ONE, Ending.exited(0)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * len(chunk)


class _Kept(io.StringIO):
    """A stream that keeps its lines in a list with those of another."""

    def __init__(self, mark: str, kept: list[tuple[str, str]]) -> None:
        super().__init__()
        self._mark, self._kept = mark, kept

    def write(self, text: str) -> int:
        self._kept.extend((self._mark, line) for line in text.split("\n")[:-1])
        return len(text)


_LINES = st.lists(
    st.tuples(st.sampled_from([OUT, ERR]), st.sampled_from(["", "o", "e", "ox", "漢"]))
)


@given(_LINES, st.integers(1, 3))
def test_what_is_held_comes_as_it_would_have_come_at_once(
    written: list[tuple[Stream, str]], repeated: int
) -> None:
    shown: list[list[tuple[str, str]]] = []
    for group in (False, True):
        kept: list[tuple[str, str]] = []
        made = Printer(Screen(_Kept("out", kept), _Kept("err", kept)), group=group)
        for stream, line in written:
            made(Output(ONE, stream, f"{line}\n".encode() * repeated))
        made(events.AttemptEnded(ONE, Ending.exited(0)))
        shown.append(kept)
    assert shown[0] == shown[1]
