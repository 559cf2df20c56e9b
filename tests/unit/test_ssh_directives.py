"""Every directive of ssh_config(5) has been decided about."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.openssh import config
from pegasus.ssh.openssh.directives import DIRECTIVES, Treatment, by_name
from pegasus.ssh.openssh.target import Target

#: What ssh_config(5) of OpenSSH 9.2 has, and what came after it; GSSAPI's are distributions'.
KNOWN = """
    Host Match AddKeysToAgent AddressFamily BatchMode BindAddress BindInterface
    CanonicalDomains CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots
    CanonicalizePermittedCNAMEs CASignatureAlgorithms CertificateFile CheckHostIP Ciphers
    ClearAllForwardings Compression ConnectionAttempts ConnectTimeout ControlMaster ControlPath
    ControlPersist DynamicForward EnableEscapeCommandline EnableSSHKeysign EscapeChar
    ExitOnForwardFailure FingerprintHash ForkAfterAuthentication ForwardAgent ForwardX11
    ForwardX11Timeout ForwardX11Trusted GatewayPorts GlobalKnownHostsFile GSSAPIAuthentication
    GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKeyExchange GSSAPIRenewalForcesRekey
    GSSAPIServerIdentity GSSAPITrustDns GSSAPIKexAlgorithms HashKnownHosts
    HostbasedAcceptedAlgorithms HostbasedAuthentication HostKeyAlgorithms HostKeyAlias Hostname
    IdentitiesOnly IdentityAgent IdentityFile IgnoreUnknown Include IPQoS
    KbdInteractiveAuthentication KbdInteractiveDevices KexAlgorithms KnownHostsCommand
    LocalCommand LocalForward LogLevel LogVerbose MACs NoHostAuthenticationForLocalhost
    NumberOfPasswordPrompts PasswordAuthentication PermitLocalCommand PermitRemoteOpen
    PKCS11Provider Port PreferredAuthentications ProxyCommand ProxyJump ProxyUseFdpass
    PubkeyAcceptedAlgorithms PubkeyAuthentication RekeyLimit RemoteCommand RemoteForward
    RequestTTY RequiredRSASize RevokedHostKeys SecurityKeyProvider SendEnv ServerAliveCountMax
    ServerAliveInterval SessionType SetEnv StdinNull StreamLocalBindMask StreamLocalBindUnlink
    StrictHostKeyChecking SyslogFacility TCPKeepAlive Tunnel TunnelDevice UpdateHostKeys User
    UserKnownHostsFile VerifyHostKeyDNS VisualHostKey XAuthLocation Tag ObscureKeystrokeTiming
    ChannelTimeout RefuseConnection VersionAddendum WarnWeakCrypto
"""


def resolve(tmp_path: Path, *lines: str, name: str = "a") -> Target:
    path = tmp_path / "config"
    path.write_text("\n".join(lines) + "\n")
    return config.resolve(Node(0, Host(name, name)), str(path))


def test_each_directive_is_decided_about_once() -> None:
    names = [directive.name.lower() for directive in DIRECTIVES]
    assert len(set(names)) == len(names)
    assert {name.lower() for name in KNOWN.split()} <= set(names)
    assert all(directive.note for directive in DIRECTIVES)


def test_what_the_openssh_of_this_host_prints_is_among_them() -> None:
    answer = subprocess.run(
        ["ssh", "-G", "-F", "none", "host"], capture_output=True, text=True, check=True
    )
    printed = {line.split()[0].lower() for line in answer.stdout.splitlines()}
    assert len(printed) > 50
    assert printed - set(by_name()) == set()


@pytest.mark.parametrize("parser", ["ssh -G", "paramiko"])
@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (["KnownHostsCommand /bin/echo %H"], "UserKnownHostsFile"),
        (["ProxyUseFdpass yes", "ProxyCommand /bin/nc %h"], "ProxyCommand"),
        (["BindInterface eth0"], "BindAddress"),
    ],
)
def test_what_can_not_be_honoured_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: str, lines: list[str], hint: str
) -> None:
    if parser == "paramiko":
        monkeypatch.setattr(config.shutil, "which", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(UnreachableError, match=hint) as caught:
        resolve(tmp_path, *lines)
    assert caught.value.step == "resolve"
    directive = lines[0].split()[0]
    assert caught.value.problem.startswith(lines[0])
    assert by_name()[directive.lower()].treatment is Treatment.REFUSED


@pytest.mark.parametrize(
    "lines",
    [
        ["KnownHostsCommand none"],
        ["ProxyUseFdpass yes"],
        ["ProxyUseFdpass no", "ProxyCommand nc %h"],
        ["BindInterface eth0", "ProxyJump b"],
        ["BindInterface eth0", "ProxyCommand nc %h"],
    ],
)
def test_what_is_not_in_force_is_not_refused(tmp_path: Path, lines: list[str]) -> None:
    assert resolve(tmp_path, *lines).name == "a"


def test_a_configuration_that_says_not_to_connect_is_obeyed() -> None:
    from pegasus.ssh.openssh.directives import refusal
    from pegasus.ssh.openssh.options import Options

    said = refusal(Options([("refuseconnection", "out of use until May")]))
    assert said is not None
    assert "out of use until May" in said
