"""Signals and other requests to a run, in a process of its own."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pexpect
import pytest

from pegasus import interrupts
from pegasus.interrupts import Interrupts, is_at_terminal

PROGRAM = """
import signal, sys, threading
from pegasus.interrupts import Interrupts

ends, ignored = %r, %r
if ignored:
    signal.signal(ignored, signal.SIG_IGN)

class Mode:
    def __init__(self):
        self.over = threading.Event()
    def run(self):
        print("up", flush=True)
        self.over.wait()
    def drain(self):
        print("drain", flush=True)
    def cancel(self):
        print("cancel", flush=True)
        if ends:
            self.over.set()

with Interrupts() as interrupts:
    interrupts.supervise(Mode())
print("received", interrupts.received)
"""

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def program(ends: bool, ignored: int = 0) -> str:
    return PROGRAM % (ends, ignored)


@pytest.mark.parametrize(
    ("ends", "signals", "words", "received"),
    [
        (True, [INT], ["cancel"], 2),
        (False, [INT, INT], ["cancel", ""], 2),
        (True, [TERM], ["cancel"], 15),
        (False, [TERM, TERM], ["cancel", ""], 15),
        (False, [TERM, INT], ["cancel", ""], 15),
        (True, [HUP, TERM], ["drain", "cancel"], 1),
        (True, [HUP, INT], ["drain", "cancel"], 1),
    ],
)
def test_without_a_terminal_a_signal_cancels_and_a_hangup_drains(
    ends: bool, signals: list[signal.Signals], words: list[str], received: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", program(ends)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    for number, word in zip(signals, words, strict=True):
        process.send_signal(number)
        if word:
            assert process.stdout.readline() == f"{word}\n"
    assert process.stdout.read() == f"received {received}\n"
    assert process.wait() == 0


@pytest.fixture
def terminals() -> Iterator[list[pexpect.spawn]]:
    started: list[pexpect.spawn] = []
    yield started
    for child in started:
        if child.isalive():
            child.kill(signal.SIGKILL)
        child.close()


@pytest.mark.parametrize(
    ("ends", "requests", "words", "received"),
    [
        (True, ["^C", "^C"], ["drain", "cancel"], 2),
        (False, ["^C", "^C", "^C"], ["drain", "cancel", ""], 2),
        (True, ["^C", TERM], ["drain", "cancel"], 2),
        (False, [TERM, "^C"], ["cancel", ""], 15),
        (True, [HUP, "^C"], ["drain", "cancel"], 1),
    ],
)
def test_at_a_terminal_each_ctrl_c_goes_one_step_further(
    terminals: list[pexpect.spawn],
    ends: bool,
    requests: list[str | signal.Signals],
    words: list[str],
    received: int,
) -> None:
    child = pexpect.spawn(sys.executable, ["-c", program(ends)], timeout=60, encoding="utf-8")
    terminals.append(child)
    child.expect_exact("up\r\n")
    for request, word in zip(requests, words, strict=True):
        if isinstance(request, str):
            child.send("\x03")
        else:
            child.kill(request)
        if word:
            child.expect_exact(f"{word}\r\n")
    child.expect_exact(f"received {received}\r\n")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_in_the_background_of_a_terminal_a_signal_cancels(terminals: list[pexpect.spawn]) -> None:
    tell_pid = "import os; print('pid', os.getpid())"
    child = pexpect.spawn(
        "/bin/bash",
        ["-mc", '"$@" & wait $!', "bash", sys.executable, "-c", f"{tell_pid}; {program(True)}"],
        timeout=60,
        encoding="utf-8",
    )
    terminals.append(child)
    child.expect(r"pid (\d+)\r\n")
    pid = int(child.match[1])
    child.expect_exact("up\r\n")
    os.kill(pid, INT)
    child.expect(r"(drain|cancel)\r\n")
    assert child.match[1] == "cancel"
    child.expect_exact("received 2\r\n")


@pytest.mark.parametrize("number", [INT, HUP])
def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", program(True, int(number))],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    process.send_signal(TERM)
    assert process.stdout.read() == "cancel\nreceived 15\n"
    assert process.wait() == 0


class Recorder:
    """A mode that notes what it is told, and ends by a wish of its own."""

    def __init__(self, ends_on: str = "") -> None:
        self.told: list[str] = []
        self.up = threading.Event()
        self.drained = threading.Event()
        self.over = threading.Event()
        self._ends_on = ends_on

    def run(self) -> None:
        self._note("run")
        self.up.set()
        assert self.over.wait(60)

    def drain(self) -> None:
        self._note("drain")
        self.drained.set()

    def cancel(self) -> None:
        self._note("cancel")

    def _note(self, word: str) -> None:
        self.told.append(word)
        if word == self._ends_on:
            self.over.set()


def test_requests_of_threads_go_one_way_and_never_leave() -> None:
    mode = Recorder("cancel")
    made = Interrupts([])

    def ask() -> None:
        assert mode.up.wait(60)
        for _ in range(3):
            made.drain()
        for _ in range(3):
            made.cancel()
        made.drain()

    thread = threading.Thread(target=ask)
    thread.start()
    with made:
        made.supervise(mode)
    thread.join()
    assert mode.told == ["run", "drain", "cancel"]
    assert made.received is None


def test_many_hangups_drain_once_and_never_cancel() -> None:
    mode = Recorder()
    before = signal.getsignal(HUP)
    with Interrupts() as made:

        def ask() -> None:
            assert mode.up.wait(60)
            os.kill(os.getpid(), HUP)
            assert mode.drained.wait(60)
            for _ in range(5):
                made._handle(HUP, None)  # As a signal does, and in order with the end.
            mode.over.set()

        thread = threading.Thread(target=ask)
        thread.start()
        made.supervise(mode)
        thread.join()
    assert mode.told == ["run", "drain"]
    assert made.received == HUP
    assert signal.getsignal(HUP) is before


def test_what_is_to_end_before_it_begins_does_not_begin() -> None:
    mode = Recorder()
    with Interrupts() as made:
        assert not made.is_pending
        made.drain()
        assert made.is_pending
        made.supervise(mode)
    assert mode.told == []


def test_a_handler_that_is_not_of_python_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[int] = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: changed.append(number))
    with Interrupts():
        pass
    assert changed == []


def test_without_files_to_open_the_milder_answer_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(code: int) -> None:
        def fail(*_: object) -> int:
            raise OSError(code, "refused")

        monkeypatch.setattr(interrupts.os, "open", fail)

    refuse(errno.EMFILE)
    assert is_at_terminal()
    refuse(errno.ENXIO)
    assert not is_at_terminal()


def test_what_a_mode_raises_comes_out() -> None:
    class Mode(Recorder):
        def run(self) -> None:
            raise ValueError("from the mode")

    before = signal.getsignal(INT)
    with pytest.raises(ValueError, match="from the mode"), Interrupts() as made:
        made.supervise(Mode())
    assert signal.getsignal(INT) is before


def test_what_signals_woke_before_they_wake_again() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        before = signal.set_wakeup_fd(one.fileno())
        try:
            with Interrupts():
                assert signal.set_wakeup_fd(one.fileno()) != one.fileno()
        finally:
            assert signal.set_wakeup_fd(before) == one.fileno()


def test_outside_of_the_main_thread_requests_are_heard() -> None:
    mode, made = Recorder("drain"), Interrupts()

    def run() -> None:
        with made:
            made.supervise(mode)

    thread = threading.Thread(target=run)
    thread.start()
    assert mode.up.wait(60)
    made.drain()
    thread.join(60)
    assert mode.told == ["run", "drain"]
    made.cancel()  # It comes too late, and nobody minds.


def test_waiting_takes_no_processor_time() -> None:
    """A wait that ends now and then to look around would have other calls than one."""
    waits: list[int] = []

    class Bell(interrupts._Bell):
        def wait(self) -> None:
            waits.append(1)
            super().wait()

    mode = Recorder("drain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interrupts, "_Bell", Bell)
        made = Interrupts()
        timer = threading.Timer(0.5, made.drain)
        timer.start()
        with made:
            made.supervise(mode)
    assert len(waits) <= 2
