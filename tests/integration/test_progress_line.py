"""The progress of a run on a real terminal: below the output, right, and gone in the end."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from emulator import Emulator
from project import CTRL_C, Project

Start = Callable[..., Emulator]

#: What the line says at any width, first of all.
NUMBERS = re.compile(r"(\d+)(?:/(\d+))? done\b")
WAITING = "until [ -e {} ]; do sleep 0.02; done"


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    started: list[Emulator] = []

    def start(*arguments: str, **more: Any) -> Emulator:
        command = more.pop("command", ["-m", "invoke", *arguments])
        started.append(Emulator(command, cwd=project.directory, **more))
        return started[-1]

    yield start
    for emulator in started:
        emulator.kill()


def line(shown: Emulator) -> str:
    """Return the line, or "" where there is none: it is the last one, or not there."""
    last = shown.lines[-1] if shown.lines else ""
    return last if NUMBERS.search(last) and "===" not in last else ""


def says(shown: Emulator, text: str) -> Callable[[], bool]:
    return lambda: text in line(shown)


def assert_gone(shown: Emulator) -> None:
    """Nothing is left of the line, and the cursor is at the beginning of a row, and seen."""
    rows = [row for row in shown.lines if NUMBERS.search(row) and "===" not in row]
    assert rows == []
    assert not any("━" in row for row in shown.lines)
    assert not shown.screen.cursor.hidden
    assert shown.screen.cursor.x == 0


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_stands_below_the_output_and_fits(project: Project, start: Start, width: int) -> None:
    project.hosts("- hostname: localhost\n  gpu: [0, 1]\n")
    project.queue(f"- exit 3\n- echo one\n- {WAITING.format('go')}\n- {WAITING.format('end')}\n")
    shown = start("queue", columns=width)
    shown.wait_for(says(shown, "2/4 done"))
    shown.wait_for(says(shown, "1 failed"))
    if width > 40:
        shown.wait_for(says(shown, "2 running"))
        assert "0/2 free" in line(shown)
    assert "ETA" in line(shown)
    assert len(line(shown)) < width
    project.write("go", "")
    shown.wait_for(says(shown, "3/4 done"))
    project.write("end", "")
    assert shown.wait() == 5
    assert_gone(shown)


def test_the_total_follows_the_queue_as_it_is_edited(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITING.format('go')}\n- echo x\n")
    shown = start("queue")
    shown.wait_for(says(shown, "0/2 done"))
    project.queue("- echo x\n- echo y\n- echo z\n")
    shown.wait_for(says(shown, "0/4 done"))
    project.queue("[]\n")
    shown.wait_for(says(shown, "0/1 done"))
    project.write("go", "")
    assert shown.wait() == 0
    assert_gone(shown)


def test_a_broadcast_counts_rounds_and_the_nodes_of_this_one(
    project: Project, start: Start
) -> None:
    project.hosts("- hostname: localhost\n  gpu: [0, 1, 2]\n")
    project.queue(f"- echo one\n- '[ {{{{ gpu }}}} = 1 ] || {WAITING.format('go')}'\n- echo two\n")
    shown = start("broadcast", columns=120)
    shown.wait_for(says(shown, "1/3 done  round: 1/3 nodes"))
    assert "2 running" in line(shown)
    project.write("go", "")
    assert shown.wait() == 0
    assert_gone(shown)


def test_output_of_many_nodes_is_not_torn_by_it(project: Project, start: Start) -> None:
    project.hosts("- hostname: localhost\n  k: [a, b, c, d]\n")
    step = "i=$((i+1)); [ $((i % 50)) -gt 0 ] || sleep 0.2"
    count = f"i=0; while [ $i -lt 150 ]; do echo line $i; {step}; done"
    project.queue(f"- '{count}; {WAITING.format('go')}'\n" + f"- '{count}'\n" * 3)
    shown = start("queue", columns=60, rows=1500)
    shown.wait_for(says(shown, "3/4 done"))
    project.write("go", "")
    assert shown.wait() == 0
    assert_gone(shown)
    rows = [row for row in shown.lines if re.search(r"\] line \d", row)]
    assert all(re.fullmatch(r"\[localhost \(k=[a-d]\)\] line \d+", row) for row in rows)
    assert len(rows) == 4 * 150


def test_it_follows_a_resize(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITING.format('go')}\n")
    shown = start("queue", columns=100)
    shown.wait_for(says(shown, "0/1 free"))
    shown.resize(40)
    shown.wait_for(lambda: "0/1 done" in line(shown) and len(line(shown)) < 40)
    shown.resize(120)
    shown.wait_for(lambda: 60 < len(line(shown)) < 120)
    project.write("go", "")
    assert shown.wait() == 0
    assert_gone(shown)


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--no-progress"], {}),
        (["--quiet"], {}),
        (["--output", "json"], {}),
        ([], {"term": "dumb"}),
        ([], {"env": {"INVOKE_PEGASUS_PROGRESS": "no"}}),
    ],
)
def test_who_does_not_want_it_does_not_get_it(
    project: Project, start: Start, arguments: list[str], more: dict[str, Any]
) -> None:
    project.hosts("- localhost\n")
    project.queue("- sleep 0.8\n")
    shown = start("queue", *arguments, **more)
    assert shown.wait() == 0
    assert b"0/1" not in shown.raw
    assert b"\x1b[J" not in shown.raw


REDIRECTED = """
import os, sys
os.dup2(os.open("file", os.O_CREAT | os.O_WRONLY), int(sys.argv[1]))
os.execv(sys.executable, [sys.executable, "-m", "invoke", "queue"])
"""


@pytest.mark.parametrize(("stream", "is_shown"), [(1, True), (2, False)])
def test_it_is_for_the_terminal_behind_stderr(
    project: Project, start: Start, stream: int, is_shown: bool
) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo out; sleep 0.8; echo err >&2\n")
    shown = start(command=["-c", REDIRECTED, str(stream)])
    assert shown.wait() == 0
    assert (b"0/1 done" in shown.raw) == is_shown
    assert "\x1b" not in project.read("file")
    assert_gone(shown)


OVER_TTY = """
import os, sys
os.dup2(os.open("/dev/tty", os.O_WRONLY), 2)
os.execv(sys.executable, [sys.executable, "-m", "invoke", "queue"])
"""


def test_a_terminal_that_is_open_under_two_names_is_one(project: Project, start: Start) -> None:
    project.hosts("- hostname: localhost\n  k: [a, b]\n")
    project.queue(f"- {WAITING.format('go')}; echo line\n- {WAITING.format('end')}\n")
    shown = start(command=["-c", OVER_TTY])
    shown.wait_for(says(shown, "0/2 done"))
    project.write("go", "")
    shown.wait_for(says(shown, "1/2 done"))
    project.write("end", "")
    assert shown.wait() == 0
    assert_gone(shown)


# However it ends.


def interrupt(shown: Emulator) -> int:
    shown.type(CTRL_C)
    shown.wait_for_text("taking no more jobs")
    shown.type(CTRL_C)
    return 130


def interrupt_thrice(shown: Emulator) -> int:
    interrupt(shown)
    shown.wait_for_text("cancelling 1 running command")
    shown.type(CTRL_C)
    return 130


def terminate(shown: Emulator) -> int:
    shown.signal(signal.SIGTERM)
    return 143


@pytest.mark.parametrize("end", [interrupt, interrupt_thrice, terminate])
def test_it_is_gone_however_the_run_is_ended(
    project: Project, start: Start, end: Callable[[Emulator], int]
) -> None:
    project.hosts("- localhost\n")
    project.queue("- trap '' TERM; echo up; sleep 300 & wait; sleep 300\n- echo next\n")
    flags = {"INVOKE_PEGASUS_KILL_GRACE": "1"}
    shown = start("queue", env=flags)
    shown.wait_for_text("] up")
    shown.wait_for(says(shown, "0/2 done"))
    status = end(shown)
    assert shown.wait() == status
    assert_gone(shown)


def test_it_is_gone_when_the_run_drains_on_a_hangup(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITING.format('go')}\n- echo next\n")
    shown = start("queue")
    shown.wait_for(says(shown, "0/2 done"))
    shown.signal(signal.SIGHUP)
    shown.wait_for(says(shown, "0/1 done"))  # What is left is not for this run.
    project.write("go", "")
    assert shown.wait() == 129
    assert_gone(shown)


BROKEN = """
import threading
from pegasus.modes.queue import QueueMode
from pathlib import Path
receive = QueueMode._receive
def broken(self):
    if Path("go").exists():
        raise RuntimeError("a mistake of ours")
    receive(self)
QueueMode._receive = broken
from pegasus.settings import Settings
from pegasus import runs
try:
    runs.queue(Settings())
except RuntimeError as error:
    print("raised:", error)
"""


def test_it_is_gone_when_something_raises(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue("- sleep 300\n")
    shown = start(command=["-c", BROKEN])
    shown.wait_for(says(shown, "0/1 done"))
    project.write("go", "")
    shown.wait_for_text("raised: a mistake of ours")
    shown.wait()
    assert_gone(shown)


SHELL = "import os; os.environ['PS1'] = '$ '; os.execvp('bash', ['bash', '--norc', '-i'])"


def test_a_run_can_be_suspended_and_gone_on_with(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- echo up; {WAITING.format('go')}\n")
    shown = start(command=["-c", SHELL])
    shown.type(f"{sys.executable} -m invoke queue\n")
    shown.wait_for(says(shown, "0/1 done"))
    shown.type("\x1a")
    shown.wait_for_text("Stopped")
    shown.type("echo in the $((1 + 1))nd shell\n")
    shown.wait_for_text("in the 2nd shell")
    # In the background it would write over what is typed: time enough for it to be drawn.
    shown.type("bg\n")
    time.sleep(1.2)
    shown.type("echo in the $((1 + 2))rd shell\n")
    shown.wait_for_text("in the 3rd shell")
    assert shown.lines[-1].startswith("$")
    shown.type("fg\n")
    shown.wait_for(says(shown, "0/1 done"))
    project.write("go", "")
    shown.wait_for_text("the command succeeded")
    shown.type("exit\n")
    shown.wait()
    # What stood there when the run was stopped has become the shell's.
    assert sum("0/1 done" in row for row in shown.lines) <= 1


def test_nothing_is_shown_of_a_run_that_is_over_in_a_moment(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue("[]\n")
    shown = start("queue")
    assert shown.wait() == 0
    assert shown.lines[-1] == "[pegasus] no command was run"


def test_while_nothing_happens_it_is_drawn_once_a_second(project: Project, start: Start) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITING.format('go')}\n")
    shown = start("queue")
    shown.wait_for(says(shown, "0/1 free"))
    before, began = shown.raw.count(b"\x1b[J"), time.monotonic()
    shown.wait_for(lambda: time.monotonic() - began > 3)
    assert shown.raw.count(b"\x1b[J") - before <= 5
    project.write("go", "")
    assert shown.wait() == 0
