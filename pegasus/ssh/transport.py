"""Paramiko's transport, made to tell how a session ended and to cost nothing while it waits.

Paramiko reads a death by signal, a session closed without a status and a lost connection all
as status -1. The messages that tell them apart pass through its table of channel handlers,
where this subclass looks at them.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Sequence
from typing import Any, ClassVar

from paramiko import Channel, Message, Transport
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST

# What goes wrong here is told by exceptions. Without a handler, Python would print Paramiko's
# errors, tracebacks included, on standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

#: How long the transport's thread sleeps at most when nothing comes, in seconds. Closing wakes
#: it at once; Paramiko's own 0.1 s is ten wake-ups a second for every connection.
_NAP = 5.0

#: A peer that is gone without a word is noticed after about this many seconds.
_DEAD_AFTER = 30
_PROBE_EVERY = 5

_SOCKET_OPTIONS: tuple[tuple[str, int], ...] = (
    ("TCP_NODELAY", 1),  # a round trip would wait 40 ms for a delayed acknowledgement
    ("TCP_KEEPIDLE", _DEAD_AFTER // 2),
    ("TCP_KEEPINTVL", _PROBE_EVERY),
    ("TCP_KEEPCNT", _DEAD_AFTER // 2 // _PROBE_EVERY),
    ("TCP_USER_TIMEOUT", _DEAD_AFTER * 1000),
)

#: The signature algorithms of a type of key, where they are named differently.
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class Wakeup(threading.Event):
    """An event that whoever waits for it clears; Paramiko's buffers would do it too early."""

    def clear(self) -> None:
        """Do nothing: a buffer that is empty does not mean that nothing has happened."""

    def rearm(self) -> None:
        """Clear it."""
        super().clear()


class SessionReport:
    """What the server has said of how a session ended.

    Attributes:
        wakeup: set whenever something has changed, output included.
        exit_status, exit_signal: as the server sent them, or None.
        closed_by_server: whether it closed the session in good order.
    """

    def __init__(self) -> None:
        self.wakeup = Wakeup()
        self.exit_status: int | None = None
        self.exit_signal: str | None = None
        self.closed_by_server = False

    def note_request(self, message: Message) -> None:
        """Take what `message` tells, and leave it as it was."""
        position = message.packet.tell()
        kind = message.get_text()
        message.get_boolean()
        if kind == "exit-status":
            self.exit_status = message.get_int()
        elif kind == "exit-signal":
            self.exit_signal = message.get_text()
        message.packet.seek(position)


def _on_request(channel: Channel, message: Message) -> None:
    report = channel.transport.report(channel)
    if report is not None:
        report.note_request(message)
    Channel._handle_request(channel, message)
    if report is not None:
        report.wakeup.set()


def _on_close(channel: Channel, message: Message) -> None:
    report = channel.transport.report(channel)
    if report is not None:
        report.closed_by_server = True
    Channel._handle_close(channel, message)  # closes the buffers, which sets the wakeup


class NodeTransport(Transport):  # type: ignore[misc]
    """A transport for `paramiko.SSHClient.connect(transport_factory=…)`."""

    _active_check_timeout = _NAP
    _channel_handler_table: ClassVar[dict[int, Any]] = {
        **Transport._channel_handler_table,
        MSG_CHANNEL_REQUEST: _on_request,
        MSG_CHANNEL_CLOSE: _on_close,
    }

    def __init__(self, sock: socket.socket, **kwargs: Any) -> None:
        self._reports: dict[int, SessionReport] = {}
        _tune(sock)
        super().__init__(sock, **kwargs)

    def prefer_host_keys(self, kinds: Sequence[str]) -> None:
        """Ask for host keys of these types first, so that a known key is the one shown.

        Parameters:
            kinds: types as known_hosts has them, best first; unknown ones are passed over.
        """
        algorithms = [name for kind in kinds for name in _ALGORITHMS.get(kind, (kind,))]
        options = self.get_security_options()
        wanted = [name for name in dict.fromkeys(algorithms) if name in options.key_types]
        options.key_types = wanted + [name for name in options.key_types if name not in wanted]

    def watch(self, channel: Channel) -> SessionReport:
        """Return the report of `channel`, which is kept up to date until `forget`."""
        report = self._reports[channel.chanid] = SessionReport()
        channel.in_buffer.set_event(report.wakeup)
        channel.in_stderr_buffer.set_event(report.wakeup)
        return report

    def report(self, channel: Channel) -> SessionReport | None:
        """Return the report of `channel`, or None when nobody watches it."""
        return self._reports.get(channel.chanid)

    def forget(self, channel: Channel) -> None:
        """Watch `channel` no more."""
        self._reports.pop(channel.chanid, None)

    def close(self) -> None:
        """Close at once: the thread that sleeps in recv() is woken."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        super().close()


def _tune(sock: socket.socket) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SOCKET_OPTIONS:
        if hasattr(socket, name):  # not every system has every one
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
