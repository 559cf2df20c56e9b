"""Host keys, checked as OpenSSH checks them with `StrictHostKeyChecking accept-new`.

Stricter than OpenSSH's ssh in this: what is revoked is refused under `StrictHostKeyChecking no`
too, and for a host's name on every port; and a known_hosts file of the user's that can't be
read lets nobody in, since a changed key would go unnoticed.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from paramiko import HostKeys, MissingHostKeyPolicy, PKey, SSHClient

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.hostkeys import certificates, knownhosts
from pegasus.ssh.hostkeys.certificates import BrokenCertificateError, HostCertificate
from pegasus.ssh.hostkeys.knownhosts import AUTHORITY, REVOKED, KnownKey
from pegasus.ssh.hostkeys.revocations import RevocationError, check_revocations
from pegasus.ssh.openssh.algorithms import CERTIFICATE
from pegasus.ssh.openssh.target import Target

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))


def entry_name(target: Target) -> str:
    """Return the name under which a target's key is kept: HostKeyAlias, or host and port."""
    name = plain_name(target)
    if target.host_key_alias is not None or target.port == 22:
        return name
    return f"[{name}]:{target.port}"


def plain_name(target: Target) -> str:
    """Return the name that a certificate has to be for: HostKeyAlias, or the host."""
    return (target.host_key_alias or target.hostname).lower()


@dataclass(frozen=True)
class _Shown:
    """What a server has shown: a key, and perhaps a certificate of it."""

    kind: str
    blob: bytes
    fingerprint: str
    line: str
    bits: int
    certificate: HostCertificate | None

    @classmethod
    def of(cls, key: PKey) -> _Shown:
        kind = str(key.get_name())
        line = f"{kind} {key.get_base64()}"
        certificate = HostCertificate.of(key)
        return cls(kind, key.asbytes(), key.fingerprint, line, key.get_bits(), certificate)

    @property
    def wire_kind(self) -> str:
        return self.kind + (CERTIFICATE if self.certificate is not None else "")

    @property
    def blobs(self) -> list[bytes]:
        """The keys that must not be revoked: the server's and its authority's."""
        return [self.blob, *([self.certificate.authority] if self.certificate else [])]


class HostKeyCheck(MissingHostKeyPolicy):  # type: ignore[misc]
    """Decides about the key that a server shows. The client has no known keys of its own, so
    that every key comes here. The files are read once for a handshake, and again to add a key.
    """

    def __init__(self, node: Node, target: Target) -> None:
        self._node = node
        self._target = target
        self._name = entry_name(target)
        self._plain_name = plain_name(target)
        self._lines: list[KnownKey] | None = None
        self._flaw = ""  # why a certificate is not good, for messages

    def known_kinds(self) -> list[str]:
        """Return the types to ask for first, as OpenSSH does: keys that are known for the
        target and certificates of such, and any certificate where an authority is known.
        """
        lines = self._known(self._name)
        kinds = [line.kind for line in lines if not line.marker]
        if any(line.marker == AUTHORITY for line in lines):
            return [*certificates.KINDS, *kinds]
        return [*kinds, *(kind + CERTIFICATE for kind in kinds)]

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Return when the key is good; called by Paramiko, with names of its own making.

        Raises:
            UnreachableError: it is not (step: host key).
        """
        shown = self._examine(client, key)
        if self._is_trusted_loopback(client) or self._is_known(shown):
            return
        reason = self._reason_not_to_add()
        if reason:
            raise self._refusal(f"{self._describe(shown)} is not known, and {reason}")
        self._add(shown)

    def _reason_not_to_add(self) -> str:
        target = self._target
        if not target.known_hosts:
            return "UserKnownHostsFile is none: there is no file to add it to"
        if target.strict == "yes":
            return (
                f"StrictHostKeyChecking is yes; connect with `ssh -o StrictHostKeyChecking=ask` "
                f"once to compare it and add it to {target.known_hosts[0]}"
            )
        if target.verify_host_key_dns and target.strict != "no":
            return (
                "VerifyHostKeyDNS asks for a look into the DNS, which only ssh can take; "
                "connect with ssh once to add the key"
            )
        return ""

    def _examine(self, client: SSHClient, key: PKey) -> _Shown:
        """Return what was shown, which no rule for all hosts forbids."""
        try:
            shown = _Shown.of(key)
            for file in self._target.revoked_host_keys:
                certificate = shown.certificate
                line = certificate.line if certificate is not None else shown.line
                check_revocations(file, line, shown.blobs)
        except BrokenCertificateError as error:
            raise self._refusal(f"{self._name} shows a broken host certificate") from error
        except RevocationError as error:
            raise self._refusal(f"{self._name}: {error}") from error
        agreed = _agreed_kind(client)
        if agreed is not None and agreed != shown.wire_kind:
            raise self._refusal(f"{self._name} shows {shown.wire_kind} instead of {agreed}")
        if shown.kind == "ssh-rsa" and shown.bits < self._target.required_rsa_size:
            raise self._refusal(
                f"{self._describe(shown)} has {shown.bits} bits, and RequiredRSASize is "
                f"{self._target.required_rsa_size}; give the host a new key"
            )
        return shown

    def _is_trusted_loopback(self, client: SSHClient) -> bool:
        """Return whether NoHostAuthenticationForLocalhost spares the server the rest."""
        target = self._target
        return target.trust_loopback and target.host_key_alias is None and _is_loopback(client)

    def _is_known(self, shown: _Shown) -> bool:
        """Return whether the key is known and good, or False when nothing is known.

        Raises:
            UnreachableError: the key is revoked, or another one is known.
        """
        for line in self._known():
            if line.marker == REVOKED and line.blob in shown.blobs:
                raise self._refusal(f"the key of {self._name} is revoked in {line.place}")
        if self._is_certified(shown):
            return True
        lines = [line for line in self._known(self._name) if not line.marker]
        if any(line.blob == shown.blob for line in lines):
            return True
        if lines and self._target.strict != "no":
            raise self._refusal(self._describe_change(shown, lines))
        return bool(lines) or self._is_known_without_port(shown)

    def _is_certified(self, shown: _Shown) -> bool:
        """Return whether a known authority vouches for the key; if not, it is like any other."""
        certificate = shown.certificate
        authorities = [line.blob for line in self._known() if line.marker == AUTHORITY]
        if certificate is None or certificate.authority not in authorities:
            return False
        self._flaw = certificate.flaw(self._plain_name, self._target.ca_algorithms)
        return not self._flaw

    def _is_known_without_port(self, shown: _Shown) -> bool:
        """OpenSSH too takes a key of the host's for granted, whatever its port."""
        lines = self._known(self._plain_name)
        return any(not line.marker and line.blob == shown.blob for line in lines)

    def _known(self, name: str | None = None) -> list[KnownKey]:
        """Return the lines that match a name, or all that match the host with or without port."""
        if self._lines is None:
            self._lines = self._read()
        return [line for line in self._lines if name in (None, line.name)]

    def _read(self) -> list[KnownKey]:
        names = list(dict.fromkeys((self._name, self._plain_name)))
        lines = []
        for file in self._target.known_hosts:
            try:
                lines += knownhosts.look_up(names, file)
            except OSError as error:
                problem = f"{file}: {error.strerror}; a changed key would go unnoticed"
                raise self._refusal(f"{problem}: see to it that the file can be read") from error
        for file in self._target.global_known_hosts:
            lines += _look_up_if_readable(names, file)
        return lines

    def _add(self, shown: _Shown) -> None:
        """Add the key to the user's file, unless another connection did so meanwhile."""
        hashed = self._target.hash_known_hosts
        written = HostKeys.hash_host(self._name) if hashed else self._name
        with knownhosts.opened_to_add(self._target.known_hosts[0]) as descriptor:
            self._lines = None
            if descriptor is not None and not self._is_known(shown):
                knownhosts.append(descriptor, f"{written} {shown.line}\n")

    def _describe(self, shown: _Shown) -> str:
        certificate = f", with a certificate that {self._flaw}," if self._flaw else ""
        return f"the {shown.kind} host key of {self._name} ({shown.fingerprint}){certificate}"

    def _describe_change(self, shown: _Shown, others: list[KnownKey]) -> str:
        line = next((line for line in others if line.kind == shown.kind), others[0])
        return (
            f"the host key of {self._name} has changed: {line.place} has another one than "
            f"{self._describe(shown)}. Someone may be listening in; or the host was set up anew: "
            f"then {self._remedy(line)}"
        )

    def _remedy(self, line: KnownKey) -> str:
        if line.is_shared:
            return "change the line by hand, since it is for other hosts too"
        command = f"ssh-keygen -f {shlex.quote(line.file)} -R {shlex.quote(self._name)}"
        if line.file in self._target.known_hosts:
            return f"remove the line ({command})"
        return f"the line has to go, which is for all users of this machine (sudo {command})"

    def _refusal(self, problem: str) -> UnreachableError:
        return UnreachableError(self._node, "host key", problem)


def _look_up_if_readable(names: Sequence[str], file: str) -> list[KnownKey]:
    try:
        return knownhosts.look_up(names, file)
    except OSError:  # not the user's to mend; OpenSSH goes on without it too
        return []


def _agreed_kind(client: SSHClient) -> str | None:
    """Return the type of key or certificate that the key exchange was to be signed with."""
    transport = client.get_transport()
    algorithm = transport.host_key_type if transport is not None else None
    if algorithm is None:
        return None
    plain, suffix, _ = algorithm.partition(CERTIFICATE)
    return f"{'ssh-rsa' if plain.startswith('rsa-') else plain}{suffix}"


def _is_loopback(client: SSHClient) -> bool:
    """Return whether the peer is on this machine; a proxy's other end is nowhere."""
    transport = client.get_transport()
    peer = transport.getpeername() if transport is not None else None
    if not isinstance(peer, tuple):
        return False
    address = ip_address(peer[0].partition("%")[0])
    return any(address in network for network in _LOOPBACK)
