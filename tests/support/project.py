"""A directory as a user has it, and pegasus run in it as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import yaml

from pegasus.ssh.unchanged import COARSE

#: Longer than anything takes on a busy machine; a test that needs it has failed.
PATIENCE = 60.0

#: A line that is erased later on, and colours.
_UNSEEN = re.compile(r"[^\n]*\x1b\[J|\x1b\[[0-9;]*m|\x1b\[\?7[hl]")

#: The key, for `InTerminal.type`.
CTRL_C = "\x03"


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, and fail saying `what` did not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def wait_until_settled(*paths: Path | str) -> None:
    """Wait until files are so old that the clock of files tells each further change of them."""
    wait_until(
        lambda: all(time.time_ns() - os.stat(path).st_ctime_ns > 2 * COARSE for path in paths),
        "files that are a moment old",
    )


def write_at_once(path: Path, data: bytes) -> None:
    """Write a file that nobody sees half-written, however busy the machine is.

    A file that is emptied first and filled much later is, rightly, an empty queue to a run.
    """
    beside = path.with_name(f".{path.name}.written")
    beside.write_bytes(data)
    beside.replace(path)


class Running:
    """A pegasus that runs; its output is collected as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out = ""
        self.err = ""
        self._readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True)
            for name in ("out", "err")
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        pipe = self.process.stdout if name == "out" else self.process.stderr
        assert pipe
        for line in pipe:
            setattr(self, name, getattr(self, name) + line)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until `text` was printed, on either stream."""
        wait_until(
            lambda: (self.out + self.err).count(text) >= times,
            f"{text!r} in\n{self.out}\n{self.err}",
        )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status


def read_some(child: pexpect.spawn) -> Any:
    """Return what a terminal shows within a moment; None when nobody writes to it any more."""
    try:
        return child.read_nonblocking(65536, timeout=0.1)
    except pexpect.TIMEOUT:
        return child.string_type()
    except pexpect.EOF:
        return None


class InTerminal:
    """A pegasus that runs in the foreground of a terminal, where people type."""

    def __init__(self, child: pexpect.spawn) -> None:
        self._child = child
        #: What was written to the terminal, of both streams.
        self.raw = ""
        #: What it shows of that: without colours, and what was erased.
        self.out = ""

    @property
    def err(self) -> str:
        return self.out

    @property
    def pid(self) -> int:
        return int(self._child.pid)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the terminal shows `text`."""
        deadline = time.monotonic() + PATIENCE
        while self.out.count(text) < times:
            assert time.monotonic() < deadline, f"waited in vain for {text!r} in\n{self.out}"
            assert self._read(), f"no {text!r} in\n{self.out}"

    def type(self, keys: str) -> None:
        """Type, as the user."""
        self._child.send(keys)

    def signal(self, number: signal.Signals) -> None:
        self._child.kill(number)

    def close(self) -> None:
        """Close the terminal's window: the system sends SIGHUP, and nothing can be written."""
        self._child.ptyproc.fileobj.close()
        self._child.closed = True

    def wait(self) -> int:
        """Wait for the end and return the exit status, that of a shell for a signal's."""
        deadline = time.monotonic() + PATIENCE
        while not self._child.closed and self._read():
            assert time.monotonic() < deadline, f"no end after\n{self.out}"
        wait_until(lambda: not self._child.isalive(), "the end")
        status = self._child.exitstatus
        return 128 + self._child.signalstatus if status is None else int(status)

    def kill(self) -> None:
        if self._child.isalive():
            self._child.kill(signal.SIGKILL)
            self._child.wait()

    def _read(self) -> bool:
        """Take what the terminal shows, for a moment; return False when nobody writes to it."""
        text = read_some(self._child)
        if text:
            self.raw += text.replace("\r", "")
            self.out = _UNSEEN.sub("", self.raw)
        return text is not None


class Project:
    """A directory with tasks.py, hosts.yaml and queue.yaml."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[Running] = []
        self._in_terminals: list[InTerminal] = []
        self.write("tasks.py", "from pegasus.tasks import ns\n")

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        write_at_once(path, text.encode())
        return path

    def read(self, name: str) -> str:
        return (self.directory / name).read_bytes().decode()

    def hosts(self, text: str) -> None:
        self.write("hosts.yaml", text)

    def queue(self, text: str) -> None:
        self.write("queue.yaml", text)

    def exists(self, name: str) -> bool:
        return (self.directory / name).exists()

    @property
    def left(self) -> Any:
        """What is in the queue."""
        return yaml.safe_load(self.read("queue.yaml"))

    @property
    def consumed(self) -> list[dict[str, list[str]]]:
        """What was taken from the queue."""
        if not self.exists("consumed.yaml"):
            return []
        return yaml.safe_load(self.read("consumed.yaml")) or []

    def start(self, *arguments: str, env: dict[str, str] | None = None, **more: Any) -> Running:
        """Start `inv` with arguments, in the directory, without a terminal."""
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.directory,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whatever terminal the tests have, this has none.
            start_new_session=True,
            **more,
        )
        running = Running(process)
        self._started.append(running)
        return running

    def start_in_terminal(
        self, *arguments: str, env: dict[str, str] | None = None, stderr: str = "/dev/stdout"
    ) -> InTerminal:
        """Start `inv` with arguments, in the directory, in a terminal of its own.

        `stderr` may be a file, which then gets what the terminal does not.
        """
        child = pexpect.spawn(
            "/bin/sh",
            ["-c", 'exec "$@" 2>>"$0"', stderr, sys.executable, "-m", "invoke", *arguments],
            cwd=str(self.directory),
            env={**os.environ, **(env or {})},
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(24, 200),
        )
        running = InTerminal(child)
        self._in_terminals.append(running)
        return running

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Running:
        """Run `inv` with arguments to its end."""
        running = self.start(*arguments, env=env)
        running.wait()
        return running

    def end(self) -> None:
        """End what a failed test left."""
        for running in self._started:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        for shown in self._in_terminals:
            shown.kill()
