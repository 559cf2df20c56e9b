"""From a byte stream to a session that is logged in, with errors that say what to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from paramiko import SSHClient, SSHException
from paramiko.auth_strategy import AuthFailure
from paramiko.ssh_exception import IncompatiblePeer

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.hostkeys.check import HostKeyCheck
from pegasus.ssh.login.auth import Login
from pegasus.ssh.login.dial import CONNECT_TIMEOUT, Line, dial
from pegasus.ssh.login.gate import DroppedError
from pegasus.ssh.openssh import algorithms
from pegasus.ssh.openssh.target import Target
from pegasus.ssh.plain import plain
from pegasus.ssh.wire.keepalive import Patience
from pegasus.ssh.wire.transport import NodeTransport

#: How long a server may take to log us in, and to open a channel, in seconds.
_LOGIN_TIMEOUT = 60.0
_CHANNEL_TIMEOUT = 60.0

# What `ssh -W` says when the sshd of a jump host turns it away for the moment.
_TURNED_AWAY = ("kex_exchange_identification", "Connection reset", "Connection closed by")
# … and when the jump host can't reach the next one.
_NO_WAY = "stdio forwarding failed"


class Handshake:
    """Makes clients for one target; each try has a line of its own."""

    def __init__(
        self,
        node: Node,
        target: Target,
        on_line: Callable[[Line], None],
        closing: threading.Event,
        dead_after: float | None = None,
    ) -> None:
        """Prepare.

        Parameters:
            on_line: is given every line as soon as it is there.
            closing: when it is set, no connection is waited for.
            dead_after: the setting of that name.
        """
        self._node = node
        self._patience = Patience.choose(dead_after, target.alive_interval, target.alive_count)
        self._target = target
        self._on_line = on_line
        self._closing = closing
        self._timeout = target.connect_timeout or CONNECT_TIMEOUT
        self._where = f"{target.hostname} port {target.port}"

    def make(self) -> SSHClient:
        """Return a client that is logged in.

        Raises:
            UnreachableError: with the step that failed.
            DroppedError: the server hung up before the login; it may have too much to do.
            GivenUpError: `closing` was set.
        """
        line = dial(self._node, self._target, self._closing)
        self._on_line(line)
        client = SSHClient()
        login = Login(self._node, self._target)
        start = time.monotonic()
        try:
            self._connect(client, line, login)
        except BaseException as error:
            is_answered = _is_answered(client)
            client.close()
            explained = self._explain(error, login, line, time.monotonic() - start)
            explained = explained if is_answered else self._blame_proxy(explained, line)
            line.close()
            if explained is error:
                raise
            raise explained from error
        return client

    def _connect(self, client: SSHClient, line: Line, login: Login) -> None:
        check = HostKeyCheck(self._node, self._target)
        kinds = check.known_kinds()

        def make_transport(sock: Any, **options: Any) -> NodeTransport:
            transport = NodeTransport(sock, patience=self._patience, **options)
            algorithms.restrict(self._node, self._target, transport)
            transport.prefer_host_keys(kinds)
            return transport

        client.set_missing_host_key_policy(check)
        client.connect(
            self._target.hostname,
            port=self._target.port,
            username=self._target.user,
            sock=line.socket,
            timeout=self._timeout,
            banner_timeout=self._timeout,
            auth_timeout=_LOGIN_TIMEOUT,
            channel_timeout=_CHANNEL_TIMEOUT,
            transport_factory=make_transport,
            compress=self._target.compression,
            auth_strategy=login,
        )
        transport = client.get_transport()
        transport.limit_keys(*self._target.rekey_limit)
        transport.keep_alive()

    def _explain(
        self, error: BaseException, login: Login, line: Line, seconds: float
    ) -> BaseException:
        """Return what to raise for `error`, or itself where there is nothing to add."""
        if isinstance(error, AuthFailure):
            cause = login.interruption(error)
            if cause is None:
                return self._failure("auth", login.describe(error))
            if isinstance(cause, TimeoutError):
                problem = f"{self._where} says nothing of who may log in for {_LOGIN_TIMEOUT:g} s"
                return self._failure("auth", problem)
            error = cause
        if isinstance(error, UnreachableError) or not isinstance(error, Exception):
            return error
        if isinstance(error, (SSHException, OSError, EOFError)):
            return self._explain_silence(error, line, seconds)
        # Paramiko's parsers let through what they stumble over: ValueError and many others.
        return self._failure("session", f"{self._where} does not speak SSH properly: {error}")

    def _explain_silence(self, error: Exception, line: Line, seconds: float) -> Exception:
        """Return the error for a server that ended the conversation, or says nothing any more."""
        if isinstance(error, IncompatiblePeer):
            return self._failure("session", algorithms.explain(str(error)))
        if str(error).startswith("Signature verification"):
            problem = f"{self._where} can't prove that the host key which it shows is its own"
            return self._failure("host key", problem)
        complaint = line.complaint()
        if complaint and not _is_turned_away(complaint):
            return self._explain_complaint(complaint)
        if seconds >= self._timeout:
            problem = f"{self._where}: no answer from an SSH server within {self._timeout:g} s"
            return self._failure("connect", problem)
        if str(error).startswith("Indecipherable"):
            return self._failure("connect", f"{self._where} is not an SSH server")
        is_mute = not str(error) or str(error).startswith("Error reading SSH protocol banner")
        said = complaint or ("the server hung up" if is_mute else plain(str(error)))
        return DroppedError(f"{self._where}: {said}; is sshd running there, and does it let us in?")

    def _explain_complaint(self, complaint: str) -> UnreachableError:
        """Return the error for what a proxy said before it ended."""
        step = "connect"
        if "Host key verification failed" in complaint or "host key" in complaint.lower():
            step = "host key"
        elif "Permission denied" in complaint:
            step = "auth"
        elif "Could not resolve" in complaint:
            step = "resolve"
        via = self._target.proxy_jump or "ProxyCommand"
        return self._failure(step, f"on the way, by {via}: {complaint}")

    def _blame_proxy(self, error: BaseException, line: Line) -> BaseException:
        """Return the error for a ProxyCommand that failed without a word, else `error`."""
        command = self._target.proxy_command
        if command is None or not isinstance(error, DroppedError) or line.complaint():
            return error
        status = line.exit_status()
        if not status:
            return error
        how = f"with status {status}" if status > 0 else f"by signal {-status}"
        problem = f"ProxyCommand `{command}` ended {how} before an sshd had answered"
        return self._failure("connect", problem)

    def _failure(self, step: str, problem: str) -> UnreachableError:
        return UnreachableError(self._node, step, plain(problem))


def _is_turned_away(complaint: str) -> bool:
    return _NO_WAY not in complaint and any(sign in complaint for sign in _TURNED_AWAY)


def _is_answered(client: SSHClient) -> bool:
    """Return whether an sshd has said what it is."""
    transport = client.get_transport()
    return transport is not None and bool(transport.remote_version)
