"""Which connection a node gets. Fabric and Paramiko are loaded when the first one is over SSH."""

from __future__ import annotations

import os

from pegasus.model import Node
from pegasus.ssh.base import Connect, Connection
from pegasus.ssh.local import LocalConnection
from pegasus.ssh.login.gate import ALL, EACH, Gate


def connector(
    *,
    ssh_config: str | None = None,
    kill_grace: float = 10.0,
    dead_after: float | None = None,
    handshakes: int = ALL,
    handshakes_per_host: int = EACH,
) -> Connect:
    """Return the function that makes the connection of a node: local, or over SSH.

    Parameters:
        ssh_config: a file that replaces OpenSSH's own configuration, or None.
        kill_grace: seconds between TERM and KILL when a command is cancelled.
        dead_after: seconds of silence after which a host is taken for dead; None leaves it to
            the configuration's ServerAliveInterval.
        handshakes: how many connections are made at a time.
        handshakes_per_host: how many of them to the same SSH server.
    """
    gate = Gate(handshakes_per_host, handshakes)
    config_file = os.path.expanduser(ssh_config) if ssh_config else None

    def connect(node: Node) -> Connection:
        if node.host.is_local:
            return LocalConnection(node, kill_grace=kill_grace)
        from pegasus.ssh.connection import NodeConnection

        return NodeConnection(
            node,
            gate=gate,
            ssh_config=config_file,
            kill_grace=kill_grace,
            dead_after=dead_after,
        )

    return connect
