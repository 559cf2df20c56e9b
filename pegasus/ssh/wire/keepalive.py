"""Noticing that the other end of a connection is gone, though nobody says so.

A host that loses its power or its network sends nothing any more, and a write to it succeeds
until buffers are full. So a peer that is silent for a while is asked for a sign of life, over SSH:
what TCP could tell ends at the first proxy, and a host whose sshd hangs still answers TCP.

Silence is counted in *naps*, reads that time out, and not read off a clock: a program that is
suspended for an hour and goes on finds that one nap is over, not that the peer is dead.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from paramiko import SSHException

#: How long a peer may be silent where neither settings nor configuration say, in seconds.
DEAD_AFTER = 30.0

_SOCKET_OPTIONS = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")


class SilentPeerError(SSHException):  # type: ignore[misc]
    """The peer is taken for dead; the message says why."""


@dataclass(frozen=True)
class Patience:
    """How long a silent peer is waited for.

    Attributes:
        dead_after: after so many seconds of silence it is taken for dead.
        naps: after so many naps, that is. After each but the last it is asked for a sign of life.
    """

    dead_after: float = DEAD_AFTER
    naps: int = 2

    @classmethod
    def choose(
        cls, dead_after: float | None, alive_interval: float | None, alive_count: int
    ) -> Patience:
        """Return what the setting says, else OpenSSH's configuration, else the default.

        Parameters:
            dead_after: the setting, in seconds, or None.
            alive_interval, alive_count: ServerAliveInterval in seconds, None where it is not
                set, and ServerAliveCountMax. The peer is asked at least at this interval.
        """
        if dead_after is None:
            dead_after = alive_interval * max(alive_count, 1) if alive_interval else DEAD_AFTER
        nap = min(dead_after / 2, alive_interval or dead_after)
        return cls(dead_after, math.ceil(dead_after / nap))

    @property
    def nap(self) -> float:
        """How long a read waits before it times out, in seconds."""
        return self.dead_after / self.naps


class WatchedSocket:
    """A socket as Paramiko's packetizer needs it, which counts the naps.

    Attributes:
        on_silence: called after a silent nap, by the thread that reads; it must not block.
            While it is None, silence means nothing.
        death: what is known of why the connection broke, or "".
    """

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        """Watch `sock`."""
        self._sock = sock
        self._patience = patience
        self._naps = 0
        self._stalls = 0
        self.on_silence: Callable[[], None] | None = None
        self.death = ""

    def time_naps(self) -> None:
        """Have the kernel end reads and writes after a nap: Python would make two calls of one."""
        seconds, rest = divmod(self._patience.nap, 1)
        nap = struct.pack("ll", int(seconds), int(rest * 1_000_000))
        self._sock.settimeout(None)
        for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._sock.setsockopt(socket.SOL_SOCKET, name, nap)

    def recv(self, size: int) -> bytes:
        """Return what has come, b"" when the connection was closed.

        Raises:
            TimeoutError: a nap is over, and nothing has come.
            SilentPeerError: the peer is dead.
            OSError: the connection is broken.
        """
        try:
            data = self._sock.recv(size)
        except BlockingIOError:
            self._end_nap()
            raise TimeoutError from None
        except TimeoutError:  # it was the kernel that gave up
            self._give_up()
        except OSError as error:
            if error.errno != errno.EBADF:  # that is us, who closed it
                self.death = self.death or error.strerror or ""
            raise
        self._naps = 0
        if not data and self.death:
            raise SilentPeerError(self.death)
        return data

    def send(self, data: bytes) -> int:
        """Return how many bytes were sent.

        Raises:
            TimeoutError: none could be sent during a nap.
            SilentPeerError: none could be sent for so long that the peer must be dead.
            OSError: the connection is broken.
        """
        try:
            count = self._sock.send(data)
        except BlockingIOError:
            self._stalls += 1  # whoever writes holds the packetizer's lock
            if self._stalls >= self._patience.naps:
                self._give_up()
            raise TimeoutError from None
        except TimeoutError:  # it was the kernel that gave up
            self._give_up()
        self._stalls = 0
        return count

    def close(self) -> None:
        """Close at once: threads that wait for the socket are woken."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def is_writable(self) -> bool:
        """Return whether a small write would not block.

        Raises:
            OSError: another thread has closed the connection.
        """
        return self._is_ready(select.POLLOUT)

    def _end_nap(self) -> None:
        if self.on_silence is None:
            return
        self._naps += 1
        if self._naps < self._patience.naps:
            self.on_silence()
        # What came while this program was suspended is not read yet, but it has come.
        elif not self._is_ready(select.POLLIN):
            self._give_up()

    def _is_ready(self, event: int) -> bool:
        poll = select.poll()  # select() can't take descriptors above 1023
        try:
            poll.register(self._sock, event)
        except ValueError:  # A socket that is closed has no descriptor.
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
        return bool(poll.poll(0))

    def _give_up(self) -> NoReturn:
        """Take the peer for dead, and let the other threads that use the socket know."""
        self.death = self.death or f"no sign of life for {self._patience.dead_after:g} s"
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        raise SilentPeerError(self.death)


def tune(sock: socket.socket, patience: Patience) -> None:
    """Set the options of a TCP socket; other sockets are left as they are.

    The kernel's keepalive does what ours does, and does it while this program is suspended.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # A round trip would wait 40 ms for a delayed acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = max(1, round(patience.dead_after / 2))
    interval = max(1, round(patience.dead_after / 6))
    for name, value in zip(
        _SOCKET_OPTIONS, (idle, interval, 3, int(patience.dead_after * 1000)), strict=True
    ):
        if hasattr(socket, name):  # not every system has every one
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
