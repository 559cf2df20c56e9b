"""Paramiko's packets, with limits of our own for how long keys are used."""

from __future__ import annotations

import math
import time
from typing import Any

from paramiko.packet import Packetizer

from pegasus.ssh.wire.keepalive import WatchedSocket


class NodePacketizer(Packetizer):  # type: ignore[misc]
    """A packetizer that wants new keys after a number of bytes or a time.

    Only the thread that reads looks at the time, after each message: an idle connection has new
    keys with its next one.
    """

    def __init__(self, sock: WatchedSocket) -> None:
        """Read and write packets through `sock`."""
        super().__init__(sock)
        self._seconds = math.inf
        self._due = math.inf

    def limit_keys(self, size: int, seconds: float) -> None:
        """Want new keys after `size` bytes each way and after `seconds`."""
        self.REKEY_BYTES = size
        self._seconds = seconds
        self._due = time.monotonic() + seconds

    def need_rekey(self) -> bool:
        """Return whether new keys are due; the transport asks after every message."""
        return bool(super().need_rekey()) or time.monotonic() >= self._due

    def set_outbound_cipher(self, *args: Any, **kwargs: Any) -> None:
        """Take new keys into use."""
        super().set_outbound_cipher(*args, **kwargs)
        self._due = time.monotonic() + self._seconds

    def start_handshake(self, timeout: float) -> None:
        """Start no timer: whoever connects has a time limit, and 15 s trip under load."""
