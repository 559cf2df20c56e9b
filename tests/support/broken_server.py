"""An SSH server that behaves until it has to send a certain message, and not from then on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
from paramiko import Message, ServerInterface, Transport

#: What is done instead of sending a message: given the server's transport and the message, it
#: returns what is sent in its place, or None.
Trick = Callable[[Transport, bytes], bytes | None]


def hang_up(transport: Transport, message: bytes) -> None:
    transport.sock.shutdown(socket.SHUT_RDWR)


def stall(transport: Transport, message: bytes) -> None:
    """Send nothing."""


def babble(transport: Transport, message: bytes) -> bytes:
    """Send the message with every byte wrong but the lengths."""
    return message[:1] + (len(message) - 5).to_bytes(4, "big") + b"\xff" * (len(message) - 5)


class BrokenServer:
    """A server on loopback that plays `trick` when it is about to send message `number`.

    Attributes:
        connections: how many have been made to it.
        sessions: how many it has been asked for.
        lets_in: whether keys are accepted.
    """

    def __init__(self, number: int = 0, trick: Trick = stall, *, lets_in: bool = True) -> None:
        self.number = number
        self.trick = trick
        self.lets_in = lets_in
        self.connections = 0
        self.sessions = 0
        self.methods = "publickey"
        self.on_exec: Callable[[paramiko.Channel], None] = lambda channel: None
        self._key = paramiko.ECDSAKey.generate()
        self._transports: list[Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def configure(self, directory: Path, key: Path) -> str:
        """Return the client's configuration, in which it is node-1."""
        path = directory / "config"
        path.write_text(
            f"Host node-1\n HostName 127.0.0.1\n Port {self.port}\n User somebody\n"
            f" IdentityFile {key}\n IdentitiesOnly yes\n IdentityAgent none\n"
            f" UserKnownHostsFile {directory}/known_hosts\n GlobalKnownHostsFile none\n"
            f" ConnectTimeout 2\n"
        )
        return str(path)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = _Transport(connection)
            transport.broken = self
            transport.add_server_key(self._key)
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
                transport.start_server(event=threading.Event(), server=_Interface(self))


class _Transport(Transport):  # type: ignore[misc]
    broken: BrokenServer

    def _send_message(self, data: Message) -> None:
        message = data.asbytes()
        if message[0] == self.broken.number:
            replacement = self.broken.trick(self, message)
            if replacement is None:
                return
            data = Message(replacement)
        super()._send_message(data)


class _Interface(ServerInterface):  # type: ignore[misc]
    def __init__(self, broken: BrokenServer) -> None:
        self._broken = broken

    def get_allowed_auths(self, username: str) -> str:
        return self._broken.methods

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if self._broken.lets_in else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._broken.sessions += 1
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._broken.on_exec(channel)
        return True
