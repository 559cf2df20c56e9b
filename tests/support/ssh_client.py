"""Connecting to a test's sshd, as pegasus does."""

from __future__ import annotations

from pathlib import Path

import attempts
import pytest
from attempts import node
from sshd import Sshd

from pegasus.errors import UnreachableError
from pegasus.model import Ending
from pegasus.ssh.base import Connection
from pegasus.ssh.connect import connector


def configure(server: Sshd, directory: Path, *lines: str) -> str:
    """Write a client configuration in which `lines` come before the server's own."""
    path = directory / "config"
    path.write_text("\n".join(lines) + "\n" + Path(server.ssh_config).read_text())
    return str(path)


def configure_keys(server: Sshd, directory: Path, *lines: str) -> str:
    """As `configure`, but with no key and no agent that `lines` do not name."""
    path = directory / "config"
    text = Path(server.ssh_config).read_text()
    kept = [line for line in text.splitlines() if not line.strip().startswith("Identit")]
    path.write_text("\n".join([*lines, *kept]) + "\n")
    return str(path)


def connection_to(config: str, name: str = "node-1", **parts: object) -> Connection:
    return connector(ssh_config=config)(node(name, **parts))


def run(connection: Connection, command: str) -> tuple[Ending, str]:
    """Run a command; return how it ended and its standard output."""
    ending, output, _ = attempts.run(connection, command)
    return ending, output.decode()


def output_of(config: str, command: str, name: str = "node-1") -> str:
    """Connect, run a command that has to succeed, disconnect; return its output."""
    connection = connection_to(config, name)
    try:
        connection.open()
        ending, output = run(connection, command)
        assert ending.exit_status == 0, (ending, output)
        return output
    finally:
        connection.close()


def failure(config: str, name: str = "node-1", **parts: object) -> UnreachableError:
    """Return why connecting fails."""
    connection = connection_to(config, name, **parts)
    try:
        with pytest.raises(UnreachableError) as caught:
            connection.open()
    finally:
        connection.close()
    return caught.value
