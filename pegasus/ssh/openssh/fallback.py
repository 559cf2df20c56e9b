"""OpenSSH's configuration without OpenSSH: Paramiko's parser, for what it gets right.

Whatever it would read in another way than OpenSSH is an error that says so. The answer is in
the words of `ssh -G`, so that nobody else has to know who gave it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.openssh import paths
from pegasus.ssh.openssh.directives import Treatment, by_name
from pegasus.ssh.openssh.options import Options, read_time

#: What to do about a configuration that can't be read here.
HINT = "install the OpenSSH client, which reads all configurations"

#: Where OpenSSH looks for keys when no IdentityFile is given.
_DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")

#: Where OpenSSH looks for host keys when the configuration does not say.
_DEFAULTS = {
    "userknownhostsfile": "~/.ssh/known_hosts ~/.ssh/known_hosts2",
    "globalknownhostsfile": "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
}

#: Criteria of Match that Paramiko reads as OpenSSH does.
_CRITERIA = {"all", "host", "originalhost", "user", "localuser"}

#: Directives whose value is the rest of the line, as it stands.
_COMMANDS = {"proxycommand", "remotecommand", "localcommand", "knownhostscommand"}

#: Directives whose value may be several words.
_LISTS = {
    "sendenv", "setenv", "rekeylimit", "userknownhostsfile", "globalknownhostsfile",
}  # fmt: skip

#: Directives that add to a list in OpenSSH, while Paramiko keeps one line of them.
_ONCE = {"sendenv", "setenv", "certificatefile"}

#: Directives that may begin with +, - or ^, which changes a list that only OpenSSH has.
_ALGORITHMS = {
    "ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms",
    "casignaturealgorithms",
}  # fmt: skip

#: What directives that choose among words may say.
_FLAG = {"yes", "no", "true", "false"}
_CHOICES = {
    "addressfamily": {"any", "inet", "inet6"},
    "compression": _FLAG,
    "gssapiauthentication": _FLAG,
    "hashknownhosts": _FLAG,
    "hostbasedauthentication": _FLAG,
    "identitiesonly": _FLAG,
    "nohostauthenticationforlocalhost": _FLAG,
    "proxyusefdpass": _FLAG,
    "pubkeyauthentication": {*_FLAG, "unbound", "host-bound"},
    "stricthostkeychecking": {*_FLAG, "off", "ask", "accept-new"},
    "verifyhostkeydns": {*_FLAG, "ask"},
}

_NUMBERS = {"port", "connectionattempts", "serveralivecountmax", "requiredrsasize"}

_TIMES = ("connecttimeout", "serveraliveinterval")

#: Blanks in these are told apart by quotes, which Paramiko drops.
_WORDS = {"sendenv", "setenv"}

_Values = dict[str, str | list[str]]

_LINE = re.compile(r"(\w+)(?:\s*=\s*|\s+)(\S.*)")


class _BeyondError(Exception):
    """Something that only OpenSSH can read; the message says what."""


def ask(node: Node, config_file: str | None) -> Options:
    """Return what the configuration says, in the words of `ssh -G`.

    Raises:
        UnreachableError: the configuration is wrong, or Paramiko can't read it as OpenSSH
            would (step: resolve).
    """
    text = _read_files(node, config_file)
    try:
        _check(node, text)
        found = _look_up(node, text)
        return Options(_translate(node, found))
    except Exception as error:  # Paramiko lets ValueError and others through
        raise UnreachableError(node, "resolve", f"{error}; {HINT}") from error


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
            # Where one ends, its Host or Match ends too.
            texts.append(path.read_text(errors="surrogateescape") + "\nHost *\n")
    return "".join(texts)


def _check(node: Node, text: str) -> None:
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            raise _BeyondError(f"line {number} of the configuration, {stripped!r}, is not clear")
        name, value = found[1].lower(), found[2]
        problem = _problem(node, name, value)
        if problem is None and name in _ONCE & seen:
            problem = "more than one line of it can't be told apart"
        seen.add(name)
        if problem is not None:
            raise _BeyondError(f"{found[1]} in line {number} of the configuration: {problem}")


def _problem(node: Node, name: str, value: str) -> str | None:
    """Return why a directive can't be read without OpenSSH, or None when it can."""
    directive = by_name().get(name)
    if name == "include" or directive is None:
        return "not known here" if directive is None else "other files are not read"
    if name in ("host", "match"):
        return _problem_of_section(node, name, value)
    if directive.treatment is Treatment.OPENSSH:
        harmless = name == "canonicalizehostname" and value.lower() in ("no", "false")
        return None if harmless or name.startswith("canonicalizem") else "needs OpenSSH"
    if name == "proxycommand" and value[0] == value[-1] == '"':
        return f"{value!r} has quotes that are not clear"
    if name in _COMMANDS or directive.treatment is Treatment.IGNORED:
        return None
    return _problem_of_value(name, value)


def _problem_of_value(name: str, value: str) -> str | None:
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if name in _CHOICES and bare.lower() not in _CHOICES[name]:
        return f"{value!r} is not one of {', '.join(sorted(_CHOICES[name]))}"
    if name in _NUMBERS and not bare.isdecimal():
        return f"{value!r} is not a number"
    if name in _TIMES and bare != "none":
        read_time(name, bare)
    return _problem_of_signs(name, value, bare)


def _problem_of_signs(name: str, value: str, bare: str) -> str | None:
    if any(sign in bare for sign in "#'\\"):
        return f"{value!r} has signs that are not clear"
    if '"' in bare and name not in ("userknownhostsfile", "globalknownhostsfile"):
        return f"{value!r} has quotes that are not clear"
    if name in _WORDS and (bare != value or re.search(r"(^|\s)-", bare)):
        return f"{value!r} is not clear"
    if name == "sendenv" and "=" in bare:
        return f"{value!r} is not clear"
    if name not in _LISTS and bare == value and len(value.split()) > 1:
        return f"{value!r} is more than one word"
    if name in _ALGORITHMS and (bare[0] in "+-^" or set(bare) & set("*?")):
        return f"{value!r} changes a list that is not known here"
    return None


def _problem_of_section(node: Node, name: str, value: str) -> str | None:
    if any(sign in value for sign in "[]#\\\"'="):
        return f"{value!r} has signs that are not clear"
    if name == "host":
        return None
    words = value.split()
    while words:
        criterion = words.pop(0)
        if criterion.removeprefix("!") not in _CRITERIA:
            return f"{criterion!r} is not known here"
        if criterion == "host" and node.host.name != node.host.name.lower():
            return "a host in capital letters is not clear"
        if criterion not in ("all", "!all") and not words:
            return f"{criterion!r} needs a pattern"
        words = words if criterion in ("all", "!all") else words[1:]
    return None


def _look_up(node: Node, text: str) -> dict[str, str | list[str] | None]:
    """Return what Paramiko finds in one pass; it is what hosts.yaml says that is found first.

    Its `lookup` goes over the sections again once the host's name is known, as OpenSSH does
    only where the configuration says so, and works tokens out by other rules.
    """
    import paramiko

    host = node.host
    options = paramiko.config.SSHConfigDict()
    if host.user is not None:
        options["user"] = host.user
    if host.port is not None:
        options["port"] = str(host.port)
    config = paramiko.SSHConfig.from_text(text)
    found: dict[str, str | list[str] | None] = config._lookup(host.name, options)
    if "%" in str(found.get("hostname", "")) and re.search(r"(?im)^\s*match\b.*\bhost\b", text):
        raise _BeyondError("Match host after a HostName with tokens is not clear")
    return found


def _translate(node: Node, found: dict[str, str | list[str] | None]) -> Iterator[tuple[str, str]]:
    """Yield what was found as `ssh -G` would print it."""
    lower = node.host.name.lower()
    values: _Values = {**_DEFAULTS, "hostname": lower, "identityfile": list(_DEFAULT_KEYS)}
    values.update({key: "none" if value is None else value for key, value in found.items()})
    ways = [name for name in values if name in ("proxyjump", "proxycommand")]
    if len(ways) > 1 and (ways[0], values[ways[0]]) != ("proxyjump", "none"):
        del values[ways[1]]  # OpenSSH takes the first of the two
    if "hostkeyalias" in values:
        values["hostkeyalias"] = str(values["hostkeyalias"]).lower()
    hostname = paths.expand(str(values["hostname"]), {"%": "%", "h": lower})
    values["hostname"] = _plain_address(hostname)
    for name in _TIMES:
        text = str(values.get(name, "none"))
        values[name] = text if text == "none" else str(read_time(name, text))
    yield from _expand(node, values)


def _plain_address(hostname: str) -> str:
    """Return an address as OpenSSH writes it, or a name as it is."""
    try:
        [found] = socket.getaddrinfo(
            hostname, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, UnicodeError, ValueError):
        return hostname
    return str(socket.getnameinfo(found[4], socket.NI_NUMERICHOST)[0])


def _expand(node: Node, values: _Values) -> Iterator[tuple[str, str]]:
    tokens = _tokens(node, values)
    for name, value in values.items():
        if isinstance(value, list):
            yield from ((name, item) for item in value)
        elif name in _WORDS:
            yield from ((name, word) for word in value.split())
        elif name == "userknownhostsfile":
            yield (
                name,
                " ".join(paths.path(word, tokens) for word in re.split(r" (?=[/~%$])", value)),
            )
        else:
            yield name, _path(name, value, tokens)


def _path(name: str, value: str, tokens: dict[str, str]) -> str:
    """Return the value, worked out if it is one of the paths that `ssh -G` works out."""
    if name == "forwardagent" and value.lower() in ("yes", "no", "true", "false"):
        return value
    is_path = name in ("identityagent", "forwardagent") and value[0] in "/~%"
    return paths.path(value, tokens) if is_path else value


def _tokens(node: Node, values: _Values) -> dict[str, str]:
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    return paths.tokens_of(
        node.host.name,
        texts["hostname"],
        texts.get("port", "22"),
        texts.get("user") or paths.local_user(),
        alias=texts.get("hostkeyalias"),
        jump=texts.get("proxyjump"),
    )
