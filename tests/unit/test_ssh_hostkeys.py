"""Deciding about host keys: what no real sshd would do, and what many do at once."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey, SSHClient

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.hostkeys.check import HostKeyCheck, entry_name
from pegasus.ssh.openssh import algorithms
from pegasus.ssh.openssh.target import Target
from pegasus.ssh.wire.transport import NodeTransport

NODE = Node(0, Host("a", "a"))


def target(**options: Any) -> Target:
    return Target(**{"name": "a", "hostname": "a.example", "port": 22, "user": "x", **options})


def check_for(file: Path, **options: Any) -> HostKeyCheck:
    return HostKeyCheck(NODE, target(known_hosts=(str(file),), **options))


def show(check: HostKeyCheck, key: PKey, client: SSHClient | None = None) -> None:
    check.missing_host_key(client or SSHClient(), "", key)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "a.example"),
        ({"hostname": "A.Example"}, "a.example"),
        ({"port": 2222}, "[a.example]:2222"),
        ({"hostname": "::1", "port": 2222}, "[::1]:2222"),
        ({"hostname": "::1"}, "::1"),
        ({"host_key_alias": "Cluster", "port": 2222}, "cluster"),
    ],
)
def test_the_name_of_a_host_s_key(options: dict[str, Any], name: str) -> None:
    assert entry_name(target(**options)) == name


def test_connections_that_see_an_unknown_key_at_the_same_time_add_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, add = threading.Barrier(6), HostKeyCheck._add

    def add_when_all_are_here(check: HostKeyCheck, shown: Any) -> None:
        meeting.wait(20)
        add(check, shown)

    monkeypatch.setattr(HostKeyCheck, "_add", add_when_all_are_here)
    file, key = tmp_path / "new" / "known_hosts", ECDSAKey.generate()
    threads = [threading.Thread(target=show, args=(check_for(file), key)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert file.read_text() == f"a.example {key.get_name()} {key.get_base64()}\n"


def test_of_two_keys_seen_at_the_same_time_only_one_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "known_hosts", ECDSAKey.generate()
    add = HostKeyCheck._add

    def add_after_another(check: HostKeyCheck, shown: Any) -> None:
        file.write_text(f"a.example {other.get_name()} {other.get_base64()}\n")
        add(check, shown)

    monkeypatch.setattr(HostKeyCheck, "_add", add_after_another)
    with pytest.raises(UnreachableError, match="has changed"):
        show(check_for(file), ECDSAKey.generate())


def test_a_file_that_cannot_be_written_to_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    show(check_for(tmp_path / "file" / "known_hosts"), ECDSAKey.generate())


def test_an_unknown_key_is_refused_where_there_is_no_file_to_add_it_to() -> None:
    with pytest.raises(UnreachableError, match="UserKnownHostsFile is none"):
        show(HostKeyCheck(NODE, target(strict="no")), ECDSAKey.generate())


def test_files_are_read_once_for_a_handshake_and_anew_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read(path))
    file, key = tmp_path / "known_hosts", ECDSAKey.generate()
    file.write_text(f"a.example {key.get_name()} {key.get_base64()}\n")
    for count in (1, 2):
        check = check_for(file, port=2222)
        check.known_kinds()
        show(check, key)
        assert len(reads) == count


def test_of_several_known_keys_the_one_of_the_same_type_is_named_as_changed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "known_hosts"
    known = [ECDSAKey.generate(bits=bits) for bits in (256, 384, 521)]
    lines = [f"a.example {key.get_name()} {key.get_base64()}\n" for key in known]
    file.write_text("".join(lines))
    for number, bits in enumerate((256, 384, 521), start=1):
        with pytest.raises(UnreachableError, match=f"{file}:{number} has another one"):
            show(check_for(file), ECDSAKey.generate(bits=bits))


def test_small_rsa_keys_are_refused(tmp_path: Path) -> None:
    key = RSAKey.generate(1024)
    with pytest.raises(UnreachableError, match="1024 bits, and RequiredRSASize is 2048"):
        show(check_for(tmp_path / "x", required_rsa_size=2048, strict="no"), key)
    show(check_for(tmp_path / "x", required_rsa_size=1024), key)


class Shaken:
    """Stands in for a transport and a client after a key exchange."""

    def __init__(self, algorithm: str, peer: object = "") -> None:
        self.host_key_type = algorithm
        self._peer = peer

    def get_transport(self) -> Shaken:
        return self

    def getpeername(self) -> object:
        return self._peer


@pytest.mark.parametrize(
    ("key", "algorithm", "is_right"),
    [
        (RSAKey.generate(1024), "rsa-sha2-256", True),
        (RSAKey.generate(1024), "rsa-sha2-256-cert-v01@openssh.com", False),
        (RSAKey.generate(1024), "ssh-ed25519", False),
        (ECDSAKey.generate(bits=256), "ecdsa-sha2-nistp256", True),
        (ECDSAKey.generate(bits=256), "ecdsa-sha2-nistp384", False),
    ],
)
def test_a_key_of_another_type_than_agreed_is_refused(
    tmp_path: Path, key: PKey, algorithm: str, is_right: bool
) -> None:
    check = check_for(tmp_path / "x")
    client: Any = Shaken(algorithm)
    if is_right:
        show(check, key, client)
    else:
        with pytest.raises(UnreachableError, match=rf"instead of .*{algorithm[:3]}"):
            show(check, key, client)


@pytest.mark.parametrize(
    ("peer", "is_here"),
    [
        (("127.0.0.1", 22), True),
        (("127.8.9.10", 22), True),
        (("::1", 22, 0, 0), True),
        (("10.0.0.1", 22), False),
        (("128.0.0.1", 22), False),
        (("fe80::1%eth0", 22, 0, 3), False),
        ("", False),  # a proxy
    ],
)
def test_loopback_addresses_need_no_check_where_the_configuration_says_so(
    tmp_path: Path, peer: object, is_here: bool
) -> None:
    client: Any = Shaken("ecdsa-sha2-nistp256", peer)
    key = ECDSAKey.generate(bits=256)
    check = check_for(tmp_path / "x", strict="yes", trust_loopback=True)
    if is_here:
        show(check, key, client)
        with pytest.raises(UnreachableError, match="is not known"):
            show(check_for(tmp_path / "x", strict="yes"), key, client)
    else:
        with pytest.raises(UnreachableError, match="is not known"):
            show(check, key, client)


ALL = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
]
CERTIFIED = [name + algorithms.CERTIFICATE for name in ALL]


@pytest.fixture
def transport() -> Any:
    ours, theirs = socket.socketpair()
    transport = NodeTransport(ours)
    yield transport
    transport.close()
    theirs.close()


def test_host_keys_are_asked_for_in_openssh_s_order(transport: NodeTransport) -> None:
    assert list(transport.preferred_keys) == CERTIFIED + ALL
    transport.prefer_host_keys(["ssh-rsa", "ssh-unheard-of"])
    rsa = ["rsa-sha2-512", "rsa-sha2-256"]
    rest = [name for name in CERTIFIED + ALL if name not in rsa]
    assert list(transport.preferred_keys) == rsa + rest


def test_only_what_the_configuration_allows_is_asked_for(transport: NodeTransport) -> None:
    allowed = target(host_key_algorithms=("rsa-sha2-512", "ssh-ed25519"))
    algorithms.restrict(NODE, allowed, transport)
    assert list(transport.preferred_keys) == ["rsa-sha2-512", "ssh-ed25519"]
    transport.prefer_host_keys(["ssh-ed25519"])
    assert list(transport.preferred_keys) == ["ssh-ed25519", "rsa-sha2-512"]


def test_where_an_authority_is_known_certificates_are_asked_for_first(
    tmp_path: Path, transport: NodeTransport
) -> None:
    file, key = tmp_path / "known_hosts", ECDSAKey.generate(bits=256)
    plain = f"a.example {key.get_name()} {key.get_base64()}\n"
    file.write_text(plain)
    transport.prefer_host_keys(check_for(file).known_kinds())
    known = "ecdsa-sha2-nistp256"
    assert list(transport.preferred_keys)[:3] == [CERTIFIED[1], known, CERTIFIED[0]]
    file.write_text(f"{plain}@cert-authority *.example {key.get_name()} {key.get_base64()}\n")
    transport.prefer_host_keys(check_for(file).known_kinds())
    assert list(transport.preferred_keys) == [
        *CERTIFIED,
        known,
        *(name for name in ALL if name != known),
    ]


def test_ed25519_keys_are_read(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(range(32))
    show(check_for(file), Ed25519Key(data=blob))
    assert file.read_text().startswith("a.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")
