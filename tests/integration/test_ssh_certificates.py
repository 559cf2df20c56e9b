"""Host certificates: what ssh and we make of those that a real sshd shows."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import Client, assert_same_verdict, fill
from sshd import Sshd, generate_key

YES = "StrictHostKeyChecking yes"
NEW = "StrictHostKeyChecking accept-new"


class Authority:
    """Signs the host key of a server, which shows what was signed last."""

    def __init__(self, directory: Path, server: Sshd, kind: str = "ed25519") -> None:
        self._key = directory / f"authority-{kind}"
        self._server = server
        self.public = generate_key(self._key, kind)

    def sign(self, *options: str, key: str = "host_key") -> Path:
        command = ["ssh-keygen", "-q", "-s", str(self._key), "-I", "id", *options]
        path = self._server.directory / f"{key}.pub"
        subprocess.run([*command, str(path)], check=True, stdin=subprocess.DEVNULL)
        return path.with_name(f"{key}-cert.pub")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that reads its certificate anew for every connection."""
    directory = tmp_path_factory.mktemp("certified")
    server = Sshd(directory, f"HostCertificate {directory}/host_key-cert.pub")
    Authority(directory, server).sign("-h", "-n", "127.0.0.1")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def authority(server: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), server)


@pytest.fixture
def line(authority: Authority) -> str:
    return f"@cert-authority NAME {authority.public}\n"


#: What a certificate says, and whether OpenSSH lets that count.
CERTIFICATES = {
    "for the host": (["-h", "-n", "127.0.0.1"], True),
    "for a list": (["-h", "-n", "elsewhere,127.0.0.1"], True),
    "for any host": (["-h"], True),
    "with an extension": (["-h", "-n", "127.0.0.1", "-O", "extension:x=y"], True),
    "for ever": (["-h", "-n", "127.0.0.1", "-V", "always:forever"], True),
    "for another host": (["-h", "-n", "elsewhere"], False),
    "for a pattern": (["-h", "-n", "127.0.0.*"], False),
    "for all by a pattern": (["-h", "-n", "*"], False),
    "that has expired": (["-h", "-n", "127.0.0.1", "-V", "20200101:20200102"], False),
    "that is not yet valid": (["-h", "-n", "127.0.0.1", "-V", "20900101:20910101"], False),
    "with a critical option": (["-h", "-n", "127.0.0.1", "-O", "critical:x=y"], False),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_a_certificate(
    server: Sshd, authority: Authority, line: str, tmp_path: Path, case: str
) -> None:
    options, is_good = CERTIFICATES[case]
    authority.sign(*options)
    (tmp_path / "yes").mkdir()
    assert assert_same_verdict(server, tmp_path / "yes", line, YES) == is_good
    # One that is not good is as none at all: the key is like any other.
    (tmp_path / "new").mkdir()
    assert assert_same_verdict(server, tmp_path / "new", line, NEW)
    added = (tmp_path / "new" / "ours" / "known_hosts").read_text().removeprefix(fill(line, server))
    assert added == ("" if is_good else fill("NAME KEY\n", server))


KNOWN = {
    "the authority for all": "@cert-authority * CA\n",
    "the authority for the host without a port": "@cert-authority 127.0.0.1 CA\n",
    "the authority for a hashed name": "@cert-authority HASHED CA\n",
    "the authority for others": "@cert-authority elsewhere CA\n",
    "the authority but for the host": "@cert-authority *,!NAME CA\n",
    "the authority as if it were a host": "NAME CA\n",
    "the authority after a tab, a broken marker": "@cert-authority\t* CA\n",
    "another authority": "@cert-authority * OTHER\n",
    "two authorities": "@cert-authority * OTHER\n@cert-authority * CA\n",
    "another authority for the port": "@cert-authority NAME OTHER\n@cert-authority 127.0.0.1 CA\n",
    "another authority, and the key": "@cert-authority * OTHER\nNAME KEY\n",
    "another authority, and another key": "@cert-authority * OTHER\nNAME OTHER\n",
    "the authority, and another key": "NAME OTHER\n@cert-authority * CA\n",
    "the authority, and another type": "NAME OTHERTYPE\n@cert-authority * CA\n",
    "the key alone": "NAME KEY\n",
    "another key alone": "NAME OTHER\n",
    "nothing": "",
    "a revoked authority": "@cert-authority * CA\n@revoked * CA\n",
    "a revoked authority that nobody believes": "@revoked * CA\n",
    "a revoked authority, and the key": "NAME KEY\n@revoked * CA\n",
    "a revoked key": "@cert-authority * CA\n@revoked * KEY\n",
    "another revoked authority": "@cert-authority * CA\n@revoked * OTHER\n",
}


@pytest.mark.parametrize("strictness", [YES, NEW])
@pytest.mark.parametrize("case", KNOWN)
def test_what_is_known_of_the_authority(
    server: Sshd, authority: Authority, tmp_path: Path, case: str, strictness: str
) -> None:
    authority.sign("-h", "-n", "127.0.0.1")
    known = KNOWN[case].replace("CA", authority.public)
    assert_same_verdict(server, tmp_path, known, strictness)


@pytest.mark.parametrize(("signed", "is_good"), [("cluster", True), ("Cluster", False)])
def test_a_certificate_has_to_be_for_the_alias_in_lower_case(
    server: Sshd, authority: Authority, tmp_path: Path, signed: str, is_good: bool
) -> None:
    authority.sign("-h", "-n", signed)
    known = f"@cert-authority cluster {authority.public}\n"
    verdict = assert_same_verdict(server, tmp_path, known, YES, "HostKeyAlias Cluster")
    assert verdict == is_good


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("option", ["", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519"])
def test_the_algorithm_of_the_signature_has_to_be_allowed(
    server: Sshd, tmp_path: Path, kind: str, option: str
) -> None:
    authority = Authority(tmp_path, server, kind)
    authority.sign("-h", "-n", "127.0.0.1", *(["-t", "rsa-sha2-256"] if kind == "rsa" else []))
    known = f"@cert-authority * {authority.public}\n"
    options = [YES, f"CASignatureAlgorithms {option}"] if option else [YES]
    expected = not option or kind in option
    assert assert_same_verdict(server, tmp_path, known, *options) == expected


def test_signatures_with_sha_1_do_not_count(server: Sshd, tmp_path: Path) -> None:
    authority = Authority(tmp_path, server, "rsa")
    authority.sign("-h", "-n", "127.0.0.1", "-t", "ssh-rsa")
    known = f"@cert-authority * {authority.public}\n"
    assert not assert_same_verdict(server, tmp_path, known, YES)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_keys_of_other_types_have_certificates_too(
    authority: Authority, tmp_path: Path, kind: str
) -> None:
    directory = tmp_path / "server"
    directory.mkdir()
    extra = f"HostKey {directory}/second\nHostCertificate {directory}/second-cert.pub"
    server = Sshd(directory, extra)
    generate_key(directory / "second", kind)
    own = Authority(tmp_path, server)
    own.sign("-h", "-n", "127.0.0.1", key="second")
    server.start()
    try:
        known = f"@cert-authority * {own.public}\n"
        assert assert_same_verdict(server, tmp_path, known, YES)
    finally:
        server.stop()


def test_why_a_certificate_is_not_good_is_told(
    server: Sshd, authority: Authority, line: str, tmp_path: Path
) -> None:
    authority.sign("-h", "-n", "127.0.0.1", "-V", "20200101:20200102")
    ours = Client(server, tmp_path, (YES,))
    ours.known_hosts.write_text(fill(line, server))
    assert "with a certificate that has expired, is not known" in ours.problem()


REVOKED = {
    "the key": ("text", "KEY", False),
    "the authority": ("text", "CA", False),
    "another key": ("text", "# mine\n\n \tOTHER it\n", True),
    "a line that is no key": ("text", "OTHER\nx\n", False),
    "nothing": ("text", "", True),
    "the key in a list": ("krl", "KEY", False),
    "the authority in a list": ("krl", "CA", False),
    "another key in a list": ("krl", "OTHER", True),
    "the certificate's number in a list": ("krl", "serial: 7", False),
    "another number in a list": ("krl", "serial: 8", True),
    "a broken list": ("broken", "OTHER", False),
}


@pytest.mark.parametrize("case", REVOKED)
def test_revoked_host_keys(
    server: Sshd, authority: Authority, line: str, tmp_path: Path, case: str
) -> None:
    authority.sign("-h", "-n", "127.0.0.1", "-z", "7")
    kind, text, is_good = REVOKED[case]
    file = tmp_path / "revoked"
    file.write_text(fill(text.replace("CA", authority.public), server) + "\n")
    if kind != "text":
        revoke(file, authority)
    if kind == "broken":
        file.write_bytes(file.read_bytes()[:40])
    verdict = assert_same_verdict(server, tmp_path, line, NEW, f"RevokedHostKeys {file}")
    assert verdict == is_good
    if not is_good:
        ours = Client(server, tmp_path / "ours", (f"RevokedHostKeys {file}",))
        problem = ours.problem()
        assert str(file) in problem
        assert ("revoked in" in problem) == (kind != "broken" and "no key" not in case)


def revoke(file: Path, authority: Authority) -> None:
    """Make a key revocation list of a file that says what shall be in it."""
    source = file.with_name("source")
    source.write_text(file.read_text())
    (file.with_name("ca.pub")).write_text(authority.public + "\n")
    command = ["ssh-keygen", "-q", "-k", "-f", str(file), "-s", str(file.with_name("ca.pub"))]
    subprocess.run([*command, str(source)], check=True)
