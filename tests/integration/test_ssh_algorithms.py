"""Which algorithms a connection uses: those that the configuration allows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ssh_client import configure, connection_to, failure
from sshd import Sshd, generate_key

MakeSshd = Callable[..., Sshd]


def transport_with(server: Sshd, directory: Path, *lines: str) -> Any:
    """Connect and disconnect; return the transport, which remembers what was agreed on."""
    connection: Any = connection_to(configure(server, directory, *lines))
    try:
        connection.open()
        return connection.trunks[0].transport
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("line", "attribute", "expected"),
    [
        ("Ciphers aes256-gcm@openssh.com,aes128-ctr", "local_cipher", "aes256-gcm@openssh.com"),
        ("Ciphers chacha20-poly1305@openssh.com,aes192-ctr", "local_cipher", "aes192-ctr"),
        ("MACs hmac-sha1,hmac-sha2-512", "local_mac", "hmac-sha1"),
        ("MACs -*-etm@openssh.com,umac*", "local_mac", "hmac-sha2-256"),
        ("HostKeyAlgorithms rsa-sha2-256,ssh-ed25519", "host_key_type", "rsa-sha2-256"),
    ],
)
def test_the_first_algorithm_that_is_allowed_is_used(
    make_sshd: MakeSshd, tmp_path: Path, line: str, attribute: str, expected: str
) -> None:
    generate_key(tmp_path / "rsa", "rsa")
    server = make_sshd(f"HostKey {tmp_path}/rsa")
    assert getattr(transport_with(server, tmp_path, line), attribute) == expected


@pytest.mark.parametrize("line", [None, "MACs hmac-sha1"])
def test_where_no_ciphers_are_configured_one_is_used_that_needs_no_mac(
    make_sshd: MakeSshd, tmp_path: Path, line: str | None
) -> None:
    transport = transport_with(make_sshd(), tmp_path, *([line] if line else []))
    assert transport.local_cipher == transport.remote_cipher == "aes128-gcm@openssh.com"
    server = make_sshd("Ciphers aes192-ctr,chacha20-poly1305@openssh.com")
    assert transport_with(server, tmp_path).local_cipher == "aes192-ctr"


@pytest.mark.parametrize(
    "name", ["curve25519-sha256", "ecdh-sha2-nistp384", "diffie-hellman-group16-sha512"]
)
def test_a_key_exchange_that_both_allow_is_made(
    make_sshd: MakeSshd, tmp_path: Path, name: str
) -> None:
    server = make_sshd(f"KexAlgorithms {name}")
    wanted = f"KexAlgorithms sntrup761x25519-sha512@openssh.com,{name},ecdh-sha2-nistp256"
    transport = transport_with(server, tmp_path, wanted)
    assert transport.preferred_kex == (name, "ecdh-sha2-nistp256")
    error = failure(configure(server, tmp_path, "KexAlgorithms ecdh-sha2-nistp521"))
    assert error.step == "session"
    assert "KexAlgorithms has nothing" in error.problem


def test_the_known_type_of_key_comes_first_among_those_that_are_allowed(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    rsa = generate_key(tmp_path / "rsa", "rsa")
    server = make_sshd(f"HostKey {tmp_path}/rsa")
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {rsa}\n")
    line = "HostKeyAlgorithms ssh-ed25519,rsa-sha2-256"
    assert transport_with(server, tmp_path, line).host_key_type == "rsa-sha2-256"
    config = configure(server, tmp_path, "HostKeyAlgorithms ssh-ed25519")
    assert failure(config).step == "host key"  # another key than the known one


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "aes128-ctr"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "ecdh-sha2-nistp256"),
        ("HostKeyAlgorithms sk-ssh-ed25519@openssh.com", "ssh-ed25519"),
    ],
)
def test_nothing_in_common_with_us_is_an_error_that_names_the_directive(
    sshd: Sshd, tmp_path: Path, line: str, known: str
) -> None:
    error = failure(configure(sshd, tmp_path, line))
    assert error.step == "resolve"
    directive, _, name = line.partition(" ")
    assert f"{directive} allows nothing that is possible here ({name})" in error.problem
    assert known in error.problem


def test_ciphers_that_authenticate_by_themselves_need_no_mac(sshd: Sshd, tmp_path: Path) -> None:
    macs = "MACs umac-128-etm@openssh.com"
    transport = transport_with(sshd, tmp_path, macs)
    assert transport.local_cipher == "aes128-gcm@openssh.com"
    error = failure(configure(sshd, tmp_path, macs, "Ciphers aes128-ctr"))
    assert "MACs allows nothing" in error.problem


def test_nothing_in_common_with_the_server_is_said(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd("Ciphers aes256-ctr")
    error = failure(configure(server, tmp_path, "Ciphers aes128-ctr"))
    assert error.step == "session"
    assert "Ciphers" in error.problem


@pytest.mark.parametrize(("value", "expected"), [("yes", "zlib@openssh.com"), ("no", "none")])
def test_compression_is_the_configuration_s(
    sshd: Sshd, tmp_path: Path, value: str, expected: str
) -> None:
    transport = transport_with(sshd, tmp_path, f"Compression {value}")
    assert transport.local_compression == expected


def test_every_default_of_openssh_leaves_something_in_common() -> None:
    from paramiko import Transport

    answer = subprocess.run(["ssh", "-G", "-F", "none", "host"], capture_output=True, text=True)
    options = dict(line.partition(" ")[::2] for line in answer.stdout.splitlines())
    for name, known in (
        ("ciphers", Transport._cipher_info),
        ("macs", Transport._mac_info),
        ("kexalgorithms", {*Transport._kex_info, "curve25519-sha256"}),
        ("hostkeyalgorithms", Transport._key_info),
    ):
        assert len(set(options[name].split(",")) & set(known)) >= 3
