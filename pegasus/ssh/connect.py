"""Which connection a node gets. Import this late: it loads Fabric and Paramiko."""

from __future__ import annotations

import os

from pegasus.model import Node
from pegasus.ssh.base import Connect, Connection
from pegasus.ssh.connection import NodeConnection
from pegasus.ssh.gate import Gate
from pegasus.ssh.local import LocalConnection


def connector(*, ssh_config: str | None, kill_grace: float = 10.0) -> Connect:
    """Return the function that makes the connection of a node: local, or over SSH.

    Parameters:
        ssh_config: a file that replaces OpenSSH's own configuration, or None.
        kill_grace: seconds between TERM and KILL when a command is cancelled.
    """
    gate = Gate()
    config_file = os.path.expanduser(ssh_config) if ssh_config else None

    def connect(node: Node) -> Connection:
        if node.host.is_local:
            return LocalConnection(node, kill_grace=kill_grace)
        return NodeConnection(node, gate=gate, ssh_config=config_file, kill_grace=kill_grace)

    return connect
