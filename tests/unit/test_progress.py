"""The line at the bottom: what it says at which width, and when it is drawn."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import Any

import pytest
from project import wait_until
from rich.cells import cell_len

from pegasus.events import QueueCounted
from pegasus.measures import Progress
from pegasus.statistics import Statistics
from pegasus.terminal import progress as room
from pegasus.terminal.gauge import Gauge
from pegasus.terminal.progress import ProgressLine, is_in_foreground
from pegasus.terminal.screen import Screen

SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours as if stderr were a terminal that has them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")


def far(**more: Any) -> Progress:
    usual: dict[str, Any] = {
        "done": 212, "failed": 3, "total": 500, "queued": 227, "unfit": 0,
        "running": 61, "connected": 64, "slots": 64, "free": 3, "is_paused": False,
        "elapsed": 724.0, "remaining": 1080.0, "on_nodes": None,
    }  # fmt: skip
    return Progress(**{**usual, **more})


def plain(width: int, **more: Any) -> str:
    return SGR.sub("", Gauge(width).draw(far(**more)))


def words(width: int, **more: Any) -> str:
    """Return the line without its bar."""
    return plain(width, **more).lstrip("━╸╺ ")


def test_the_line_says_what_there_is_to_say() -> None:
    assert words(100) == "212/500 done  3 failed  61 running  3/64 free  12m 4s  ETA 18m"


def test_in_a_broadcast_it_says_how_far_the_round_is() -> None:
    assert words(120, done=2, total=10, failed=0, on_nodes=(41, 64)) == (
        "2/10 done  round: 41/64 nodes  0 failed  61 running  3/64 free  12m 4s  ETA 18m"
    )


def test_where_nodes_have_several_slots_it_counts_slots() -> None:
    assert words(100, slots=512, free=100) == (
        "212/500 done  3 failed  61 running  100/512 slots free  12m 4s  ETA 18m"
    )


def test_what_fits_no_node_and_a_pause_are_said_before_what_is_less_important() -> None:
    line = "212/500 done  3 failed  2 unfit  61 running  3/64 free  paused  12m 4s"
    assert words(100, unfit=2, is_paused=True, remaining=None) == line
    assert words(45, unfit=2, is_paused=True, remaining=None) == (
        "212/500 done  3 failed  2 unfit  paused"
    )


def test_without_an_estimate_or_a_total_it_says_nothing_of_them() -> None:
    assert words(100, remaining=None, total=None) == (
        "212 done  3 failed  61 running  3/64 free  12m 4s"
    )


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (79, "212/500 done  3 failed  61 running  3/64 free  12m 4s  ETA 18m"),
        (55, "212/500 done  3 failed  61 running  12m 4s  ETA 18m"),
        (39, "212/500 done  3 failed  ETA 18m"),
        (31, "212/500 done  3 failed  ETA 18m"),
        (24, "212/500 done  3 failed"),
        (12, "212/500 done"),
    ],
)
def test_where_there_is_less_room_the_less_important_goes_first(width: int, text: str) -> None:
    shown = words(width)
    assert shown == text if width != 39 else shown.startswith("212/500 done  3 failed")


def test_no_failure_is_the_first_thing_to_be_left_out() -> None:
    assert "0 failed" in plain(100, failed=0)
    assert "failed" not in plain(55, failed=0)


@pytest.mark.parametrize("on_nodes", [None, (41, 64)])
@pytest.mark.parametrize("total", [None, 0, 500, 100_000])
def test_the_line_is_never_wider_than_it_may_be(
    total: int | None, on_nodes: tuple[int, int] | None
) -> None:
    for width in range(1, 210):
        line = Gauge(width).draw(far(total=total, on_nodes=on_nodes))
        assert "\n" not in line
        assert cell_len(SGR.sub("", line)) <= width


def test_the_bar_grows_to_its_end() -> None:
    lengths = [
        len(re.findall("[━╸]", Gauge(100).draw(far(done=done)).split("\x1b[0m")[0]))
        for done in (125, 250, 500)
    ]
    quarter, half, full = lengths
    assert quarter < half < full
    assert abs(full - 2 * half) <= 2
    assert "\x1b[32m" not in Gauge(100).draw(far(done=0, failed=0))


def test_failures_are_red_where_there_are_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[31m3 failed\x1b[0m" in Gauge(100).draw(far())
    monkeypatch.setenv("NO_COLOR", "1")
    line = Gauge(100).draw(far())
    assert "\x1b" not in line
    # What is not done yet is left blank then.
    assert re.match("━+ +212/500 done", line)


def test_the_bar_is_of_what_stderr_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    line = Gauge(100).draw(far())
    assert line.isascii()
    assert "---" in line


# When it is drawn.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as the line sees it."""
    times = [1000.0]
    monkeypatch.setattr(room.time, "monotonic", lambda: times[0])
    return times


def test_the_line_is_made_anew_only_with_news_and_not_all_the_time(now: list[float]) -> None:
    statistics = Statistics(lambda: now[0])
    line = ProgressLine(Screen(Terminal(), Terminal()), statistics)
    statistics(QueueCounted(4))
    first = line._text(80)
    assert "0/4 done" in first
    statistics(QueueCounted(5))
    assert line._text(80) is first  # However much is written above it.
    now[0] += 0.2
    second = line._text(80)
    assert "0/5 done" in second
    now[0] += 0.2
    assert line._text(80) is second
    now[0] += 1.0
    assert line._text(80) is not second


def test_the_line_is_made_anew_at_once_for_another_width(now: list[float]) -> None:
    line = ProgressLine(Screen(Terminal(), Terminal()), Statistics(lambda: now[0]))
    assert len(SGR.sub("", line._text(80))) <= 80
    assert len(SGR.sub("", line._text(20))) <= 20


def test_a_line_that_was_shown_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PERIOD", 0.001)
    err = Terminal()
    screen = Screen(Terminal(), err)
    line = ProgressLine(screen, Statistics())
    line.start()
    line.start()
    wait_until(lambda: "done" in err.getvalue(), "the line")
    line.stop()
    assert screen.bottom is None
    assert err.getvalue().endswith("\r\x1b[J")
    line.stop()


def test_where_there_is_no_terminal_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PERIOD", 0.001)
    err = io.StringIO()
    line = ProgressLine(Screen(Terminal(), err), Statistics())
    line.start()
    assert line._thread is None
    line.stop()
    assert err.getvalue() == ""


def test_in_the_background_the_line_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PERIOD", 0.001)
    err = Terminal()
    screen = Screen(Terminal(), err)
    line = ProgressLine(screen, Statistics())
    line.start()
    wait_until(lambda: screen.bottom is not None, "the line")
    monkeypatch.setattr(room, "is_in_foreground", lambda: False)
    wait_until(lambda: screen.bottom is None, "its going")
    monkeypatch.setattr(room, "is_in_foreground", lambda: True)
    wait_until(lambda: screen.bottom is not None, "the line")
    line.stop()


def test_a_terminal_that_is_not_ours_has_no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert is_in_foreground()
    os.close(ours)
    monkeypatch.setattr(sys, "stderr", None)
    assert is_in_foreground()
