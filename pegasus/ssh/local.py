"""LocalConnection: commands on this very host, as subprocesses and without SSH."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

from pegasus.errors import NeverStartedError
from pegasus.events import Stream
from pegasus.locking import user
from pegasus.model import NO_SURROUNDINGS, Ending, Node, Outcome, Surroundings
from pegasus.ssh.base import Cancellation, OnAnnounced, OnOutput, Peer, nobody
from pegasus.ssh.running import watchdog
from pegasus.ssh.running.endings import exit_ending, refuse
from pegasus.ssh.running.order import NotStartedError, Order
from pegasus.ssh.running.stream import Follower, NotBegunError

#: How much is read at once, in bytes: what a pipe holds.
_CHUNK = 64 * 1024

_TOO_EARLY = "disconnected before the command began"


class LocalProcess:
    """The `Process` of a subprocess. We hold the watchdog's leash: its standard input."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._disposed = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        for pipe, stream in ((process.stdout, Stream.STDOUT), (process.stderr, Stream.STDERR)):
            self._selector.register(pipe, selectors.EVENT_READ, stream)  # type: ignore[arg-type]
        self._ready: list[selectors.SelectorKey] = []
        threading.Thread(target=self._reap, name="pegasus-reaper", daemon=True).start()

    def _reap(self) -> None:
        self._process.wait()
        self.wake()

    @property
    def ended(self) -> bool:
        """See `Process.ended`."""
        return self._process.returncode is not None

    @property
    def drained(self) -> bool:
        """See `Process.drained`."""
        return len(self._selector.get_map()) == 1  # the wake-up pipe is left

    def caught_up(self) -> bool:
        """See `Process.caught_up`. A pipe hides nothing."""
        return True

    def wait(self, timeout: float | None) -> None:
        """See `Process.wait`."""
        self._ready = [key for key, _ in self._selector.select(timeout)]

    def wake(self) -> None:
        """See `Process.wake`."""
        with self._lock:
            if not self._disposed:
                with contextlib.suppress(BlockingIOError):  # a full pipe wakes just as well
                    os.write(self._wake_write, b".")

    def read(self) -> Iterator[tuple[Stream, bytes]]:
        """See `Process.read`."""
        for key in self._ready:
            data = os.read(key.fd, _CHUNK)
            if key.data is None:
                continue
            if data:
                yield key.data, data
            else:
                self._selector.unregister(key.fileobj)

    def tell(self, leash: bytes) -> None:
        """Tell the watchdog its command.

        Raises:
            NotStartedError: that failed. An unfinished command is never run.
        """
        rest = memoryview(leash)
        try:
            while rest:
                rest = rest[self._process.stdin.write(rest) :]  # type: ignore[union-attr]
        except (OSError, ValueError) as error:  # ValueError: it was let go.
            raise NotStartedError(f"sh ended before it began: {error}") from error

    def let_go(self) -> None:
        """See `Process.let_go`. Any thread may call it."""
        with self._lock:
            _close(self._process.stdin)

    def ending(self) -> Ending:
        """See `Process.ending`."""
        status = self._process.returncode
        # The watchdog itself may have been killed, by its group's KILL or by somebody else.
        return exit_ending(status if status >= 0 else 128 - status)

    def dispose(self) -> None:
        """See `Process.dispose`."""
        self.let_go()
        with self._lock:
            self._disposed = True
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
        _close(self._process.stdout)
        _close(self._process.stderr)


def _close(pipe: Any) -> None:
    with contextlib.suppress(OSError):
        pipe.close()


def _start(order: Order) -> LocalProcess:
    """Run the watchdog, in the current directory; it is not told its command yet.

    Raises:
        NotStartedError: that failed.
    """
    try:
        process = subprocess.Popen(
            watchdog.argv(order.grace),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is for us alone
        )
        return _followed(process)
    except (OSError, RuntimeError) as error:  # RuntimeError: out of threads.
        raise NotStartedError(f"can't start sh: {error}") from error


def _followed(process: subprocess.Popen[bytes]) -> LocalProcess:
    """Return what follows a watchdog that has not been told its command; or have it end."""
    try:
        return LocalProcess(process)
    except BaseException:
        for pipe in (process.stdin, process.stdout, process.stderr):
            _close(pipe)
        raise


class LocalConnection:
    """Runs commands on this host; see `pegasus.ssh.base.Connection`."""

    def __init__(self, node: Node, *, kill_grace: float = 10.0) -> None:
        """Prepare; `kill_grace` is the time in seconds between TERM and KILL."""
        self.node = node
        self._grace = kill_grace
        self._lock = threading.Lock()  # Guards what follows.
        self._running: set[LocalProcess] = set()
        self._closing = threading.Event()  # Of what runs now; what runs later has another.

    def open(self) -> None:
        """Do nothing: this host is there."""
        self._begin()

    def attempt(
        self,
        command: str,
        on_output: OnOutput,
        cancellation: Cancellation,
        timeout: float | None = None,
        on_announced: OnAnnounced = nobody,
        surroundings: Surroundings = NO_SURROUNDINGS,
    ) -> Ending:
        """Run `command`; see `pegasus.ssh.base.Connection.attempt`."""
        if cancellation.outcome is not None:
            return Ending(cancellation.outcome)
        refused = refuse(command, surroundings, on_output)
        if refused is not None:
            return refused
        order = Order(
            command, on_output, cancellation, self._grace, timeout, on_announced, surroundings
        )
        closing = self._begin()
        try:
            ending = self._run(order, closing)
        except NotStartedError as error:
            if closing.is_set():
                return Ending(Outcome.CANCELLED, detail=_TOO_EARLY)
            raise NeverStartedError(self.node, "session", str(error)) from error
        except NotBegunError as error:
            if closing.is_set():
                return Ending(Outcome.CANCELLED, detail=_TOO_EARLY)
            problem = f"sh did not run the command: {error}; `sh -c true` must work here"
            raise NeverStartedError(self.node, "session", problem) from error
        if closing.is_set() and cancellation.outcome is None:
            return Ending(Outcome.CANCELLED, detail="disconnected while the command ran")
        return ending

    @property
    def peer(self) -> Peer:
        """See `pegasus.ssh.base.Connection.peer`."""
        return Peer(user())

    def close(self) -> None:
        """End what runs."""
        with self._lock:
            self._closing.set()
            running, self._running = self._running, set()
        for process in running:
            process.let_go()

    def _begin(self) -> threading.Event:
        """Return what will say that what runs from now on is to end."""
        with self._lock:
            if self._closing.is_set():
                self._closing = threading.Event()
            return self._closing

    def _run(self, order: Order, closing: threading.Event) -> Ending:
        process = _start(order)
        try:
            with self._lock:
                self._running.add(process)
            if closing.is_set():
                process.let_go()
            process.tell(watchdog.leash(order.command, order.surroundings))
            return Follower(process, order).run()
        finally:
            with self._lock:
                self._running.discard(process)
            process.dispose()
