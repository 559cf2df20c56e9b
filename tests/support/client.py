"""A client's configuration, to put before OpenSSH's ssh and before us, and compare."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from paramiko import HostKeys
from sshd import Sshd

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.connect import connector

OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa5F233/INqWcjvAxNHYYz0Os7FmFCpjMEYpMy+y+/A"
OTHER_TYPE = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDvDVBpKPkjWebX9"
    "ZvIVV8qDrRInyULhOSNTHq5AhFnua82Xk/zXAzVw+3XxbwTYlPmVe04tLgbrU7OQ+xYg9hg="
)


@dataclass
class Client:
    """A client's configuration, with a known_hosts file of its own."""

    server: Sshd
    directory: Path
    options: tuple[str, ...] = ()

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def config(self) -> str:
        self.directory.mkdir(exist_ok=True)
        lines = [*self.options, f'UserKnownHostsFile "{self.known_hosts}"']
        path = self.directory / "config"
        path.write_text("\n".join(lines) + "\n" + Path(self.server.ssh_config).read_text())
        return str(path)

    def is_let_in_by_openssh(self) -> bool:
        """Return whether ssh believes the host; it does not log in, to save the time."""
        batch = ["ssh", "-F", self.config, "-oBatchMode=yes", "-oPubkeyAuthentication=no"]
        said = subprocess.run(
            [*batch, "node-1", "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True
        ).stderr
        refused = "Host key verification failed" in said or "Bad server host key" in said
        assert refused != ("Permission denied" in said), said
        return not refused

    def refusal(self) -> UnreachableError | None:
        """Return why we do not connect, or None when we do."""
        connection = connector(ssh_config=self.config)(Node(0, Host("node-1", "node-1")))
        try:
            connection.open()
        except UnreachableError as error:
            return error
        finally:
            connection.close()
        return None

    def problem(self) -> str:
        """Return why the host's key is not believed."""
        error = self.refusal()
        assert error is not None
        assert error.step == "host key"
        return error.problem


def name_of(server: Sshd) -> str:
    return f"[127.0.0.1]:{server.port}"


def fill(text: str, server: Sshd) -> str:
    """Put the server's name and key, and keys of others, in place of words in capitals."""
    values = {
        "HASHED": HostKeys.hash_host(name_of(server)),
        "NAME": name_of(server),
        "KEY": server.host_key,
        "OTHERTYPE": OTHER_TYPE,
        "OTHER": OTHER,
        "BASE64": server.host_key.split()[1],
        "PORT": str(server.port),
    }
    for word, value in values.items():
        text = text.replace(word, value)
    return text


def assert_same_verdict(server: Sshd, directory: Path, known: str | None, *options: str) -> bool:
    """Return whether a host is believed, by ssh and by us; both leave the same in known_hosts."""
    theirs = Client(server, directory / "theirs", options)
    ours = Client(server, directory / "ours", options)
    text = fill(known, server).encode(errors="surrogateescape") if known is not None else None
    for client in (theirs, ours):
        client.directory.mkdir()
        if text is not None:
            client.known_hosts.write_bytes(text)
    is_let_in, refusal = theirs.is_let_in_by_openssh(), ours.refusal()
    left = [c.known_hosts.read_bytes() if c.known_hosts.exists() else None for c in (theirs, ours)]
    assert left[0] == left[1]
    assert is_let_in == (refusal is None), str(refusal)
    assert refusal is None or refusal.step == "host key"
    return is_let_in
