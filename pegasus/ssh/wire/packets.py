"""Paramiko's packets, with few system calls, and limits of our own for how long keys are used.

Paramiko reads each packet by two system calls or more and writes each by one. Every one of them
has the thread wait for its turn among all threads of Python, so that a command whose packets are
small takes longer to wait than to work. Here a read takes all that has come, and what the reading
thread answers to that goes out together.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

from paramiko.packet import NeedRekeyException, Packetizer

from pegasus.ssh.wire.keepalive import WatchedSocket

#: How much is read at a time, in bytes: two of the largest packets that servers send.
_CHUNK = 1 << 16


class NodePacketizer(Packetizer):  # type: ignore[misc]
    """A packetizer that wants new keys after a number of bytes or a time.

    Only the thread that reads looks at the time, after each message: an idle connection has new
    keys with its next one.
    """

    def __init__(self, sock: WatchedSocket) -> None:
        """Read and write packets through `sock`."""
        super().__init__(sock)
        self._line = sock
        self._seconds = math.inf
        self._due = math.inf
        # What has been read, and how far it has been used. The thread that reads has it.
        self._read = b""
        self._used = 0
        self._reader: int | None = None
        #: When something was last heard of the peer, by the clock that is not set.
        self.heard = -math.inf
        # What is to be written together, and the thread that gathers it.
        self._held: list[bytes] = []
        self._gatherer: int | None = None
        self._write_lock = threading.Lock()

    def limit_keys(self, size: int, seconds: float) -> None:
        """Want new keys after `size` bytes each way and after `seconds`."""
        self.REKEY_BYTES = size
        self._seconds = seconds
        self._due = time.monotonic() + seconds

    def need_rekey(self) -> bool:
        """Return whether new keys are due; the transport asks after every message."""
        return bool(super().need_rekey()) or (
            self._due < math.inf and time.monotonic() >= self._due
        )

    def set_outbound_cipher(self, *args: Any, **kwargs: Any) -> None:
        """Take new keys into use."""
        super().set_outbound_cipher(*args, **kwargs)
        self._due = time.monotonic() + self._seconds

    def start_handshake(self, timeout: float) -> None:
        """Start no timer: whoever connects has a time limit, and 15 s trip under load."""

    def readline(self, timeout: float) -> str:
        """Return a line of what a server says before the first packet.

        Raises:
            TimeoutError: it has not come after `timeout` seconds, which are looked at now and then.
            EOFError: the server has hung up.
        """
        end_by = time.monotonic() + timeout
        while b"\n" not in self._read:
            if not self._fill() and time.monotonic() >= end_by:
                raise TimeoutError
        line, _, self._read = self._read.partition(b"\n")
        return line.removesuffix(b"\r").decode()

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Return the next `n` bytes.

        Raises:
            EOFError: the connection was closed.
            NeedRekeyException: nothing comes, and new keys are due; if `check_rekey`.
        """
        end = self._used + n
        while end > len(self._read):
            if not self._fill() and check_rekey and not self._read and super().need_rekey():
                raise NeedRekeyException
            end = self._used + n
        data = self._read[self._used : end]
        self._used = end
        return data

    def _fill(self) -> bool:
        """Wait for what comes next; return whether something has come before a nap was over."""
        self._reader = threading.get_ident()
        if self._held:
            with self._write_lock:
                self._write_held()
        self._read = self._read[self._used :]
        self._used = 0
        try:
            data = self._line.recv(_CHUNK)
        except TimeoutError:
            if self.closed:
                raise EOFError from None
            return False
        except OSError:
            if self.closed:
                raise EOFError from None
            raise
        if not data:
            raise EOFError
        self._read = self._read + data if self._read else data
        self.heard = time.monotonic()
        return True

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write what the caller's thread sends meanwhile in one go. One thread at a time may.

        Raises:
            EOFError: the connection is broken.
        """
        self._gatherer = threading.get_ident()
        try:
            yield
        finally:
            self._gatherer = None
            with self._write_lock:
                self._write_held()

    def write_all(self, out: bytes) -> None:
        """Send `out`; if it is from the thread that reads, once that has seen all it has read.

        Raises:
            EOFError: the connection is broken.
        """
        with self._write_lock:
            self._held.append(out)
            if not self._is_more_to_come():
                self._write_held()

    def _is_more_to_come(self) -> bool:
        """Return whether the calling thread is going to write more, or to see that it does."""
        caller = threading.get_ident()
        return caller == self._gatherer or (caller == self._reader and self._used < len(self._read))

    def _write_held(self) -> None:
        if self._held:
            out = b"".join(self._held)
            self._held.clear()
            super().write_all(out)
