"""Where a node is and how to get there, once the configuration has been worked out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A node's address and what OpenSSH's configuration says of it.

    Attributes:
        name: the host as it was asked for, before any HostName.
        identity_files: private keys, in the order in which they are tried; they may be missing.
        certificate_files: what CertificateFile names; those beside the keys come on top.
        is_pubkey_allowed: whether keys may be used to log in (PubkeyAuthentication,
            PreferredAuthentications).
        is_kerberos_wanted: whether GSSAPIAuthentication is on, which can't be done here.
        agent: a path of a socket, None for $SSH_AUTH_SOCK, "none" for no agent.
        forwarded_agent: the socket of the agent that sessions may use, or None.
        environment: what is sent to each session (SetEnv, SendEnv); the server may refuse it.
        proxy_command: with its tokens worked out, or None.
        address_family: "any", "inet" or "inet6".
        connect_attempts: how often connecting by TCP is tried, a second apart.
        strict: StrictHostKeyChecking: "yes", "no" or "accept-new" ("ask" is read as that).
        known_hosts: the user's files; a new key is added to the first.
        revoked_host_keys: files (RevokedHostKeys), key revocation lists or plain lists of keys.
        required_rsa_size: the fewest bits of an RSA key, of ours or of a host's.
        verify_host_key_dns: whether SSHFP records are to be looked up (yes or ask).
        trust_loopback: whether host keys of loopback addresses are not checked.
        ca_algorithms: with what certificates may be signed, () where it is not known.
        ciphers, macs, kex_algorithms, host_key_algorithms, pubkey_algorithms: what may be used,
            best first; () where the configuration says nothing and OpenSSH was not there to say.
        rekey_limit: bytes and seconds after which keys are made anew, 0 for the default.
        connect_timeout: in seconds, or None where the configuration says nothing.
        alive_interval: ServerAliveInterval in seconds, or None where it is 0 or not given.
        alive_count: how many intervals without an answer mean that the host is dead.
        login_remarks: what the configuration asks of a login that is not done here, to be told
            when no key is accepted.
        config_file: what `ssh -F` was told, or None.
    """

    name: str
    hostname: str
    port: int
    user: str
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    is_pubkey_allowed: bool = True
    is_kerberos_wanted: bool = False
    agent: str | None = None
    forwarded_agent: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    proxy_jump: str | None = None
    proxy_command: str | None = None
    address_family: str = "any"
    bind_address: str | None = None
    connect_attempts: int = 1
    compression: bool = False
    host_key_alias: str | None = None
    known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    hash_known_hosts: bool = False
    strict: str = "accept-new"
    revoked_host_keys: tuple[str, ...] = ()
    required_rsa_size: int = 1024
    verify_host_key_dns: bool = False
    trust_loopback: bool = False
    ca_algorithms: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    kex_algorithms: tuple[str, ...] = ()
    host_key_algorithms: tuple[str, ...] = ()
    pubkey_algorithms: tuple[str, ...] = ()
    rekey_limit: tuple[int, int] = (0, 0)
    connect_timeout: float | None = None
    alive_interval: float | None = None
    alive_count: int = 3
    login_remarks: tuple[str, ...] = ()
    config_file: str | None = None
