"""ProxyJump: the commands that take a connection from host to host.

Every hop is an `ssh -W` of its own, nested by ProxyCommand, because options such as
StrictHostKeyChecking given to `ssh -J` hold for its last host only.
"""

from __future__ import annotations

import shlex
import shutil

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.config import Target, resolve


def jump_command(node: Node, target: Target) -> list[str]:
    """Return the command whose standard input and output are connected to the target's sshd.

    Raises:
        UnreachableError: there is no `ssh`, or a jump host is not written right.
    """
    if shutil.which("ssh") is None:
        raise UnreachableError(node, "connect", "ProxyJump needs `ssh`: install OpenSSH's client")
    hops = [_parse(node, text) for text in (target.proxy_jump or "").split(",")]
    proxy: str | None = None
    for hop in hops[:-1]:
        # The next hop's own `ssh` fills in where that hop is: it knows its configuration.
        words = [word.replace("%", "%%") for word in _options(node, target, hop, proxy)]
        proxy = shlex.join([*words, "-W", "[%h]:%p", "--", hop.name])
    last = hops[-1]
    destination = f"[{target.hostname}]:{target.port}"
    return [*_options(node, target, last, proxy), "-W", destination, "--", last.name]


def _options(node: Node, target: Target, hop: Host, proxy: str | None) -> list[str]:
    command = ["ssh", "-o", "BatchMode=yes", "-o", "ClearAllForwardings=yes"]
    if target.config_file is not None:
        command += ["-F", target.config_file]
    if _strictness(node, target, hop) == "accept-new":  # or "ask", where nobody can be asked
        command += ["-o", "StrictHostKeyChecking=accept-new"]
    if proxy is not None:
        command += ["-o", f"ProxyCommand={proxy}"]
    if hop.user is not None:
        command += ["-l", hop.user]
    if hop.port is not None:
        command += ["-p", str(hop.port)]
    return command


def _strictness(node: Node, target: Target, hop: Host) -> str:
    try:
        return resolve(Node(node.index, hop), target.config_file).strict
    except UnreachableError as error:
        problem = f"jump host {hop.text}: {error.problem}"
        raise UnreachableError(node, error.step, problem) from error


def _parse(node: Node, text: str) -> Host:
    """Read `[user@]host[:port]` or an ssh:// URI, as ProxyJump has them."""
    address = text.strip().removeprefix("ssh://")
    user, _, place = address.rpartition("@")
    name, port = place, ""
    if place.startswith("["):
        name, _, rest = place[1:].partition("]")
        port = rest.removeprefix(":")
    elif place.count(":") == 1:
        name, _, port = place.partition(":")
    if not name or (port and not port.isdigit()):
        raise UnreachableError(node, "resolve", f"ProxyJump {text!r} is not [user@]host[:port]")
    return Host(text, name, user or None, int(port) if port else None)
