"""Certificates that no sshd would show, and revocation lists that nobody can read."""

from __future__ import annotations

import base64
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from paramiko import Ed25519Key, Message, PKey, SSHClient

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.hostkeys.certificates import BrokenCertificateError, HostCertificate
from pegasus.ssh.hostkeys.check import HostKeyCheck
from pegasus.ssh.openssh.target import Target

AUTHORITY = ed25519.Ed25519PrivateKey.generate()
HOST = ed25519.Ed25519PrivateKey.generate().public_key()


def sign(authority: Any = AUTHORITY, **other: Any) -> SSHCertificate:
    now = int(time.time())
    parts = {
        "public_key": HOST,
        "type": SSHCertificateType.HOST,
        "valid_principals": [b"a.example"],
        "valid_after": now - 60,
        "valid_before": now + 3600,
        **other,
    }
    builder = SSHCertificateBuilder()
    for name, value in parts.items():
        builder = getattr(builder, name)(value)
    return builder.sign(authority)


def shown(blob: bytes) -> PKey:
    """Return what Paramiko makes of a certificate that a server shows."""
    return Ed25519Key(data=blob)


def blob_of(certificate: SSHCertificate) -> bytes:
    return base64.b64decode(certificate.public_bytes().split()[1])


def read(certificate: SSHCertificate) -> HostCertificate:
    found = HostCertificate.of(shown(blob_of(certificate)))
    assert found is not None
    return found


def as_blob(key: Any) -> bytes:
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


@pytest.mark.parametrize(
    ("authority", "algorithm"),
    [
        (AUTHORITY, "ssh-ed25519"),
        (ec.generate_private_key(ec.SECP384R1()), "ecdsa-sha2-nistp384"),
        (rsa.generate_private_key(65537, 2048), "rsa-sha2-512"),
    ],
)
def test_a_certificate_tells_who_signed_it_and_how(authority: Any, algorithm: str) -> None:
    certificate = read(sign(authority))
    assert certificate.authority == as_blob(authority)
    assert certificate.algorithm == algorithm
    assert certificate.flaw("a.example", ()) == ""
    assert "CASignatureAlgorithms" in certificate.flaw("a.example", ("sk-ssh-ed25519",))


@pytest.mark.parametrize(
    ("other", "flaw"),
    [
        ({"type": SSHCertificateType.USER}, "is not one for hosts"),
        ({"valid_principals": [b"b.example"]}, "is not for a.example"),
        ({"valid_after": 1, "valid_before": 2}, "has expired"),
        ({"valid_after": 2**40, "valid_before": 2**41}, "is not yet valid"),
    ],
)
def test_a_certificate_that_is_not_for_this_says_so(other: dict[str, Any], flaw: str) -> None:
    assert read(sign(**other)).flaw("a.example", ()) == flaw


def test_a_key_alone_has_no_certificate() -> None:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)
    assert HostCertificate.of(Ed25519Key(data=blob)) is None


def test_every_changed_byte_breaks_a_certificate() -> None:
    blob = blob_of(sign())
    for position in range(len(b"....ssh-ed25519-cert-v01@openssh.com"), len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        assert not is_good(bytes(changed)), position


def is_good(blob: bytes) -> bool:
    try:
        key = shown(blob)
    except Exception:  # Paramiko's, whose handshake ends here
        return False
    try:
        certificate = HostCertificate.of(key)
    except BrokenCertificateError:
        return False
    return (
        certificate is not None
        and certificate.authority == as_blob(AUTHORITY)
        and not certificate.flaw("a.example", ())
    )


def test_a_certificate_that_is_cut_short_is_broken() -> None:
    with pytest.raises(BrokenCertificateError):
        HostCertificate.of(shown(blob_of(sign())[:-1]))


def test_an_authority_on_a_security_token_is_not_believed() -> None:
    """Its signatures have parts that the library does not read; the key is like any other."""
    signer, signature = Message(), Message()
    for text in ("sk-ssh-ed25519@openssh.com", "k" * 32, "ssh:"):
        signer.add_string(text)
    for text in ("sk-ssh-ed25519@openssh.com", "s" * 64):
        signature.add_string(text)
    signature.add_bytes(b"\1\0\0\0\7")
    blob = blob_of(sign())
    message, made = Message(blob), Message()
    for _ in range(3):
        made.add_string(message.get_binary())
    made.add_int64(0)
    made.add_int(2)
    for _ in range(2):
        made.add_string(b"")
    for _ in range(2):
        made.add_int64(0)
    for part in (b"", b"", b"", signer.asbytes(), signature.asbytes()):
        made.add_string(part)
    certificate = HostCertificate.of(shown(made.asbytes()))
    assert certificate is not None
    assert certificate.authority == signer.asbytes()
    assert certificate.flaw("a.example", ()) == "is of a kind that can't be checked here"


def check_for(directory: Path, **options: Any) -> HostKeyCheck:
    known = (str(directory / "known_hosts"),)
    target = Target("a", "a.example", 22, "x", known_hosts=known, **options)
    return HostKeyCheck(Node(0, Host("a", "a")), target)


def test_a_broken_certificate_is_refused_even_when_its_key_is_known(tmp_path: Path) -> None:
    key = Ed25519Key(data=b"\0\0\0\x0bssh-ed25519\0\0\0 " + HOST.public_bytes_raw())
    (tmp_path / "known_hosts").write_text(f"a.example {key.get_name()} {key.get_base64()}\n")
    check_for(tmp_path).missing_host_key(SSHClient(), "", key)
    blob = blob_of(sign())
    forged = shown(blob[:-1] + bytes([blob[-1] ^ 1]))
    with pytest.raises(UnreachableError, match="broken host certificate"):
        check_for(tmp_path).missing_host_key(SSHClient(), "", forged)


def test_lists_that_only_openssh_can_read_let_nobody_in_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "revoked"
    file.write_bytes(b"SSHKRL\n\0")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UnreachableError, match=r"revoked .*install the OpenSSH client"):
        check_for(tmp_path, revoked_host_keys=(str(file),)).missing_host_key(
            SSHClient(), "", shown(blob_of(sign()))
        )
