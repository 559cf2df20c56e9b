"""Paramiko's transport, made to survive an exchange of keys and to notice a dead peer.

While keys are exchanged anew, nothing else may be sent. Paramiko has whoever wants to send wait;
its own thread too, which then can't read the message that would end the waiting. Here, messages
wait instead, in the order in which they were to be sent.
"""

from __future__ import annotations

import math
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from paramiko import Message, Transport
from paramiko.common import MSG_CHANNEL_WINDOW_ADJUST, cMSG_GLOBAL_REQUEST

from pegasus.ssh.wire.keepalive import Patience, WatchedSocket, tune
from pegasus.ssh.wire.packets import NodePacketizer

_PATIENCE = Patience()

#: Messages with numbers below this one negotiate keys or log in (RFC 4250, 4.1.2).
_CONNECTION_PROTOCOL = 80


class SteadyTransport(Transport):  # type: ignore[misc]
    """A transport that never waits for new keys, and never waits for the dead."""

    def __init__(
        self, sock: socket.socket, *, patience: Patience = _PATIENCE, **kwargs: Any
    ) -> None:
        """Prepare to speak SSH over a connected socket; `kwargs` are Paramiko's."""
        self._deferred: deque[Message] = deque()
        self._answers: deque[Callable[[], None]] = deque()
        tune(sock, patience)
        self._line = WatchedSocket(sock, patience)
        super().__init__(sock, packetizer_class=lambda _: NodePacketizer(self._line), **kwargs)
        # Paramiko's own 0.1 s is ten wake-ups a second for every connection, and closing wakes the
        # thread that reads anyhow.
        self._line.time_naps()

    @property
    def is_openssh(self) -> bool:
        """Whether the server is OpenSSH's, by its own word."""
        return "OpenSSH" in self.remote_version

    @property
    def silence(self) -> float:
        """For how many seconds nothing has been heard of the peer."""
        return time.monotonic() - float(self.packetizer.heard)

    @property
    def death(self) -> str:
        """What is known of why the connection broke, or ""."""
        return self._line.death

    def limit_keys(self, size: int, seconds: float) -> None:
        """Have new keys agreed on after `size` bytes each way and after `seconds`; 0: as ever."""
        self.packetizer.limit_keys(size or self.packetizer.REKEY_BYTES, seconds or math.inf)

    def keep_alive(self) -> None:
        """From now on, take a silent peer for dead. Until then, the limits of logging in hold."""
        self._line.on_silence = self._ask

    def ping(self, on_answer: Callable[[], None]) -> None:
        """Ask the peer for an answer; `on_answer` is called by the thread that reads it.

        What the peer sent before its answer has arrived by then.
        """
        with self.clear_to_send_lock:
            self._answers.append(on_answer)
            self.send_or_defer(_ping())

    def _ask(self) -> None:
        """Ask for a sign of life, unless that would have to wait for somebody who writes."""
        if not self.clear_to_send_lock.acquire(blocking=False):
            return
        try:
            # In a key exchange it is the peer who owes us a message already.
            if self.clear_to_send.is_set() and self._line.is_writable():
                self._answers.append(_nothing)
                self.send_or_defer(_ping())
        finally:
            self.clear_to_send_lock.release()

    def send_together(self, messages: Iterable[Message]) -> None:
        """Send messages at once, one behind the other: with one system call, in one segment.

        Raises:
            OSError, EOFError: the connection is lost.
        """
        if not self.active:
            raise EOFError
        with self.clear_to_send_lock, self.packetizer.together():
            for message in messages:
                self.send_or_defer(message)

    def send_or_defer(self, message: Message) -> None:
        """Send a message now, or after those that wait for new keys. The lock must be held."""
        if self.clear_to_send.is_set() and not self._deferred:
            self.packetizer.send_message(message)
        else:
            self._deferred.append(message)

    # Paramiko's own, with another behaviour:

    def _send_user_message(self, data: Message) -> None:
        if not self.active:
            return  # whoever waits for an answer is told
        try:
            self._send_message(data)
        except (OSError, EOFError):
            # It is sent by who has just taken output, which must not be lost with the connection.
            if data.asbytes()[0] != MSG_CHANNEL_WINDOW_ADJUST:
                raise

    def _send_message(self, data: Message) -> None:
        if data.asbytes()[0] < _CONNECTION_PROTOCOL:
            super()._send_message(data)
            return
        with self.clear_to_send_lock:
            self.send_or_defer(data)

    def _parse_newkeys(self, m: Message) -> None:
        super()._parse_newkeys(m)
        with self.clear_to_send_lock:
            while self._deferred:
                self.packetizer.send_message(self._deferred.popleft())

    def _parse_request_success(self, m: Message) -> None:
        super()._parse_request_success(m)
        self._note_answer()

    def _parse_request_failure(self, m: Message) -> None:
        super()._parse_request_failure(m)
        self._note_answer()

    def _note_answer(self) -> None:
        if self._answers:  # they come in the order of the requests
            self._answers.popleft()()


def _ping() -> Message:
    """Return a request that no server knows and each must answer: OpenSSH's clients send it."""
    message = Message()
    message.add_byte(cMSG_GLOBAL_REQUEST)
    message.add_string("keepalive@openssh.com")
    message.add_boolean(True)
    return message


def _nothing() -> None:
    """Do nothing with an answer: that it came is enough."""
