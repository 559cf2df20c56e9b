"""Paramiko's transport, made to tell how a session ended.

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
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_FAILURE,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_SUCCESS,
)

from pegasus.ssh.openssh.algorithms import CERTIFICATE, signatures
from pegasus.ssh.wire.steady import SteadyTransport

# What goes wrong here is told by exceptions. Without a handler, Python would print Paramiko's
# errors, tracebacks included, on standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


#: What a server takes for a broken client when the channel is not there any more.
_FOR_OPEN_CHANNELS = (MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_REQUEST)


class Wakeup:
    """What one thread waits for, and takes back itself; Paramiko's buffers would do it too early.

    It is an event to Paramiko, but no more than a lock: it is set many times a command, and an
    event of Python's has several locks, and one more each time it is waited for.
    """

    def __init__(self) -> None:
        """Prepare; it is not set."""
        self._unset = threading.Lock()
        self._unset.acquire()

    def set(self) -> None:
        """Wake the thread that waits, or the next one that would."""
        if self._unset.locked():
            with contextlib.suppress(RuntimeError):  # it is set by now
                self._unset.release()

    def is_set(self) -> bool:
        """Return whether nobody would have to wait."""
        return not self._unset.locked()

    def clear(self) -> None:
        """Do nothing: a buffer that is empty does not mean that nothing has happened."""

    def wait(self, timeout: float | None) -> None:
        """Wait until it is set, for so many seconds at most; then it is not set any more."""
        self._unset.acquire(timeout=-1 if timeout is None else max(timeout, 0))

    def rearm(self) -> None:
        """Take it back: what is looked at from now on is up to date."""
        self._unset.acquire(blocking=False)


class SessionReport:
    """What the server has said of how a session ended.

    Attributes:
        wakeup: set whenever something has changed, output included.
        is_accepted: what the server has answered to the request for a command, or None.
        exit_status, exit_signal: as the server sent them, or None.
        closed_by_server: whether it closed the session in good order.
    """

    def __init__(self) -> None:
        self.wakeup = Wakeup()
        self.is_accepted: bool | None = None
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


def _on_success(channel: Channel, message: Message) -> None:
    report = channel.transport.report(channel)
    if report is not None:
        report.is_accepted = True
    Channel._request_success(channel, message)


def _on_failure(channel: Channel, message: Message) -> None:
    report = channel.transport.report(channel)
    if report is not None:
        report.is_accepted = False
    Channel._request_failed(channel, message)  # closes the channel


class NodeTransport(SteadyTransport):
    """A transport for `paramiko.SSHClient.connect(transport_factory=…)`."""

    _channel_handler_table: ClassVar[dict[int, Any]] = {
        **Transport._channel_handler_table,
        MSG_CHANNEL_REQUEST: _on_request,
        MSG_CHANNEL_CLOSE: _on_close,
        MSG_CHANNEL_SUCCESS: _on_success,
        MSG_CHANNEL_FAILURE: _on_failure,
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

    def _parse_debug(self, m: Message) -> None:
        # A server says several words of a login, and Paramiko cleans each of their characters
        # even where nobody has asked for a log.
        if self.logger.isEnabledFor(logging.DEBUG):
            super()._parse_debug(m)

    def send_or_defer(self, message: Message) -> None:
        """Send what the peer can still place: for a session that is over, it would hang up.

        Who writes and the thread that closes a channel at the same moment know nothing of each
        other; here, their messages are in order. A channel that we close needs no EOF before.
        """
        if not self._is_for_closed_channel(message):
            super().send_or_defer(message)

    def _is_for_closed_channel(self, message: Message) -> bool:
        data = message.asbytes()
        if data[0] not in _FOR_OPEN_CHANNELS:
            return False
        number = int.from_bytes(data[1:5], "big")
        # One that is not open yet has no number of the peer's: Paramiko says 0.
        known = (c for c in self._channels.values() if c.active and c.remote_chanid == number)
        return all(channel.closed for channel in known)

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
