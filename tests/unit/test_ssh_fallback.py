"""Without OpenSSH: the same target as `ssh -G` gives, or an error, and never another one."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.openssh import config
from pegasus.ssh.openssh.target import Target

#: What only OpenSSH knows unless it is configured.
DEFAULTS = (
    "ciphers", "macs", "kex_algorithms", "host_key_algorithms", "pubkey_algorithms",
    "ca_algorithms",
)  # fmt: skip


def resolve(text: str, path: Path, *, is_openssh: bool, name: str = "a") -> Target:
    path.write_text(text)
    node = Node(0, Host(name, name))
    if is_openssh:
        return config.resolve(node, str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "_program", lambda path: None)
        return config.resolve(node, str(path))


def both(text: str, path: Path, name: str = "a") -> tuple[Target, Target]:
    """Return OpenSSH's target and ours, alike in what ours can't know."""
    theirs = resolve(text, path, is_openssh=True, name=name)
    ours = resolve(text, path, is_openssh=False, name=name)
    unknown = {field: getattr(theirs, field) for field in DEFAULTS if not getattr(ours, field)}
    # OpenSSH also tries types of key that Paramiko has not.
    keys = [key for key in theirs.identity_files if not re.search("_sk$|_xmss$|_dsa$", key)]
    return dataclasses.replace(theirs, identity_files=tuple(keys)), dataclasses.replace(
        ours, **unknown
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Host a\n HostName b.example\n Port 77\n User u\nHost *\n Port 78\n User v\n",
        "HostName=%h.example\nPort = 77\n",
        "Host a\nHostName %%h%h\n",
        "Host !a *\n Port 7\nHost b a?\n Port 8\nHost * !b\n Port 9\n",
        "Match originalhost a\n Port 7\nMatch all\n Port 8\n",
        "Match host real\n Port 77\nHost a\n HostName real\n",
        "Host a\n HostName real\nMatch host real\n Port 77\n",
        "Host a\n User u\nMatch user u\n Port 77\nMatch !user u\n Port 78\n",
        "Match host b,a !user nobody\n Port 5\n",
        "Match host *,!a\n Port 5\n",
        "ProxyJump none\nProxyCommand nc %h\n",
        "ProxyCommand none\nProxyJump b\n",
        "ProxyJump b,c\nProxyCommand nc %h %p %r %n %%h\n",
        "Host a\n ProxyCommand nc %h\nHost *\n ProxyJump b\n",
        "IdentityFile none\n",
        "IdentityFile ~/.ssh/x\nIdentityFile %d/y\nHost *\n IdentityFile /z%%h-%h-%n-%p-%r-%u\n",
        "IdentityFile /a\nIdentityFile none\nIdentityFile /a\n",
        "IdentityFile ${PATH_OF_KEYS}/x~y\n",
        'IdentityFile "/a b/c"\nCertificateFile "~/x y"\nIdentityAgent "/a b"\n',
        "CertificateFile ~/c-%h\nIdentitiesOnly yes\n",
        "IdentityAgent none\n",
        "IdentityAgent SSH_AUTH_SOCK\n",
        "IdentityAgent $PATH_OF_KEYS\n",
        "IdentityAgent ~/agent-%h\n",
        "ForwardAgent yes\nIdentityAgent /x/agent\n",
        "ForwardAgent no\n",
        "ForwardAgent $PATH_OF_KEYS\n",
        "UserKnownHostsFile /k/a ~/b /c-%h-%%h\nGlobalKnownHostsFile none\n",
        "HostKeyAlias UPPER\nUserKnownHostsFile /k/%k\n",
        "StrictHostKeyChecking no\nHashKnownHosts yes\n",
        "StrictHostKeyChecking off\n",
        "StrictHostKeyChecking YES\n",
        "ConnectTimeout 1m30s\nServerAliveInterval 2m\nServerAliveCountMax 5\n",
        "ConnectTimeout none\nServerAliveInterval 0\n",
        "RekeyLimit 1G 1h\n",
        "RekeyLimit default 30m\n",
        "RekeyLimit 500K\n",
        "RekeyLimit default none\n",
        "SetEnv A=1 B=2\nSendEnv PATH_OF_*\n",
        "Compression yes\nAddressFamily inet6\nBindAddress 127.0.0.1\nConnectionAttempts 3\n",
        "Ciphers aes128-ctr,aes256-ctr\nMACs hmac-sha2-256\nKexAlgorithms ecdh-sha2-nistp256\n",
        "HostKeyAlgorithms ssh-ed25519\nPubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-512\n",
        "CASignatureAlgorithms ssh-ed25519\nRequiredRSASize 3000\n",
        "PubkeyAuthentication no\nPreferredAuthentications password\n",
        "PubkeyAuthentication unbound\n",
        "HostbasedAuthentication yes\nPKCS11Provider /x.so\n",
        "VerifyHostKeyDNS ask\nNoHostAuthenticationForLocalhost yes\n",
        "RevokedHostKeys /r\n",
        "LocalForward 1 localhost:2\nControlMaster auto\nControlPath ~/.ssh/%r@%h:%p\n",
        "CanonicalizeHostname no\nLogLevel QUIET\nRemoteCommand echo # hi\n",
        "# a comment\n\n  \t\nPort 5\n\tHost b\n\tPort 6\n",
    ],
)
def test_both_parsers_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("PATH_OF_KEYS", "/path/of/keys")
    theirs, ours = both(text, tmp_path / "config")
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        "Include other\n",
        "Host b\n  include other\n",
        "Match exec true\n Port 7\n",
        "Match canonical\n Port 7\n",
        "Match final\n Port 7\n",
        "Match final all\n Port 7\n",
        "Match tagged x\n Port 7\n",
        "Match localnetwork 127.0.0.0/8\n Port 7\n",
        "Match !final host a\n Port 7\n",
        "Match nonsense a\n Port 7\n",
        "Match host\n Port 7\n",
        "Host a\n HostName x%h\nMatch host xa\n Port 7\n",
        "Host [ab]\n Port 7\n",
        "Host a # b\n Port 7\n",
        'Host "a"\n Port 7\n',
        "Port 7 # seven\n",
        "Port seven\n",
        "Port 7 8\n",
        "CanonicalizeHostname yes\nCanonicalDomains x\n",
        "IgnoreUnknown X*\n",
        "NoSuchDirective x\n",
        "Tag x\n",
        'UserKnownHostsFile "/a b" "/c d"\n',
        "SendEnv A\nSendEnv B\n",
        "SetEnv A=1\nHost *\n SetEnv B=2\n",
        'SetEnv "A=1 2"\n',
        "SendEnv A -B*\n",
        "CertificateFile /a\nCertificateFile /b\n",
        "Ciphers +aes128-cbc\n",
        "MACs -hmac*\n",
        "KexAlgorithms ^ecdh-sha2-nistp256\n",
        "IdentityFile /x/%C\n",
        "IdentityFile /x/%z\n",
        "IdentityFile ${NO_SUCH_VARIABLE}/x\n",
        "ConnectTimeout soon\n",
        "StrictHostKeyChecking maybe\n",
        "Host b\n IdentitiesOnly ja\n",
        "Host b\n Port seven\n",
        "RekeyLimit lots\n",
        "RekeyLimit 1G 1h 1\n",
        "Port\n",
        "just-a-word\n",
    ],
)
def test_what_paramiko_would_read_in_another_way_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreachableError, match="install the OpenSSH client") as caught:
        resolve(text, tmp_path / "config", is_openssh=False)
    assert caught.value.step == "resolve"


def test_a_line_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    text = "Host b\n  Port 7\n  Match exec true\n"
    with pytest.raises(UnreachableError, match="Match in line 3") as caught:
        resolve(text, tmp_path / "config", is_openssh=False)
    assert "'exec' is not known here" in caught.value.problem


@pytest.mark.parametrize("name", ["A", "UPPER.example"])
def test_hosts_in_capital_letters(tmp_path: Path, name: str) -> None:
    text = f"Host {name}\n Port 7\nHost {name.lower()}\n Port 8\n"
    theirs, ours = both(text, tmp_path / "config", name)
    assert ours == theirs
    with pytest.raises(UnreachableError, match="capital letters"):
        resolve("Match host a\n Port 7\n", tmp_path / "config", is_openssh=False, name=name)


WORD = st.sampled_from(
    ["a", "b", "*", "?", "!a", "a?", "none", "yes", "no", "7", "%h", "%%", "%n.x", "~/x", "/y",
     "host", "all", "user", "originalhost", "real", "a,b", "*,!a", '"/q r"', "#", "x=y", "$H"]
)  # fmt: skip
NAME = st.sampled_from(
    ["Host", "Host", "Match", "Match", "HostName", "Port", "User", "IdentityFile", "ProxyJump",
     "ProxyCommand", "UserKnownHostsFile", "StrictHostKeyChecking", "IdentityAgent",
     "ConnectTimeout", "SendEnv", "ForwardAgent", "HostKeyAlias", "Compression"]
)  # fmt: skip
LINE = st.builds(
    lambda name, words: f"{name} {' '.join(words)}", NAME, st.lists(WORD, min_size=1, max_size=3)
)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(LINE, max_size=6))
def test_whatever_is_written_there_is_no_silent_difference(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-config"
    text = "\n".join(lines) + "\n"
    try:
        ours = resolve(text, path, is_openssh=False)
    except UnreachableError:
        return
    if ours.proxy_jump is not None:  # which needs OpenSSH, and is an error of `dial`
        return
    try:
        theirs, ours = both(text, path)
    except UnreachableError:  # OpenSSH refuses it, and says so to those who have it.
        return
    assert ours == theirs
