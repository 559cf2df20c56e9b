"""Host certificates: what an authority signed about a host's key.

The rules are OpenSSH's for hosts (sshkey_cert_check_host); wildcards in a certificate's names
mean nothing, as in OpenSSH 9.2.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)
from paramiko import Message, PKey

from pegasus.ssh.openssh.algorithms import CERTIFICATE

#: The types of certificate that hosts have.
KINDS = tuple(
    kind + CERTIFICATE
    for kind in (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
    )
)

#: How many fields the key itself has in a certificate; elliptic curves have two.
_KEY_FIELDS = {"ssh-ed25519" + CERTIFICATE: 1}

#: OpenSSH's CASignatureAlgorithms, as far as authorities without a security token go.
_ALGORITHMS = frozenset(
    {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    }
)


class BrokenCertificateError(Exception):
    """A certificate is not what its authority signed, or no certificate at all."""


@dataclass(frozen=True)
class HostCertificate:
    """A certificate that a server has shown.

    Attributes:
        line: it all, as `type base64`.
        authority: the public key of the authority, as it goes over the wire.
        algorithm: with what it is signed.
    """

    line: str
    authority: bytes
    algorithm: str
    _content: SSHCertificate | None

    @classmethod
    def of(cls, key: PKey) -> HostCertificate | None:
        """Return the certificate that came with a server's key, or None.

        Raises:
            BrokenCertificateError: it is broken, or was changed after it was signed.
        """
        if key.public_blob is None:
            return None
        blob = key.public_blob.key_blob
        line = f"{key.public_blob.key_type} {base64.b64encode(blob).decode()}"
        try:
            authority, algorithm = _read_signer(blob)
            content = None if algorithm.startswith("sk-") else _load(line)
        except (ValueError, InvalidSignature) as error:
            raise BrokenCertificateError from error
        return cls(line, authority, algorithm, content)

    def flaw(self, name: str, algorithms: Collection[str]) -> str:
        """Return why the certificate is not good for a host, or "" when it is.

        Whether the authority is one to be believed is not asked here.

        Parameters:
            name: the host's name in lower case, without a port.
            algorithms: CASignatureAlgorithms; none stands for OpenSSH's own list.
        """
        content, now = self._content, int(time.time())
        if content is None:
            return "is of a kind that can't be checked here"
        if content.type is not SSHCertificateType.HOST:
            return "is not one for hosts"
        if now < content.valid_after:
            return "is not yet valid"
        if now >= content.valid_before:
            return "has expired"
        names = content.valid_principals
        if names and name.encode("utf-8", "surrogateescape") not in names:
            return f"is not for {name}"
        if content.critical_options:
            return "has critical options, and hosts' have none"
        if self.algorithm not in (algorithms or _ALGORITHMS):
            return f"is signed with {self.algorithm}, which CASignatureAlgorithms leaves out"
        return ""


def _read_signer(blob: bytes) -> tuple[bytes, str]:
    """Return an authority's key and the algorithm of its signature (PROTOCOL.certkeys)."""
    message = Message(blob)
    for _ in range(1 + _KEY_FIELDS.get(message.get_text(), 2)):
        message.get_binary()  # a nonce and the key
    message.get_int64()  # serial number
    message.get_int()  # type
    for _ in range(2):
        message.get_binary()  # id, names
    for _ in range(2):
        message.get_int64()  # times
    for _ in range(3):
        message.get_binary()  # critical options, extensions, nothing
    authority = message.get_binary()
    return authority, Message(message.get_binary()).get_text()


def _load(line: str) -> SSHCertificate | None:
    """Return what a certificate says, or None where it is of a kind that the library refuses.

    Raises:
        ValueError: it is broken.
        InvalidSignature: it is not what was signed.
    """
    try:
        content = load_ssh_public_identity(line.encode())
    except UnsupportedAlgorithm:
        return None
    if not isinstance(content, SSHCertificate):
        raise ValueError("not a certificate")
    content.verify_cert_signature()
    return content
