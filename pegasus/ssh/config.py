"""What OpenSSH would do for a host.

Where `ssh` is installed, `ssh -G` is the authority: it works out Include, Match and Host as
only OpenSSH can. Elsewhere Paramiko's parser has to do, and what it can't do is an error.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pegasus.errors import UnreachableError
from pegasus.model import Node

#: How long `ssh -G` may take, in seconds; `Match exec` may run programs of the user's.
_PATIENCE = 30

#: Where OpenSSH looks for keys when no IdentityFile is given.
_DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")

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
    for path in (Path(_home(), ".ssh/config"), Path("/etc/ssh/ssh_config")):
        if path.is_file():
            texts.append(path.read_text(errors="surrogateescape"))
    return "\n".join(texts)


def _target(node: Node, options: _Options, keys: list[str], config_file: str | None) -> Target:
    hostname = options.get("hostname", node.host.name)
    port = options.get("port", "22")
    user = options.get("user") or getpass.getuser()
    _check(node, "host name", hostname, _HOST_NAME)
    _check(node, "user name", user, _USER_NAME)
    tokens = _tokens(node.host.name, hostname, port, user)
    return Target(
        name=node.host.name,
        hostname=hostname,
        port=int(port),
        user=user,
        identity_files=tuple(_path(key, tokens) for key in keys if key != "none"),
        identities_only=options.get("identitiesonly") == "yes",
        agent=_agent(options.get("identityagent"), tokens),
        proxy_jump=_unless_none(options.get("proxyjump")),
        proxy_command=_command(options.get("proxycommand"), tokens),
        host_key_alias=options.get("hostkeyalias"),
        known_hosts=_files(
            options.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"), tokens
        ),
        global_known_hosts=_files(
            options.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts"), tokens
        ),
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
    return None if known is None else _expand(known, tokens)


def _agent(value: str | None, tokens: dict[str, str]) -> str | None:
    """Return a socket's path, "none", or None for what $SSH_AUTH_SOCK says."""
    if value is None or value == "SSH_AUTH_SOCK":
        return None
    if value.startswith("$"):
        return os.environ.get(value.strip("${}"), "none")
    return value if value == "none" else _path(value, tokens)


def _files(value: str, tokens: dict[str, str]) -> tuple[str, ...]:
    return tuple(_path(name, tokens) for name in value.split() if name not in ("none", "/dev/null"))


def _path(value: str, tokens: dict[str, str]) -> str:
    path = os.path.expandvars(_expand(value, tokens))
    return tokens["d"] + path[1:] if path == "~" or path.startswith("~/") else path


def _home() -> str:
    """Return the home that OpenSSH takes: the user database's, whatever $HOME says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return os.path.expanduser("~")


def _tokens(name: str, hostname: str, port: str, user: str) -> dict[str, str]:
    """Return what OpenSSH puts in place of %-tokens (ssh_config(5), TOKENS)."""
    here = socket.gethostname()
    return {
        "%": "%",
        "h": hostname,
        "k": name,
        "n": name,
        "p": port,
        "r": user,
        "d": _home(),
        "i": str(os.getuid()),
        "l": here,
        "L": here.split(".")[0],
        "u": getpass.getuser(),
    }


def _expand(value: str, tokens: dict[str, str]) -> str:
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), value)
