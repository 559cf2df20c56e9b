"""What OpenSSH would do for a host.

Where `ssh` is installed, `ssh -G` is the authority: it works out Include, Match and Host as
only OpenSSH can. Elsewhere Paramiko's parser has to do, and what it can't do is an error.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import threading
from fnmatch import translate

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.openssh import directives, fallback, paths
from pegasus.ssh.openssh.alike import Answers
from pegasus.ssh.openssh.options import OptionError, Options
from pegasus.ssh.openssh.target import Target

# As OpenSSH's valid_hostname() and valid_ruser(): these texts reach the user's ProxyCommand,
# which a shell reads.
_HOST_NAME = re.compile(r"[A-Za-z0-9_.:%\[\]\u0080-\U0010ffff][^\x00-\x20'`\"$\\;&<>|(){},\x7f]*")
_USER_NAME = re.compile(r"[^-\x00-\x20'`\";&<>|(){}\x7f][^\x00-\x1f'`\";&<>|(){}\x7f]*")

#: The fewest bits of an RSA key that OpenSSH believes, whatever RequiredRSASize says.
_SMALLEST_RSA = 1024

_answers = Answers()


def resolve(node: Node, config_file: str | None, closing: threading.Event | None = None) -> Target:
    """Return the target of a node.

    Parameters:
        config_file: replaces OpenSSH's own files when given.
        closing: when it is set, the answer is not waited for.

    Raises:
        UnreachableError: the configuration or the host's name can't be used (step: resolve).
        GivenUpError: `closing` was set meanwhile.
    """
    host = node.host
    _check(node, "host name", host.name, _HOST_NAME)
    if host.user is not None:
        _check(node, "user name", host.user, _USER_NAME)
    ssh = _program(os.environ.get("PATH"))
    if ssh is not None:
        options = _answers.ask(ssh, node, config_file, closing or threading.Event())
    else:
        options = fallback.ask(node, config_file)
    problem = directives.refusal(options)
    if problem is not None:
        raise UnreachableError(node, "resolve", problem)
    try:
        return _target(node, options, config_file)
    except (OptionError, paths.UnclearPathError) as error:
        problem = str(error) if ssh is not None else f"{error}; {fallback.HINT}"
        raise UnreachableError(node, "resolve", problem) from error


def ssh_command(node: Node, config_file: str | None) -> str:
    """Return the command with which a user would try to get to a node."""
    host = node.host
    words = ["ssh"]
    words += ["-F", config_file] if config_file is not None else []
    words += ["-p", str(host.port)] if host.port is not None else []
    return shlex.join([*words, f"{host.user}@{host.name}" if host.user else host.name])


@functools.lru_cache
def _program(path: str | None) -> str | None:
    """Return where `ssh` is on a PATH; that is looked for once."""
    return shutil.which("ssh", path=path)


def _check(node: Node, what: str, text: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(text):
        raise UnreachableError(node, "resolve", f"{text!r} can't be a {what}")


def _target(node: Node, options: Options, config_file: str | None) -> Target:
    hostname = options.get("hostname") or node.host.name
    user = options.get("user") or paths.local_user()
    _check(node, "host name", hostname, _HOST_NAME)
    _check(node, "user name", user, _USER_NAME)
    tokens = _tokens(node, options, hostname, user)
    preferred = options.names("preferredauthentications")
    agent = _agent(options)
    return Target(
        name=node.host.name,
        hostname=hostname,
        port=options.number("port", 22),
        user=user,
        identity_files=_paths(options, "identityfile", tokens),
        certificate_files=_paths(options, "certificatefile", tokens),
        identities_only=options.flag("identitiesonly"),
        is_pubkey_allowed=not directives.is_off(options, "pubkeyauthentication")
        and (not preferred or "publickey" in preferred),
        is_kerberos_wanted=options.flag("gssapiauthentication"),
        agent=agent,
        forwarded_agent=_forwarded_agent(options, agent),
        environment=_environment(options),
        proxy_jump=options.get("proxyjump"),
        proxy_command=_command(options, tokens),
        address_family=(options.get("addressfamily") or "any").lower(),
        bind_address=options.get("bindaddress"),
        connect_attempts=max(1, options.number("connectionattempts", 1)),
        compression=options.flag("compression"),
        host_key_alias=options.get("hostkeyalias"),
        known_hosts=paths.files(options.get("userknownhostsfile") or "none", {}),
        global_known_hosts=paths.files(options.get("globalknownhostsfile") or "none", {}),
        hash_known_hosts=options.flag("hashknownhosts"),
        strict=_strictness(options.get("stricthostkeychecking") or "ask"),
        revoked_host_keys=_paths(options, "revokedhostkeys", tokens),
        required_rsa_size=max(_SMALLEST_RSA, options.number("requiredrsasize", 0)),
        verify_host_key_dns=options.flag("verifyhostkeydns")
        or options.get("verifyhostkeydns") == "ask",
        trust_loopback=options.flag("nohostauthenticationforlocalhost"),
        ca_algorithms=options.names("casignaturealgorithms"),
        ciphers=options.names("ciphers"),
        macs=options.names("macs"),
        kex_algorithms=options.names("kexalgorithms"),
        host_key_algorithms=options.names("hostkeyalgorithms"),
        pubkey_algorithms=options.names("pubkeyacceptedalgorithms"),
        rekey_limit=options.rekey_limit(),
        connect_timeout=options.seconds("connecttimeout"),
        alive_interval=options.seconds("serveraliveinterval"),
        alive_count=options.number("serveralivecountmax", 3),
        login_remarks=directives.login_remarks(options),
        config_file=config_file,
    )


def _tokens(node: Node, options: Options, hostname: str, user: str) -> dict[str, str]:
    port = str(options.number("port", 22))
    alias, jump = options.get("hostkeyalias"), options.get("proxyjump")
    tokens = paths.tokens_of(node.host.name, hostname, port, user, alias=alias, jump=jump)
    digest = options.get("controlpath")
    return {**tokens, "C": digest[1:]} if digest is not None else tokens


def _paths(options: Options, name: str, tokens: dict[str, str]) -> tuple[str, ...]:
    values = (value for value in options.all(name) if value.lower() != "none")
    return tuple(dict.fromkeys(paths.path(value, tokens) for value in values))


def _strictness(value: str) -> str:
    named = {"true": "yes", "yes": "yes", "false": "no", "no": "no", "off": "no"}
    return named.get(value.lower(), "accept-new")


def _command(options: Options, tokens: dict[str, str]) -> str | None:
    command = options.get("proxycommand")
    return None if command is None else paths.expand(command, tokens)


def _agent(options: Options) -> str | None:
    """Return a socket's path, "none", or None for what $SSH_AUTH_SOCK says."""
    if "identityagent" not in options:
        return None
    value = options.get("identityagent") or "none"
    if value == "SSH_AUTH_SOCK":
        return None
    return _of_variable(value) or "none"


def _forwarded_agent(options: Options, agent: str | None) -> str | None:
    """Return the socket that ForwardAgent means: the login's agent, or another one."""
    value = options.get("forwardagent") or "no"
    if value.lower() in ("no", "false"):
        return None
    if value.lower() not in ("yes", "true"):
        return _of_variable(value)
    found = os.environ.get("SSH_AUTH_SOCK") if agent is None else agent
    return None if found in (None, "", "none") else found


def _of_variable(value: str) -> str | None:
    """Return a path, or that in the environment variable which the configuration names."""
    return os.environ.get(value[1:].strip("{}")) or None if value.startswith("$") else value


def _environment(options: Options) -> tuple[tuple[str, str], ...]:
    """Return what sessions are sent: what SetEnv says, and our own of SendEnv's patterns."""
    given = dict(pair.partition("=")[::2] for pair in reversed(options.all("setenv")))
    wanted = _patterns(tuple(options.all("sendenv")))
    sent = {name: os.environ[name] for name in os.environ if wanted.match(name)}
    return tuple({**sent, **given}.items())


@functools.lru_cache
def _patterns(texts: tuple[str, ...]) -> re.Pattern[str]:
    """Return what matches a name that one of OpenSSH's patterns, of `*` and `?`, is for."""
    return re.compile("|".join(translate(text.replace("[", "[[]")) for text in texts) or "(?!)")
