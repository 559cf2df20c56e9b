"""Paramiko's transport, made to tell how a session ended.

Paramiko reads a death by signal, a session closed without a status and a lost connection all
as status -1. The messages that tell them apart pass through its table of channel handlers,
where this subclass looks at them.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from typing import Any, ClassVar

from paramiko import Channel, Message, Transport
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
)

from pegasus.ssh.openssh.algorithms import CERTIFICATE, signatures
from pegasus.ssh.wire.steady import SteadyTransport

# What goes wrong here is told by exceptions. Without a handler, Python would print Paramiko's
# errors, tracebacks included, on standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


#: What a server takes for a broken client when the channel is not there any more.
_FOR_OPEN_CHANNELS = (MSG_CHANNEL_DATA, MSG_CHANNEL_EOF)


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


class NodeTransport(SteadyTransport):
    """A transport for `paramiko.SSHClient.connect(transport_factory=…)`."""

    _channel_handler_table: ClassVar[dict[int, Any]] = {
        **Transport._channel_handler_table,
        MSG_CHANNEL_REQUEST: _on_request,
        MSG_CHANNEL_CLOSE: _on_close,
    }

    def __init__(self, sock: socket.socket, **kwargs: Any) -> None:
        """Prepare to speak SSH over a connected socket; see `SteadyTransport` and Paramiko's."""
        super().__init__(sock, **kwargs)
        self._reports: dict[int, SessionReport] = {}
        self._first_host_keys: set[str] = set()
        plain = self.get_security_options().key_types
        certificates = [name + CERTIFICATE for name in plain]
        self.get_security_options().key_types = [*certificates, *plain]  # as OpenSSH has them

    def prefer_host_keys(self, kinds: Sequence[str]) -> None:
        """Ask for host keys of these types first, so that a known key is the one shown.

        Parameters:
            kinds: types of key and certificate; those that are not spoken are passed over.
        """
        self._first_host_keys = {name for kind in kinds for name in signatures(kind, ())}

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The algorithms for host keys, best first. Paramiko has certificates last, or twice."""
        allowed = self.get_security_options().key_types
        return tuple(sorted(allowed, key=lambda name: name not in self._first_host_keys))

    def send_or_defer(self, message: Message) -> None:
        """Send what the peer can still place: for a session that is over, it would hang up.

        Who writes and the thread that closes a channel at the same moment know nothing of each
        other; here, their messages are in order.
        """
        if not self._is_for_closed_channel(message):
            super().send_or_defer(message)

    def _is_for_closed_channel(self, message: Message) -> bool:
        data = message.asbytes()
        if data[0] not in _FOR_OPEN_CHANNELS:
            return False
        number = int.from_bytes(data[1:5], "big")
        channels = [c for c in self._channels.values() if c.remote_chanid == number]
        is_data = data[0] == MSG_CHANNEL_DATA
        return all(is_data and channel.closed for channel in channels)  # one that we close has EOF

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
