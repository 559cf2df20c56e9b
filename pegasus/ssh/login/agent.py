"""The ssh-agent: its keys for logging in, and its forwarding to sessions."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable

from paramiko import Channel, SSHException
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob

#: How long an agent may take to answer, in seconds; it may have to ask its user.
_PATIENCE = 120.0

#: How much is read at once from an agent or from whom it is forwarded to, in bytes.
_CHUNK = 32768

#: How many programs on a host may use the forwarded agent at a time.
_MOST = 64


class Agent(AgentSSH):  # type: ignore[misc]
    """A connection to the ssh-agent that listens at a path."""

    def __init__(self, path: str) -> None:
        """Connect and ask for the keys.

        Raises:
            OSError, SSHException: there is no agent, or it does not answer.
        """
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_PATIENCE)
            connection.connect(path)
            self._connect(connection)
        except BaseException:
            connection.close()
            raise

    def keys(self) -> list[HeldKey]:
        """Return the keys and certificates that it holds."""
        return [HeldKey(self, key.blob, key.comment) for key in self.get_keys()]

    def close(self) -> None:
        """Disconnect."""
        self._close()


class HeldKey(AgentKey):  # type: ignore[misc]
    """A key or certificate that an agent holds.

    The agent knows it by what it said itself; Paramiko would name the key in a certificate.
    """

    def asbytes(self) -> bytes:
        """Return the public key, or the certificate, as the agent has it."""
        return bytes(self.blob)

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:
        """Return the agent's signature, or one that is no good where the agent refuses.

        The server then refuses the key, and the next one is tried: an exception would end the
        connection.
        """
        try:
            return bytes(super().sign_ssh_data(data, algorithm))
        except (SSHException, OSError):
            return b""

    def with_certificate(self, certificate: PublicBlob) -> HeldKey:
        """Return a key that signs as this one does, and shows a certificate."""
        key = HeldKey(self.agent, self.blob, self.comment)
        key.public_blob = certificate
        return key


def socket_path(agent: str | None) -> str | None:
    """Return where an agent listens, for `Target.agent`; None for no agent."""
    found = os.environ.get("SSH_AUTH_SOCK") if agent is None else agent
    return None if found in (None, "", "none") else found


def forward(channel: Channel, path: str) -> None:
    """Let a session use the agent at `path`, and nothing else: asked for before its command.

    As with OpenSSH, an agent that is not there is not offered.
    """
    if os.path.exists(path):
        channel.request_forward_agent(_Forwarder(path))


class _Forwarder:
    """Connects what the server opens to the agent; called from the transport's thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._places = threading.BoundedSemaphore(_MOST)

    def __call__(self, channel: Channel) -> None:
        if self._places.acquire(blocking=False):
            _start(self._serve, channel)
        else:
            _start(channel.close)

    def _serve(self, channel: Channel) -> None:
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(SSHException, OSError, EOFError), agent:
                agent.connect(self._path)
                _pump_both(channel, agent)
            with contextlib.suppress(SSHException, OSError, EOFError):
                channel.close()
        finally:
            self._places.release()


def _pump_both(channel: Channel, agent: socket.socket) -> None:
    """Carry bytes both ways until one side has closed; either then closes the other."""

    def answer() -> None:
        _pump(agent.recv, channel.sendall)
        with contextlib.suppress(SSHException, OSError, EOFError):
            channel.close()  # ends the reading below

    answers = _start(answer)
    _pump(channel.recv, agent.sendall)
    with contextlib.suppress(OSError):
        agent.shutdown(socket.SHUT_RDWR)  # ends the reading above
    answers.join()


def _pump(receive: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
    with contextlib.suppress(SSHException, OSError, EOFError):
        while data := receive(_CHUNK):
            send(data)


def _start(function: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, name="pegasus-agent", daemon=True)
    thread.start()
    return thread
