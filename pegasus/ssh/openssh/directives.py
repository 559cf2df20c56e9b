"""What becomes of each directive of ssh_config(5): nothing that matters is passed over in silence.

The table is what the documentation carries too; a test holds it against OpenSSH's own list.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from pegasus.ssh.openssh.options import Options


class Treatment(enum.Enum):
    """What is done about a directive."""

    OPENSSH = "worked out by OpenSSH"
    HONOURED = "honoured"
    IGNORED = "ignored"
    REMARKED = "named when no key is accepted"
    REFUSED = "refused"


@dataclass(frozen=True)
class Directive:
    """A directive's name as ssh_config(5) writes it, and what becomes of it and why."""

    name: str
    treatment: Treatment
    note: str


def _all(treatment: Treatment, note: str, names: str) -> list[Directive]:
    return [Directive(name, treatment, note) for name in names.split()]


DIRECTIVES: tuple[Directive, ...] = (
    *_all(
        Treatment.OPENSSH,
        "says which directives hold for a host",
        "Host Match Include IgnoreUnknown Tag",
    ),
    *_all(
        Treatment.OPENSSH,
        "says what a host's full name is",
        "CanonicalDomains CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots "
        "CanonicalizePermittedCNAMEs",
    ),
    *_all(
        Treatment.HONOURED,
        "where the host is",
        "HostName Port User AddressFamily BindAddress ConnectTimeout ConnectionAttempts "
        "ProxyJump ProxyCommand",
    ),
    *_all(
        Treatment.HONOURED,
        "how the host's key is checked",
        "GlobalKnownHostsFile UserKnownHostsFile HashKnownHosts HostKeyAlias HostKeyAlgorithms "
        "StrictHostKeyChecking RevokedHostKeys CASignatureAlgorithms RequiredRSASize "
        "NoHostAuthenticationForLocalhost",
    ),
    *_all(
        Treatment.HONOURED,
        "which keys are tried",
        "IdentityFile CertificateFile IdentitiesOnly IdentityAgent PubkeyAuthentication "
        "PubkeyAcceptedAlgorithms PreferredAuthentications",
    ),
    *_all(
        Treatment.HONOURED,
        "in its order, as far as Paramiko has the algorithms; none in common is an error",
        "Ciphers MACs KexAlgorithms",
    ),
    *_all(
        Treatment.HONOURED,
        "how the connection is kept",
        "Compression RekeyLimit ServerAliveCountMax ServerAliveInterval",
    ),
    *_all(Treatment.HONOURED, "what sessions get", "SetEnv SendEnv ForwardAgent"),
    Directive(
        "KnownHostsCommand",
        Treatment.REFUSED,
        "the keys that it prints would be missing; write them to a file for UserKnownHostsFile",
    ),
    Directive(
        "ProxyUseFdpass",
        Treatment.REFUSED,
        "a ProxyCommand that passes a descriptor can't be used; use one that passes the data",
    ),
    Directive(
        "BindInterface",
        Treatment.REFUSED,
        "connections can't be bound to an interface; use BindAddress",
    ),
    Directive("RefuseConnection", Treatment.REFUSED, "the configuration says not to connect"),
    Directive(
        "VerifyHostKeyDNS",
        Treatment.REFUSED,
        "a key that is not known yet is refused, since nobody looks into the DNS",
    ),
    Directive(
        "CheckHostIP",
        Treatment.IGNORED,
        "the key is checked by the host's name, and is not looked up by its address as well",
    ),
    Directive(
        "UpdateHostKeys",
        Treatment.IGNORED,
        "keys that a host announces for later are left to `ssh`; the present one is checked",
    ),
    *_all(
        Treatment.REMARKED,
        "logging in with Kerberos is not possible; named where the server offers it",
        "GSSAPIAuthentication",
    ),
    *_all(
        Treatment.REMARKED,
        "logging in by the key of this host is not possible",
        "HostbasedAuthentication",
    ),
    *_all(
        Treatment.REMARKED,
        "a token's keys can only be used from an ssh-agent that has them",
        "PKCS11Provider SecurityKeyProvider",
    ),
    *_all(
        Treatment.IGNORED,
        "belongs to a way of logging in that is not possible here",
        "GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKeyExchange "
        "GSSAPIRenewalForcesRekey GSSAPIServerIdentity GSSAPITrustDns GSSAPIKexAlgorithms "
        "HostbasedAcceptedAlgorithms EnableSSHKeysign",
    ),
    *_all(
        Treatment.IGNORED,
        "nobody is asked for anything: as with BatchMode yes",
        "BatchMode PasswordAuthentication KbdInteractiveAuthentication KbdInteractiveDevices "
        "NumberOfPasswordPrompts UseKeychain",
    ),
    *_all(
        Treatment.IGNORED,
        "keys with a passphrase are only used from an ssh-agent that has them already",
        "AddKeysToAgent",
    ),
    *_all(
        Treatment.IGNORED,
        "every node has a connection of its own",
        "ControlMaster ControlPath ControlPersist",
    ),
    *_all(
        Treatment.IGNORED,
        "nothing but commands and the agent goes through a connection",
        "LocalForward RemoteForward DynamicForward ClearAllForwardings ExitOnForwardFailure "
        "GatewayPorts PermitRemoteOpen StreamLocalBindMask StreamLocalBindUnlink Tunnel "
        "TunnelDevice ForwardX11 ForwardX11Timeout ForwardX11Trusted XAuthLocation",
    ),
    *_all(
        Treatment.IGNORED,
        "the job is the command; it has neither a terminal nor an input",
        "RemoteCommand RequestTTY SessionType StdinNull ForkAfterAuthentication EscapeChar "
        "EnableEscapeCommandline ObscureKeystrokeTiming",
    ),
    *_all(
        Treatment.IGNORED,
        "nothing is run on this side but the proxy",
        "LocalCommand PermitLocalCommand",
    ),
    *_all(
        Treatment.IGNORED,
        "only changes what `ssh` writes",
        "FingerprintHash VisualHostKey LogLevel LogVerbose SyslogFacility WarnWeakCrypto",
    ),
    *_all(
        Treatment.IGNORED,
        "dead hosts are always looked for, and sessions end with their command",
        "TCPKeepAlive ChannelTimeout",
    ),
    *_all(
        Treatment.IGNORED, "changes neither what is sent nor to whom", "IPQoS VersionAddendum"
    ),
)  # fmt: skip

#: When a directive is refused before connecting; its value alone does not always say so.
_IN_FORCE: dict[str, Callable[[Options], bool]] = {
    "KnownHostsCommand": lambda options: options.get("knownhostscommand") is not None,
    "ProxyUseFdpass": lambda options: (
        options.flag("proxyusefdpass") and options.get("proxycommand") is not None
    ),
    "BindInterface": lambda options: (
        options.get("bindinterface") is not None
        and options.get("proxycommand") is None
        and options.get("proxyjump") is None
    ),
    "RefuseConnection": lambda options: options.get("refuseconnection") is not None,
}


def by_name() -> dict[str, Directive]:
    """Return the table by names in lower case."""
    return {directive.name.lower(): directive for directive in DIRECTIVES}


def refusal(options: Options) -> str | None:
    """Return what is wrong with a configuration that can't be honoured, or None."""
    for directive in DIRECTIVES:
        is_in_force = _IN_FORCE.get(directive.name)
        if is_in_force is not None and is_in_force(options):
            value = options.get(directive.name.lower())
            return f"{directive.name} {value}: {directive.note}"
    return None


def is_off(options: Options, name: str) -> bool:
    """Return whether a directive says no; it may have more values than yes and no."""
    return (options.get(name) or "yes").lower() in ("no", "false")


def login_remarks(options: Options) -> tuple[str, ...]:
    """Return what to say of the configuration when no key is accepted."""
    remarks = []
    if is_off(options, "pubkeyauthentication"):
        remarks.append("PubkeyAuthentication is no")
    preferred = options.names("preferredauthentications")
    if preferred and "publickey" not in preferred:
        remarks.append("PreferredAuthentications leaves publickey out")
    if options.get("pkcs11provider") is not None:
        remarks.append("PKCS11Provider is not read: ssh-add -s the token's keys")
    if options.flag("hostbasedauthentication"):
        remarks.append("HostbasedAuthentication is not possible here")
    return tuple(remarks)
