"""Logging in: keys, certificates and agents, as OpenSSH tries them."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from agents import SshAgent
from ssh_client import configure_keys, connection_to, failure, output_of
from sshd import Sshd, generate_key

MakeSshd = Callable[..., Sshd]


class Authority:
    """A certificate authority for users."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "authority"
        generate_key(self.path)

    def sign(self, key: Path, *options: str) -> Path:
        """Write KEY-cert.pub and return it."""
        user = getpass.getuser()
        subprocess.run(
            ["ssh-keygen", "-q", "-s", str(self.path), "-I", "me", "-n", user, *options,
             f"{key}.pub"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        return key.with_name(key.name + "-cert.pub")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusting(make_sshd: MakeSshd, authority: Authority) -> Sshd:
    """A server that lets in whom the authority has signed, and no key by itself."""
    return make_sshd(f"TrustedUserCAKeys {authority.path}.pub\nAuthorizedKeysFile none")


def key_in(directory: Path, name: str = "key", kind: str = "ed25519") -> Path:
    generate_key(directory / name, kind)
    return directory / name


def only_in_agent(agent: SshAgent, key: Path) -> None:
    agent.add(str(key))
    key.unlink()


@pytest.fixture(autouse=True)
def without_the_user_s_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def who_is_let_in(config: str) -> str:
    return output_of(config, "echo in")


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_beside_the_key_lets_in(
    trusting: Sshd, authority: Authority, tmp_path: Path, kind: str
) -> None:
    key = key_in(tmp_path, kind=kind)
    config = configure_keys(trusting, tmp_path, f"IdentityFile {key}")
    assert failure(config).step == "auth"
    authority.sign(key)
    assert who_is_let_in(config) == "in\n"


def test_a_certificate_that_is_named_goes_with_the_key_that_it_is_for(
    trusting: Sshd, authority: Authority, tmp_path: Path
) -> None:
    other, key = key_in(tmp_path, "other"), key_in(tmp_path)
    certificate = authority.sign(key).rename(tmp_path / "elsewhere")
    config = configure_keys(
        trusting, tmp_path, f"IdentityFile {other}", f"IdentityFile {key}",
        f"CertificateFile {certificate}",
    )  # fmt: skip
    assert who_is_let_in(config) == "in\n"
    (tmp_path / "key.pub").unlink()
    assert who_is_let_in(config) == "in\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize("only", ["yes", "no"])
def test_the_agent_signs_for_a_certificate_in_a_file(
    trusting: Sshd, authority: Authority, agent: SshAgent, tmp_path: Path, kind: str, only: str
) -> None:
    key = key_in(tmp_path, kind=kind)
    only_in_agent(agent, key)
    certificate = authority.sign(key)
    config = configure_keys(
        trusting, tmp_path, f"IdentityAgent {agent.path}", f"IdentitiesOnly {only}",
        f"CertificateFile {certificate}",
    )  # fmt: skip
    assert who_is_let_in(config) == "in\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_in_the_agent_lets_in(
    trusting: Sshd, authority: Authority, agent: SshAgent, tmp_path: Path, kind: str
) -> None:
    key = key_in(tmp_path, kind=kind)
    authority.sign(key)
    agent.add(str(key))
    for path in tmp_path.glob("key*"):
        path.unlink()
    config = configure_keys(trusting, tmp_path, f"IdentityAgent {agent.path}")
    assert who_is_let_in(config) == "in\n"
    config = configure_keys(trusting, tmp_path, f"IdentityAgent {agent.path}", "IdentitiesOnly yes")
    assert failure(config).step == "auth"  # none of its keys is an IdentityFile


def test_certificates_that_are_no_use_are_named(
    trusting: Sshd, authority: Authority, tmp_path: Path
) -> None:
    key, other = key_in(tmp_path), key_in(tmp_path, "other")
    lonely = authority.sign(other)
    (tmp_path / "garbage").write_text("ssh-ed25519-cert-v01@openssh.com garbage\n")
    config = configure_keys(
        trusting, tmp_path, f"IdentityFile {key}", f"CertificateFile {lonely}",
        f"CertificateFile {tmp_path}/garbage", f"CertificateFile {tmp_path}/none",
    )  # fmt: skip
    problem = failure(config).problem
    assert f"{lonely} has no private key" in problem
    assert f"{tmp_path}/garbage has" in problem
    assert f"{tmp_path}/none" not in problem


def authorize(server: Sshd, key: Path, *, alone: bool = True) -> None:
    path = server.directory / "authorized_keys"
    before = "" if alone else path.read_text()
    path.write_text(before + key.with_name(key.name + ".pub").read_text())


def test_keys_are_tried_in_openssh_s_order(
    make_sshd: MakeSshd, authority: Authority, agent: SshAgent, tmp_path: Path
) -> None:
    server = make_sshd("MaxAuthTries 30")
    (server.directory / "authorized_keys").write_text("")
    names = ["one", "two", "three", "stranger"]
    keys = {name: key_in(tmp_path, name) for name in names}
    for name in ("one", "two"):
        authority.sign(keys[name])
    agent.add(str(keys["stranger"]))
    agent.add(str(keys["two"]))
    named = [f"IdentityFile {keys[name]}" for name in names[:3]]
    agents = f"IdentityAgent {agent.path}"
    for lines in ([], [f"CertificateFile {keys['two']}-cert.pub"], ["IdentitiesOnly yes"]):
        config = configure_keys(server, tmp_path, agents, *named, *lines)
        server.log.write_text("")
        assert failure(config).step == "auth"
        ours = offered(server)
        server.log.write_text("")
        subprocess.run(["ssh", "-F", config, "-o", "BatchMode=yes", "node-1", "true"],
                       stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
        assert ours == offered(server)
        assert len(ours) > 4


def offered(server: Sshd) -> list[str]:
    """Return the fingerprints of the keys that were tried, in order."""
    lines = server.log.read_text().splitlines()
    return [line.partition(" ssh2: ")[2] for line in lines if "Failed publickey" in line]


def test_a_public_key_names_the_one_that_the_agent_has(
    make_sshd: MakeSshd, agent: SshAgent, tmp_path: Path
) -> None:
    server = make_sshd()
    key, stranger = key_in(tmp_path), key_in(tmp_path, "stranger")
    authorize(server, key)
    only_in_agent(agent, key)
    only_in_agent(agent, stranger)
    for name in (key, f"{key}.pub"):
        config = configure_keys(
            server, tmp_path, f"IdentityAgent {agent.path}", "IdentitiesOnly yes",
            f"IdentityFile {name}",
        )  # fmt: skip
        assert who_is_let_in(config) == "in\n"
    assert "Failed" not in server.log.read_text()


def test_a_locked_key_names_the_one_that_the_agent_has(
    make_sshd: MakeSshd, agent: SshAgent, tmp_path: Path
) -> None:
    server = make_sshd()
    key = key_in(tmp_path)
    authorize(server, key)
    agent.add(str(key))
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip
    (tmp_path / "key.pub").unlink()
    config = configure_keys(
        server, tmp_path, f"IdentityAgent {agent.path}", "IdentitiesOnly yes",
        f"IdentityFile {key}",
    )  # fmt: skip
    assert who_is_let_in(config) == "in\n"


def test_the_agent_is_the_environment_s_unless_another_one_is_named(
    make_sshd: MakeSshd, agent: SshAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_sshd()
    key = key_in(tmp_path)
    authorize(server, key)
    only_in_agent(agent, key)
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.path)
    monkeypatch.setenv("ANOTHER", agent.path)
    for value in ("SSH_AUTH_SOCK", "$ANOTHER", "${ANOTHER}"):
        config = configure_keys(server, tmp_path, f"IdentityAgent {value}")
        assert who_is_let_in(config) == "in\n"
    assert who_is_let_in(configure_keys(server, tmp_path)) == "in\n"
    assert failure(configure_keys(server, tmp_path, "IdentityAgent none")).step == "auth"


def test_an_agent_that_is_not_there_is_named(sshd: Sshd, tmp_path: Path) -> None:
    config = configure_keys(sshd, tmp_path, f"IdentityAgent {tmp_path}/none")
    assert f"no ssh-agent at {tmp_path}/none" in failure(config).problem


def test_why_a_key_was_not_tried_is_said(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n")
    (tmp_path / "garbage").chmod(0o600)
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    open_key, lonely = key_in(tmp_path, "open"), key_in(tmp_path, "lonely")
    open_key.chmod(0o644)
    lonely.unlink()
    names = ["garbage", "directory", "pipe", "open", "lonely.pub", "none", "none/none"]
    lines = [f"IdentityFile {tmp_path}/{name}" for name in names]
    problem = failure(configure_keys(sshd, tmp_path, *lines)).problem
    assert f"{tmp_path}/garbage can't be used" in problem
    assert f"{tmp_path}/directory is not a file" in problem
    assert f"{tmp_path}/pipe is not a file" in problem
    assert f"{tmp_path}/open can be read by others" in problem
    assert f"{tmp_path}/lonely.pub is a public key" in problem
    assert f"{tmp_path}/none" not in problem
    assert "there was no key to try" in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_key_that_may_not_be_read_is_named(sshd: Sshd, tmp_path: Path) -> None:
    key = key_in(tmp_path)
    key.chmod(0)
    problem = failure(configure_keys(sshd, tmp_path, f"IdentityFile {key}")).problem
    assert f"{key} can't be read (Permission denied)" in problem


def test_only_algorithms_that_are_allowed_sign(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd()
    rsa, ed = key_in(tmp_path, "rsa", "rsa"), key_in(tmp_path, "ed")
    authorize(server, rsa)
    authorize(server, ed, alone=False)
    both = [f"IdentityFile {ed}", f"IdentityFile {rsa}"]
    config = configure_keys(
        server, tmp_path, *both, "PubkeyAcceptedAlgorithms rsa-sha2-256,ssh-rsa"
    )
    connection = connection_to(config)
    connection.open()
    assert connection.trunks[0].transport._agreed_pubkey_algorithm == "rsa-sha2-256"  # type: ignore[attr-defined]
    connection.close()
    assert "Accepted publickey" in server.log.read_text()
    assert "ED25519" not in server.log.read_text().partition("Accepted publickey")[2]
    config = configure_keys(server, tmp_path, both[0], "PubkeyAcceptedAlgorithms rsa-sha2-256")
    assert f"{ed} is a ssh-ed25519, which PubkeyAcceptedAlgorithms" in failure(config).problem


def test_small_rsa_keys_are_not_used(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd()
    key = key_in(tmp_path, "rsa", "rsa")
    authorize(server, key)
    small = ["RequiredRSASize 4096", "Host node-1"]
    problem = failure(configure_keys(server, tmp_path, f"IdentityFile {key}", *small)).problem
    assert f"{key} has fewer than 4096 bits (RequiredRSASize)" in problem
    assert who_is_let_in(configure_keys(server, tmp_path, f"IdentityFile {key}")) == "in\n"


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("PubkeyAuthentication no", "PubkeyAuthentication is no"),
        ("PreferredAuthentications password,hostbased", "PreferredAuthentications leaves"),
    ],
)
def test_keys_that_the_configuration_forbids_are_not_tried(
    make_sshd: MakeSshd, tmp_path: Path, line: str, remark: str
) -> None:
    server = make_sshd()
    key = key_in(tmp_path)
    authorize(server, key)
    error = failure(configure_keys(server, tmp_path, f"IdentityFile {key}", line))
    assert error.step == "auth"
    assert remark in error.problem
    assert "publickey" not in server.log.read_text()


def test_ways_of_logging_in_that_are_not_possible_are_named(sshd: Sshd, tmp_path: Path) -> None:
    config = configure_keys(
        sshd, tmp_path, "HostbasedAuthentication yes", "PKCS11Provider /usr/lib/token.so"
    )
    problem = failure(config).problem
    assert "HostbasedAuthentication" in problem
    assert "PKCS11Provider" in problem


def test_kerberos_is_named_where_the_server_offers_it(
    make_sshd: MakeSshd, sshd: Sshd, tmp_path: Path
) -> None:
    offering = make_sshd("GSSAPIAuthentication yes")
    for server, line, is_named in (
        (offering, "GSSAPIAuthentication yes", True),
        (offering, "GSSAPIAuthentication no", False),
        (sshd, "GSSAPIAuthentication yes", False),
    ):
        problem = failure(configure_keys(server, tmp_path, line)).problem
        assert ("GSSAPIAuthentication (Kerberos) is not possible" in problem) == is_named


def test_an_agent_that_talks_nonsense_is_named(sshd: Sshd, tmp_path: Path) -> None:
    path = str(tmp_path / "nonsense.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(100)
                body = b"\x0c\0\0\0\1\0\0\0\1x\0\0\0\1\xff"
                peer.sendall(len(body).to_bytes(4, "big") + body)

        thread = threading.Thread(target=answer)
        thread.start()
        error = failure(configure_keys(sshd, tmp_path, f"IdentityAgent {path}"))
        thread.join()
    assert error.step == "auth"
    assert f"no ssh-agent at {path}" in error.problem


def test_a_server_that_wants_two_keys_gets_them(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd("AuthenticationMethods publickey,publickey")
    one, two = key_in(tmp_path, "one"), key_in(tmp_path, "two")
    authorize(server, one)
    authorize(server, two, alone=False)
    lines = [f"IdentityFile {one}", f"IdentityFile {two}"]
    assert who_is_let_in(configure_keys(server, tmp_path, *lines)) == "in\n"
    problem = failure(configure_keys(server, tmp_path, lines[0])).problem
    assert "a key was good, but the server also wants publickey" in problem


def test_a_server_that_takes_no_keys_says_so(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd("Match all\nPasswordAuthentication yes\nPubkeyAuthentication no")
    key = key_in(tmp_path)
    error = failure(configure_keys(server, tmp_path, f"IdentityFile {key}"))
    assert error.step == "auth"
    assert "the server takes password, and no keys" in error.problem


def test_a_try_to_log_in_leaves_no_descriptor_to_the_agent(
    sshd: Sshd, agent: SshAgent, tmp_path: Path
) -> None:
    agent.add(str(sshd.directory / "client_key"))
    config = configure_keys(sshd, tmp_path, f"IdentityAgent {agent.path}")
    output_of(config, "true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        connection = connection_to(config)
        connection.open()
        deadline = time.monotonic() + 10
        while agent_connections(agent):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        connection.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def agent_connections(agent: SshAgent) -> list[str]:
    """Return our connected sockets that lead to an agent."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line for line in lines if line.endswith(agent.path) and line.split()[5] == "03"]


def test_a_key_that_the_agent_refuses_to_use_does_not_keep_others_from_being_tried(
    make_sshd: MakeSshd, agent: SshAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_sshd()
    guarded, good = key_in(tmp_path, "guarded"), key_in(tmp_path, "good")
    authorize(server, guarded)
    authorize(server, good, alone=False)
    agent.add("-c", str(guarded))  # it asks whom it can't ask
    config = configure_keys(
        server, tmp_path, f"IdentityAgent {agent.path}", f"IdentityFile {good}"
    )  # fmt: skip
    assert who_is_let_in(config) == "in\n"
