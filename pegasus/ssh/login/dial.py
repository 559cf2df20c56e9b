"""The byte stream to an sshd: a socket, or a program that the configuration names.

Programs (ProxyCommand, and `ssh -W` for ProxyJump) get one end of a socket pair as standard
input and output, and Paramiko the other: so it sees at once when one dies, at no cost. They
run in a session of their own, where a Ctrl-C in the terminal does not reach them.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from typing import IO

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.base import GivenUpError
from pegasus.ssh.login.jump import jump_command
from pegasus.ssh.openssh.target import Target
from pegasus.ssh.plain import plain

#: How long a TCP connection may take when the configuration does not say, in seconds.
CONNECT_TIMEOUT = 30.0

#: How often it is looked whether the connection is still wanted, in milliseconds.
_GLANCE = 200

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class Line:
    """A connected byte stream.

    Attributes:
        socket: what Paramiko talks through.
    """

    def __init__(self, sock: socket.socket, proxy: _Proxy | None = None) -> None:
        self.socket = sock
        self._proxy = proxy

    def close(self) -> None:
        """Hang up, and end the program if there is one."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads
        self.socket.close()
        if self._proxy is not None:
            self._proxy.end()

    def complaint(self) -> str:
        """Return what the program wrote on standard error, or "" where there is none."""
        return self._proxy.complaint() if self._proxy is not None else ""

    def exit_status(self) -> int | None:
        """Return the exit status of the program, None where there is none or it still runs.

        It is negative for a death by signal.
        """
        return self._proxy.exit_status() if self._proxy is not None else None


class _Proxy:
    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def exit_status(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1)
        return None

    def complaint(self) -> str:
        self.exit_status()  # it says why it ends before it ends
        try:
            self._errors.seek(0)
            text = self._errors.read(4096).decode(errors="replace")
        except ValueError:  # the line was closed by another thread
            return ""
        return plain(text)


def first_hop(target: Target) -> str:
    """Return what names the first sshd on the way, which counts the handshakes."""
    if target.proxy_jump is not None:
        return target.proxy_jump.partition(",")[0]
    return target.proxy_command or f"[{target.hostname}]:{target.port}"


def dial(node: Node, target: Target, closing: threading.Event) -> Line:
    """Connect to a target's sshd.

    Raises:
        UnreachableError: (steps: resolve, connect).
        GivenUpError: `closing` was set meanwhile.
    """
    if target.proxy_jump is not None:
        return _start(node, jump_command(node, target, closing))
    if target.proxy_command is not None:
        shell = shutil.which("sh") or "/bin/sh"
        return _start(node, [shell, "-c", f"exec {target.proxy_command}"])
    return Line(_connect(node, target, closing))


def _connect(node: Node, target: Target, closing: threading.Event) -> socket.socket:
    timeout = target.connect_timeout or CONNECT_TIMEOUT
    where = f"{target.hostname} port {target.port}"
    try:
        return _connect_repeatedly(target, timeout, closing)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        problem = f"{target.hostname!r} is not found ({reason}); is it written right in hosts.yaml?"
        raise UnreachableError(node, "resolve", problem) from error
    except TimeoutError as error:
        problem = f"{where} does not answer within {timeout:g} s; is the host up?"
        raise UnreachableError(node, "connect", problem) from error
    except OSError as error:
        reason = error.strerror or str(error)
        problem = f"{where}: {reason}; is the host up, and sshd running there?"
        raise UnreachableError(node, "connect", problem) from error


def _connect_repeatedly(target: Target, timeout: float, closing: threading.Event) -> socket.socket:
    """Connect, with as many tries as ConnectionAttempts has, a second apart."""
    for _ in range(target.connect_attempts - 1):
        with contextlib.suppress(OSError):
            return _connect_to_any(target, timeout, closing)
        if closing.wait(1):
            raise GivenUpError
    return _connect_to_any(target, timeout, closing)


def _connect_to_any(target: Target, timeout: float, closing: threading.Event) -> socket.socket:
    """As `socket.create_connection`, but not without `closing` being looked at."""
    failure = OSError("the name has no address")
    wanted = _FAMILIES.get(target.address_family, socket.AF_UNSPEC)
    places = socket.getaddrinfo(target.hostname, target.port, wanted, socket.SOCK_STREAM)
    for family, kind, protocol, _, place in places:
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                _bind(sock, family, target.bind_address)
                _await_connection(sock, place, timeout, closing)
            except BaseException:
                sock.close()
                raise
            return sock
        except OSError as error:
            failure = error
    raise failure


def _bind(sock: socket.socket, family: int, address: str | None) -> None:
    """Bind to BindAddress, if there is one, which has to be of the same family."""
    if address is None:
        return
    try:
        found = socket.getaddrinfo(address, 0, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
        sock.bind(found[0][4])
    except OSError as error:
        raise OSError(f"BindAddress {address}: {error.strerror or error}") from error


def _await_connection(
    sock: socket.socket, place: object, timeout: float, closing: threading.Event
) -> None:
    sock.setblocking(False)
    deadline = time.monotonic() + timeout
    with contextlib.suppress(BlockingIOError):
        sock.connect(place)  # type: ignore[arg-type]
    ready = select.poll()
    ready.register(sock, select.POLLOUT)
    while not ready.poll(_GLANCE):
        if closing.is_set():
            raise GivenUpError
        if time.monotonic() > deadline:
            raise TimeoutError
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.setblocking(True)


def _start(node: Node, command: list[str]) -> Line:
    ours, theirs = socket.socketpair()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the line
    try:
        with theirs:
            end = theirs.fileno()
            process = subprocess.Popen(
                command, stdin=end, stdout=end, stderr=errors, start_new_session=True
            )
    except OSError as error:
        ours.close()
        errors.close()
        problem = f"{shlex.join(command)}: {error.strerror}"
        raise UnreachableError(node, "connect", problem) from error
    return Line(ours, _Proxy(process, errors))
