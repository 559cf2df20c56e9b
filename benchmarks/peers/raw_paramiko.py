"""A loop over open connections as one would write it by hand, with Paramiko: a thread a node.

`plain` runs the command itself; the others the same watchdog-wrapped command as pegasus.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import paramiko

from benchmarks.peers import Numbers, Server, answer, own_cpu
from pegasus.ssh.running import watchdog

_REQUEST, _LEASH = watchdog.exec_request(10.0), watchdog.leash("true")

_CHUNK = 32768


def queue(server: Server, nodes: int, jobs: int) -> Numbers:
    """Run so many jobs on so many nodes, each on the next free one."""
    return _timed(server, nodes, jobs, _wrapped)


def plain(server: Server, nodes: int, jobs: int) -> Numbers:
    """The same, with commands as they are."""
    return _timed(server, nodes, jobs, _plain)


def _timed(
    server: Server, nodes: int, jobs: int, run: Callable[[paramiko.Transport], None]
) -> Numbers:
    transports = [_connect(server) for _ in range(nodes)]
    left = _Jobs(jobs)
    threads = [
        threading.Thread(target=_work, args=(transport, left, run)) for transport in transports
    ]
    begin, before = time.perf_counter(), own_cpu()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu = time.perf_counter() - begin, own_cpu() - before
    for transport in transports:
        transport.close()
    return {"seconds": seconds, "cpu": cpu, "done": left.done}


def _connect(server: Server) -> paramiko.Transport:
    connected = socket.create_connection((server.host, server.port))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connected)
    transport.start_client(timeout=60)
    key = paramiko.Ed25519Key.from_private_key_file(server.key)
    transport.auth_publickey(server.user, key)
    return transport


class _Jobs:
    """Jobs that are left, for several threads."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()
        self.done = 0

    def __iter__(self) -> Iterator[None]:
        while True:
            with self._lock:
                if not self._left:
                    return
                self._left -= 1
            yield
            with self._lock:
                self.done += 1


def _work(
    transport: paramiko.Transport, jobs: _Jobs, run: Callable[[paramiko.Transport], None]
) -> None:
    for _ in jobs:
        run(transport)


def _wrapped(transport: paramiko.Transport) -> None:
    channel = transport.open_session()
    channel.exec_command(_REQUEST)
    channel.sendall(_LEASH)
    _read_to_the_end(channel)


def _plain(transport: paramiko.Transport) -> None:
    channel = transport.open_session()
    channel.exec_command("true")
    _read_to_the_end(channel)


def _read_to_the_end(channel: paramiko.Channel) -> None:
    while channel.recv(_CHUNK):
        pass
    status = channel.recv_exit_status()
    if status:
        raise SystemExit(f"exit status {status}")
    channel.close()


if __name__ == "__main__":
    answer(queue, plain)
