"""Two streams, each fitted to where it leads; a line at the bottom; streams that fail."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
import threading
import tty
from collections.abc import Iterator
from typing import TextIO

import pyte
import pytest

from pegasus.terminal.screen import OURS, Screen


class Window:
    """A terminal, in which a stream may lead, and what it has got."""

    def __init__(self, columns: int = 40) -> None:
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self._theirs = theirs
        self._streams: list[TextIO] = []
        self.resize(columns)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def stream(self) -> TextIO:
        stream = os.fdopen(os.dup(self._theirs), "w", encoding="utf-8")
        self._streams.append(stream)
        return stream

    def got(self) -> str:
        """Return what has come since the last time."""
        os.set_blocking(self._ours, False)
        data = b""
        while True:
            try:
                data += os.read(self._ours, 65536)
            except BlockingIOError:
                return data.decode()

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        os.close(self._theirs)
        os.close(self._ours)


def drawn(line: str) -> str:
    """Return how a bottom line is written: cut at the edge, with the cursor at its beginning."""
    return f"\x1b[?7l{line}\x1b[?7h\r"


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    window = Window()
    yield window
    window.close()


def coloured(screen: Screen, *labels: str) -> Screen:
    screen.colours.assign(labels)
    return screen


def test_what_is_no_terminal_gets_lines_as_they_are(window: Window) -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = coloured(Screen(out, err), "node-1")
    lines = ["\x1b[31mred\x1b[2J\t漢" + "x" * 500, ""]
    screen.out(lines, "node-1")
    screen.err(lines)
    assert out.getvalue() == "".join(f"[node-1] {line}\n" for line in lines)
    assert err.getvalue() == "".join(f"{line}\n" for line in lines)


def test_a_terminal_gets_pieces_each_with_its_coloured_prefix(window: Window) -> None:
    screen = coloured(Screen(window.stream(), io.StringIO()), "node-1")
    screen.out(["x" * 40, "\x1b[2J\x1b[31mred"], "node-1")
    first, second, third, rest = window.got().split("\n")
    colour = screen.colours.start("node-1", 256)
    assert colour
    prefix = f"{colour}[node-1]\x1b[0m "
    assert first == prefix + "x" * 31
    assert second == prefix + "x" * 9
    assert third == prefix + "\x1b[31mred\x1b[0m"
    assert rest == ""


@pytest.mark.parametrize("is_out", [True, False])
def test_each_stream_is_judged_by_itself(window: Window, is_out: bool) -> None:
    terminal, other = window.stream(), io.StringIO()
    screen = Screen(terminal, other) if is_out else Screen(other, terminal)
    for write in (screen.out, screen.err):
        write(["y" * 50], "node-1")
    assert window.got() == f"[node-1] {'y' * 31}\n[node-1] {'y' * 19}\n"
    assert other.getvalue() == f"[node-1] {'y' * 50}\n"


def test_the_width_is_that_of_the_moment(window: Window) -> None:
    screen = Screen(window.stream(), io.StringIO())
    screen.out(["x" * 60])
    window.resize(30)
    screen.out(["y" * 60])
    window.resize(200)
    screen.out(["z" * 60])
    assert window.got().split() == ["x" * 40, "x" * 20, "y" * 30, "y" * 30, "z" * 60]


@pytest.mark.parametrize(
    ("told", "pieces"), [(None, [80, 20]), ("50", [50, 50]), ("no", [80, 20]), ("0", [80, 20])]
)
def test_a_terminal_that_does_not_say_its_width_is_as_wide_as_usual(
    window: Window, monkeypatch: pytest.MonkeyPatch, told: str | None, pieces: list[int]
) -> None:
    window.resize(0)
    if told is not None:
        monkeypatch.setenv("COLUMNS", told)
    Screen(window.stream(), io.StringIO()).out(["x" * 100])
    assert [len(line) for line in window.got().split()] == pieces


@pytest.mark.parametrize("columns", [1, 2, 5, 9, 10])
def test_a_prefix_that_leaves_no_room_does_not_come_again(window: Window, columns: int) -> None:
    window.resize(columns)
    screen = coloured(Screen(window.stream(), io.StringIO()), "node-1")
    screen.out(["some output 漢字"], "node-1")
    text = window.got().replace(screen.colours.start("node-1", 256), "").replace("\x1b[0m", "")
    assert text.replace("\n", "") == "[node-1] some output 漢字"
    assert max(len(piece) for piece in text.split("\n")) <= columns


def test_what_obeys_nothing_gets_no_sequence(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = coloured(Screen(window.stream(), window.stream()), "node-1")
    assert not screen.has_bottom
    screen.bottom = lambda width: "never"
    screen.redraw()
    screen.out(["\x1b[31mred\x1b[2J " + "x" * 40], "node-1")
    assert window.got() == f"[node-1] red {'x' * 27}\n[node-1] {'x' * 13}\n"


def test_colours_may_be_forced_where_there_is_no_terminal(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = io.StringIO()
    screen = coloured(Screen(out, io.StringIO()), "node-1")
    screen.out(["x" * 500], "node-1")
    colour = screen.colours.start("node-1", 256)
    assert colour
    assert out.getvalue() == f"{colour}[node-1]\x1b[0m {'x' * 500}\n"


def test_who_wants_no_colours_gets_those_of_jobs_alone(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = coloured(Screen(window.stream(), io.StringIO()), "node-1")
    screen.out(["\x1b[31mred"], "node-1")
    assert window.got() == "[node-1] \x1b[31mred\x1b[0m\n"


def test_the_bottom_line_goes_before_output_and_comes_again_below(window: Window) -> None:
    screen = Screen(window.stream(), window.stream())
    assert screen.has_bottom
    screen.bottom = lambda width: f"done {width}"
    screen.redraw()
    assert window.got() == drawn("done 39")
    screen.out(["one"])
    assert window.got() == "\r\x1b[Jone\n" + drawn("done 39")
    screen.err(["two", "three"])
    assert window.got() == "\r\x1b[Jtwo\nthree\n" + drawn("done 39")
    screen.bottom = None
    screen.redraw()
    assert window.got() == "\r\x1b[J"
    screen.out(["four"])
    screen.redraw()
    assert window.got() == "four\n"


def test_output_that_goes_elsewhere_leaves_the_bottom_line(window: Window) -> None:
    out = io.StringIO()
    screen = Screen(out, window.stream())
    screen.bottom = lambda _: "done"
    screen.redraw()
    screen.out(["one"])
    assert out.getvalue() == "one\n"
    assert window.got() == drawn("done")


def test_two_terminals_have_one_bottom_line(window: Window) -> None:
    other = Window()
    screen = Screen(other.stream(), window.stream())
    screen.bottom = lambda _: "done"
    screen.out(["one"])
    screen.err(["two"])
    assert other.got() == "one\n"
    assert window.got() == "two\n" + drawn("done")
    other.close()


def test_without_a_terminal_there_is_no_bottom_line(window: Window) -> None:
    err = io.StringIO()
    screen = Screen(window.stream(), err)
    assert not screen.has_bottom
    screen.bottom = lambda _: "never"
    screen.redraw()
    screen.out(["one"])
    screen.err(["two"])
    assert window.got() == "one\n"
    assert err.getvalue() == "two\n"


def test_the_bottom_line_never_reaches_the_edge(window: Window) -> None:
    screen = Screen(window.stream(), window.stream())
    screen.bottom = lambda _: "\x1b[1m" + "漢" * 100
    screen.redraw()
    assert window.got() == drawn("\x1b[1m" + "漢" * 19 + "\x1b[0m")


def test_the_bottom_line_is_not_asked_for_at_each_line(window: Window) -> None:
    asked: list[int] = []

    def source(width: int) -> str:
        asked.append(width)
        return "done"

    screen = Screen(window.stream(), window.stream())
    screen.bottom = source
    for number in range(200):
        screen.out([f"{number}"])
    assert len(asked) < 100
    assert window.got().count(drawn("done")) == 200
    before = len(asked)
    screen.redraw()
    assert len(asked) == before + 1


def test_a_terminal_that_got_narrower_keeps_all_output(window: Window) -> None:
    shown = pyte.Screen(40, 24)
    emulator = pyte.Stream(shown)
    screen = Screen(window.stream(), window.stream())
    screen.bottom = lambda width: "#" * width
    for number, columns in enumerate((40, 12, 30, 5, 40)):
        window.resize(columns)
        shown.resize(24, columns)
        screen.out([f"L{number}"])
        emulator.feed(window.got().replace("\n", "\r\n"))
    lines = [line.strip() for line in shown.display if line.strip()]
    assert lines == ["L0", "L1", "L2", "L3", "L4", "#" * 39]


def test_two_streams_to_one_pipe_do_not_tear_each_others_lines() -> None:
    read, written = os.pipe()
    streams = [os.fdopen(number, "w") for number in (written, os.dup(written))]
    screen = Screen(*streams)

    def shout(write: object, letter: str) -> None:
        for _ in range(50):
            write([letter * 9000] * 3)  # type: ignore[operator]

    threads = [
        threading.Thread(target=shout, args=pair) for pair in ((screen.out, "o"), (screen.err, "e"))
    ]
    data = b""
    for thread in threads:
        thread.start()
    while data.count(b"\n") < 300:
        data += os.read(read, 1 << 20)
    for thread in threads:
        thread.join()
    for stream in streams:
        stream.close()
    os.close(read)
    assert {len(line) for line in data.splitlines()} == {9000}
    assert all(len(set(line)) == 1 for line in data.splitlines())


def test_what_waited_while_the_end_was_written_does_not_follow_it() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(out, err)
    screen.out(["before"], "node-1")
    screen.end_output()
    screen.out(["after"], "node-1")
    screen.err(["after"], "node-1")
    screen.err(["the end"], OURS)
    assert out.getvalue() == "[node-1] before\n"
    assert err.getvalue() == "[pegasus] the end\n"


def test_what_failed_stands_out_where_colours_of_ours_may_be(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stands_out(*, on_err: bool) -> bool:
        # stdout leads to a file, and stderr to a terminal.
        return Screen(io.StringIO(), window.stream()).alarming(["x"], on_err=on_err) != ["x"]

    assert stands_out(on_err=True)
    assert not stands_out(on_err=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert stands_out(on_err=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not stands_out(on_err=True)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not stands_out(on_err=True)


class Closed(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_stream_that_fails_is_given_up_and_the_other_one_goes_on() -> None:
    err = io.StringIO()
    screen = Screen(Closed(), err)
    screen.out(["lost"])
    screen.out(["lost"])
    screen.err(["heard"])
    assert err.getvalue().splitlines() == [
        "[pegasus] stdout can't be written to ([Errno 5] Input/output error); "
        "jobs go on without it",
        "heard",
    ]
    out = io.StringIO()
    screen = Screen(out, Closed())
    screen.err(["lost"])
    screen.err(["lost"])
    screen.redraw()
    screen.out(["heard"])
    assert out.getvalue() == "heard\n"


def test_a_window_that_gets_narrower_before_the_line_is_drawn_keeps_nothing_of_it(
    window: Window,
) -> None:
    screen = Screen(window.stream(), window.stream())
    screen.bottom = lambda width: "=" * width
    screen.redraw()
    emulator = pyte.Screen(10, 5)  # As narrow as nobody knew.
    stream = pyte.Stream(emulator)
    stream.feed(window.got())
    screen.bottom = None
    screen.redraw()
    stream.feed(window.got())
    assert all(not row.strip() for row in emulator.display)
