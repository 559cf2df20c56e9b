"""Which algorithms may be used: what the configuration allows, as far as Paramiko has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from paramiko import Transport

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.openssh.target import Target

CERTIFICATE = "-cert-v01@openssh.com"

# The same exchange under the name that RFC 8731 gave it.
_EXCHANGES = {"curve25519-sha256": "curve25519-sha256@libssh.org"}

# What Paramiko says when there is nothing in common.
_COMPLAINTS = {
    "kex algorithm": "KexAlgorithms",
    "host key": "HostKeyAlgorithms",
    "ciphers": "Ciphers",
    "macs": "MACs",
}


# What OpenSSH up to 9.9 takes where nothing is configured. Since 10.0 it prefers AES-GCM, as we do:
# AES-CTR needs a MAC for each packet, which costs us more than all the rest of the packet.
_FORMER_DEFAULT = (
    "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
)


def restrict(node: Node, target: Target, transport: Transport) -> None:
    """Let a transport offer what the configuration allows, and in its order.

    Raises:
        UnreachableError: Paramiko has none of the algorithms of a directive (step: resolve).
    """
    _add_names(transport)
    options = transport.get_security_options()
    ciphers = _common(node, "Ciphers", target.ciphers, transport._cipher_info)
    if not ciphers or target.ciphers == tuple(_FORMER_DEFAULT.split(",")):
        ciphers = sorted(ciphers or options.ciphers, key=lambda name: "-gcm@" not in name)
    options.ciphers = ciphers
    _restrict_macs(node, target, transport)
    exchanges = _common(node, "KexAlgorithms", target.kex_algorithms, transport._kex_info)
    if exchanges:
        options.kex = exchanges
    host_keys = host_key_algorithms(node, target)
    if host_keys:
        options.key_types = host_keys


def host_key_algorithms(node: Node, target: Target) -> list[str]:
    """Return what HostKeyAlgorithms allows and Paramiko has, [] where nothing is configured.

    Raises:
        UnreachableError: there is none (step: resolve).
    """
    return _common(node, "HostKeyAlgorithms", target.host_key_algorithms, Transport._key_info)


def signatures(kind: str, allowed: Sequence[str]) -> list[str]:
    """Return the algorithms with which a key may sign, best first.

    Parameters:
        kind: the type of the key or certificate, such as ssh-rsa.
        allowed: PubkeyAcceptedAlgorithms, () for all.
    """
    plain = kind.removesuffix(CERTIFICATE)
    suffix = kind[len(plain) :]
    possible = ["rsa-sha2-512", "rsa-sha2-256"] if plain == "ssh-rsa" else [plain]
    named = [name + suffix for name in possible]
    return [name for name in allowed if name in named] if allowed else named


def explain(error: str) -> str:
    """Return what to say when a server and we have nothing in common."""
    for sign, directive in _COMPLAINTS.items():
        if sign in error.partition("(")[2]:
            return (
                f"{error}: {directive} has nothing that both the server and Paramiko know; "
                f"allow more of them, here or in its sshd_config"
            )
    return f"{error}; the server is too old or too strict"


def _restrict_macs(node: Node, target: Target, transport: Transport) -> None:
    """Restrict the MACs; ciphers that authenticate by themselves have no use for one."""
    options = transport.get_security_options()
    aead = [name for name in options.ciphers if transport._cipher_info[name].get("is_aead")]
    try:
        macs = _common(node, "MACs", target.macs, transport._mac_info)
    except UnreachableError:
        if not aead:
            raise
        options.ciphers = aead
    else:
        options.digests = macs or options.digests


def _common(
    node: Node, directive: str, wanted: Sequence[str], available: Iterable[str]
) -> list[str]:
    names = set(available)
    common = [name for name in wanted if name in names]
    if wanted and not common:
        raise UnreachableError(
            node,
            "resolve",
            f"{directive} allows nothing that is possible here ({', '.join(wanted)}); add one of "
            f"{', '.join(sorted(names))}",
        )
    return common


def _add_names(transport: Transport) -> None:
    info = transport._kex_info
    aliases = {name: info[known] for name, known in _EXCHANGES.items() if known in info}
    transport._kex_info = {**info, **aliases}
