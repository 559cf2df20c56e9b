"""What OpenSSH would do for a host.

Where `ssh` is installed, `ssh -G` is the authority: it works out Include, Match and Host as
only OpenSSH can. Elsewhere Paramiko's parser has to do, and what it can't do is an error.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh import paths

#: How long `ssh -G` may take, in seconds; `Match exec` may run programs of the user's.
_PATIENCE = 30

#: Where OpenSSH looks for keys when no IdentityFile is given.
_DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")

#: Where OpenSSH looks for host keys when the configuration does not say.
_OWN_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_GLOBAL_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"

# As OpenSSH's valid_hostname() and valid_ruser(): these texts reach the user's ProxyCommand,
# which a shell reads.
_HOST_NAME = re.compile(r"[A-Za-z0-9_.:%\[\]\u0080-\U0010ffff][^\x00-\x20'`\"$\\;&<>|(){},\x7f]*")
_USER_NAME = re.compile(r"[^-\x00-\x20'`\";&<>|(){}\x7f][^\x00-\x1f'`\";&<>|(){}\x7f]*")

_Options = dict[str, str]


@dataclass(frozen=True)
class Target:
    """Where a node is and how to get there, as OpenSSH's configuration has it.

    Attributes:
        name: the host as it was asked for, before any HostName.
        strict: StrictHostKeyChecking: "yes", "no" or "accept-new" ("ask" is read as that).
        agent: a path of a socket, None for $SSH_AUTH_SOCK, "none" for no agent.
        proxy_command: with its tokens worked out, or None.
        known_hosts: the user's files; a new key is added to the first.
        config_file: what `ssh -F` was told, or None.
        connect_timeout: in seconds, or None where the configuration says nothing.
    """

    name: str
    hostname: str
    port: int
    user: str
    identity_files: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str | None = None
    proxy_jump: str | None = None
    proxy_command: str | None = None
    host_key_alias: str | None = None
    known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    hash_known_hosts: bool = False
    strict: str = "accept-new"
    connect_timeout: float | None = None
    config_file: str | None = None


def resolve(node: Node, config_file: str | None) -> Target:
    """Return the target of a node; `config_file` replaces OpenSSH's own files when given.

    Raises:
        UnreachableError: the configuration or the host's name can't be used (step: resolve).
    """
    host = node.host
    _check(node, "host name", host.name, _HOST_NAME)
    if host.user is not None:
        _check(node, "user name", host.user, _USER_NAME)
    if shutil.which("ssh"):
        options, keys = _ask_openssh(node, config_file)
    else:
        options, keys = _ask_paramiko(node, config_file)
    return _target(node, options, keys, config_file)


def ssh_command(node: Node, config_file: str | None) -> str:
    """Return the command with which a user would try to get to a node."""
    host = node.host
    words = ["ssh"]
    words += ["-F", config_file] if config_file is not None else []
    words += ["-p", str(host.port)] if host.port is not None else []
    return shlex.join([*words, f"{host.user}@{host.name}" if host.user else host.name])


def _check(node: Node, what: str, text: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(text):
        raise UnreachableError(node, "resolve", f"{text!r} can't be a {what}")


def _ask_openssh(node: Node, config_file: str | None) -> tuple[_Options, list[str]]:
    host = node.host
    command = ["ssh", "-G"]
    command += ["-F", config_file] if config_file is not None else []
    command += ["-l", host.user] if host.user is not None else []
    command += ["-p", str(host.port)] if host.port is not None else []
    try:
        answer = subprocess.run(
            [*command, "--", host.name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            start_new_session=True,  # a Ctrl-C in the terminal is for us alone
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(node, "resolve", f"ssh -G: {error}") from error
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip() or "ssh -G failed"
        raise UnreachableError(node, "resolve", f"OpenSSH's configuration: {said}")
    return _read_answer(answer.stdout.decode("utf-8", "surrogateescape"))


def _read_answer(text: str) -> tuple[_Options, list[str]]:
    options: _Options = {}
    keys: list[str] = []
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name.lower() == "identityfile":
            keys.append(value)
        else:
            options.setdefault(name.lower(), value)
    return options, keys


def _ask_paramiko(node: Node, config_file: str | None) -> tuple[_Options, list[str]]:
    import paramiko

    text = _given(node) + _read_files(node, config_file)
    if re.search(r"^\s*include\b", text, re.IGNORECASE | re.MULTILINE):
        raise UnreachableError(
            node, "resolve", "the configuration has an Include: install the OpenSSH client"
        )
    try:
        found = paramiko.SSHConfig.from_text(text).lookup(node.host.name)
    except Exception as error:  # it lets ValueError and others through
        problem = f"{error}; install the OpenSSH client, which reads all configurations"
        raise UnreachableError(node, "resolve", problem) from error
    keys = found.pop("identityfile", list(_DEFAULT_KEYS))
    options = {name: str(value) for name, value in found.items()}
    return options, keys


def _given(node: Node) -> str:
    """Return what hosts.yaml says as a configuration: the first value found is the one taken."""
    host = node.host
    user = f"User {host.user}\n" if host.user is not None else ""
    port = f"Port {host.port}\n" if host.port is not None else ""
    return f"Host {host.name}\n{user}{port}Host *\n"


def _read_files(node: Node, config_file: str | None) -> str:
    """Return the text of the configuration: the given file, or those that OpenSSH has."""
    if config_file is not None:
        try:
            return Path(config_file).read_text(errors="surrogateescape")
        except OSError as error:
            raise UnreachableError(node, "resolve", f"{config_file}: {error.strerror}") from error
    texts = []
    for path in (Path(paths.home(), ".ssh/config"), Path("/etc/ssh/ssh_config")):
        if path.is_file():
            texts.append(path.read_text(errors="surrogateescape"))
    return "\n".join(texts)


def _target(node: Node, options: _Options, keys: list[str], config_file: str | None) -> Target:
    hostname = options.get("hostname", node.host.name)
    port = options.get("port", "22")
    user = options.get("user") or getpass.getuser()
    _check(node, "host name", hostname, _HOST_NAME)
    _check(node, "user name", user, _USER_NAME)
    tokens = paths.tokens_of(node.host.name, hostname, port, user)
    try:
        own = paths.files(options.get("userknownhostsfile", _OWN_KNOWN_HOSTS), tokens)
        everyone_s = paths.files(options.get("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS), tokens)
    except paths.UnclearPathError as error:
        raise UnreachableError(node, "resolve", str(error)) from error
    return Target(
        name=node.host.name,
        hostname=hostname,
        port=int(port),
        user=user,
        identity_files=tuple(paths.path(key, tokens) for key in keys if key != "none"),
        identities_only=options.get("identitiesonly") == "yes",
        agent=_agent(options.get("identityagent"), tokens),
        proxy_jump=_unless_none(options.get("proxyjump")),
        proxy_command=_command(options.get("proxycommand"), tokens),
        host_key_alias=options.get("hostkeyalias"),
        known_hosts=own,
        global_known_hosts=everyone_s,
        hash_known_hosts=options.get("hashknownhosts") == "yes",
        strict=_strictness(options.get("stricthostkeychecking", "ask")),
        connect_timeout=_seconds(options.get("connecttimeout")),
        config_file=config_file,
    )


def _strictness(value: str) -> str:
    named = {"true": "yes", "yes": "yes", "false": "no", "no": "no", "off": "no"}
    return named.get(value, "accept-new")


def _seconds(value: str | None) -> float | None:
    return float(value) if value is not None and value.isdigit() and value != "0" else None


def _unless_none(value: str | None) -> str | None:
    return None if value is None or value.lower() == "none" else value


def _command(value: str | None, tokens: dict[str, str]) -> str | None:
    known = _unless_none(value)
    return None if known is None else paths.expand(known, tokens)


def _agent(value: str | None, tokens: dict[str, str]) -> str | None:
    """Return a socket's path, "none", or None for what $SSH_AUTH_SOCK says."""
    if value is None or value == "SSH_AUTH_SOCK":
        return None
    if value.startswith("$"):
        return os.environ.get(value.strip("${}"), "none")
    return value if value == "none" else paths.path(value, tokens)
