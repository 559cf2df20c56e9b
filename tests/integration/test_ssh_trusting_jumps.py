"""Host keys of jump hosts, which the `ssh` that leads through them checks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from client import OTHER, Client
from sshd import Sshd, generate_key

from pegasus.model import Host, Node
from pegasus.ssh.connect import connector
from pegasus.ssh.group import BroadcastGroup

MakeSshd = Callable[..., Sshd]


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd with two host keys and a certificate for one, to jump through."""
    directory = tmp_path_factory.mktemp("bastion")
    extra = f"HostKey {directory}/second\nHostCertificate {directory}/host_key-cert.pub"
    server = Sshd(directory, f"{extra}\nMaxStartups 100")
    generate_key(directory / "second", "ecdsa")
    generate_key(directory / "authority")
    sign = ["ssh-keygen", "-q", "-s", str(directory / "authority"), "-I", "id", "-h"]
    names = ["-n", "127.0.0.1", str(directory / "host_key.pub")]
    subprocess.run([*sign, *names], check=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(sshd: Sshd, bastion: Sshd, tmp_path: Path) -> Client:
    """A client that knows the host, not the bastion, and reaches it through the bastion."""
    return through(bastion, sshd, tmp_path)


def through(bastion: Sshd, server: Sshd, directory: Path, *options: str) -> Client:
    hop = (
        "Host bastion",
        "HostName 127.0.0.1",
        f"Port {bastion.port}",
        f"User {bastion.user}",
        f"IdentityFile {bastion.directory}/client_key",
        "UpdateHostKeys yes",
        "Host node-1",
        "ProxyJump bastion",
        "Host *",
    )
    client = Client(server, directory, (*hop, *options))
    client.known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    return client


def add(client: Client, line: str) -> None:
    with client.known_hosts.open("a") as file:
        file.write(line + "\n")


def added(client: Client) -> list[str]:
    return client.known_hosts.read_text().splitlines()[1:]


def test_an_unknown_key_of_a_jump_host_is_added(client: Client, bastion: Sshd) -> None:
    assert client.refusal() is None
    assert added(client) == [f"[127.0.0.1]:{bastion.port} {bastion.host_key}"]


def test_strict_yes_holds_for_jump_hosts(sshd: Sshd, bastion: Sshd, tmp_path: Path) -> None:
    client = through(bastion, sshd, tmp_path, "StrictHostKeyChecking yes")
    assert "bastion" in client.problem()
    assert added(client) == []


def test_a_changed_key_of_a_jump_host_is_refused_with_file_and_line(
    client: Client, bastion: Sshd
) -> None:
    add(client, f"[127.0.0.1]:{bastion.port} {OTHER}")
    problem = client.problem()
    assert "bastion" in problem
    assert f"{client.known_hosts}:2" in problem


def test_a_revoked_key_of_a_jump_host_is_refused(client: Client, bastion: Sshd) -> None:
    add(client, f"@revoked [127.0.0.1]:{bastion.port} {bastion.host_key}")
    problem = client.problem()
    assert "bastion" in problem
    assert "revoked" in problem


def test_an_authority_vouches_for_a_jump_host(sshd: Sshd, bastion: Sshd, tmp_path: Path) -> None:
    client = through(bastion, sshd, tmp_path, "StrictHostKeyChecking yes")
    authority = (bastion.directory / "authority.pub").read_text()
    add(client, f"@cert-authority [127.0.0.1]:{bastion.port} {authority.strip()}")
    assert client.refusal() is None


def test_the_other_keys_of_a_jump_host_do_not_make_ssh_replace_the_file(
    client: Client, bastion: Sshd
) -> None:
    add(client, f"[127.0.0.1]:{bastion.port} {bastion.host_key}")
    before = client.known_hosts.stat().st_ino, client.known_hosts.read_text()
    assert client.refusal() is None
    assert (client.known_hosts.stat().st_ino, client.known_hosts.read_text()) == before


def test_many_connections_through_an_unknown_jump_host_leave_whole_lines(
    client: Client, bastion: Sshd
) -> None:
    connect = connector(ssh_config=client.config)
    group = BroadcastGroup.of(connect(Node(i, Host("node-1", "node-1"))) for i in range(16))
    try:
        assert group.each(lambda connection: connection.open()).errors == {}
    finally:
        group.close()
    assert set(added(client)) == {f"[127.0.0.1]:{bastion.port} {bastion.host_key}"}
