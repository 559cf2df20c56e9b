"""Signals to a run, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import threading
from pegasus.interrupts import Interrupts

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
        if %r:
            self.over.set()

with Interrupts() as interrupts:
    interrupts.supervise(Mode())
print("received", interrupts.received)
"""


@pytest.mark.parametrize(
    ("ends", "signals", "words", "received"),
    [
        (True, [signal.SIGINT, signal.SIGINT], ["drain", "cancel"], 2),
        (True, [signal.SIGTERM], ["cancel"], 15),
        (True, [signal.SIGINT, signal.SIGTERM], ["drain", "cancel"], 2),
        (False, [signal.SIGINT] * 3, ["drain", "cancel", ""], 2),
        (False, [signal.SIGTERM] * 2, ["cancel", ""], 15),
    ],
)
def test_each_signal_is_answered(
    ends: bool, signals: list[signal.Signals], words: list[str], received: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM % ends], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    for number, word in zip(signals, words, strict=True):
        process.send_signal(number)
        if word:
            assert process.stdout.readline() == f"{word}\n"
    assert process.stdout.read() == f"received {received}\n"
    assert process.wait() == 0


def test_what_a_mode_raises_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from pegasus.interrupts import Interrupts

    class Mode:
        def run(self) -> None:
            raise ValueError("from the mode")

        def drain(self) -> None: ...

        def cancel(self) -> None: ...

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="from the mode"), Interrupts() as interrupts:
        interrupts.supervise(Mode())
    assert signal.getsignal(signal.SIGINT) is before
