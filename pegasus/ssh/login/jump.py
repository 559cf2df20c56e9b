"""ProxyJump: the commands that take a connection from host to host.

Every hop is an `ssh -W` of its own, nested by ProxyCommand, because options such as
StrictHostKeyChecking given to `ssh -J` hold for its last host only.
"""

from __future__ import annotations

import shlex
import shutil
import threading

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.openssh.config import resolve
from pegasus.ssh.openssh.target import Target


def jump_command(node: Node, target: Target, closing: threading.Event | None = None) -> list[str]:
    """Return the command whose standard input and output are connected to the target's sshd.

    Raises:
        UnreachableError: there is no `ssh`, or a jump host is not written right.
        GivenUpError: `closing` was set meanwhile.
    """
    if shutil.which("ssh") is None:
        raise UnreachableError(node, "connect", "ProxyJump needs `ssh`: install OpenSSH's client")
    hops = [_parse(node, text) for text in (target.proxy_jump or "").split(",")]
    strict = [_strictness(node, target, hop, closing) for hop in hops]
    proxy: str | None = None
    for hop, strictness in zip(hops[:-1], strict[:-1], strict=True):
        # The next hop's own `ssh` fills in where that hop is: it knows its configuration.
        words = [word.replace("%", "%%") for word in _options(target, hop, strictness, proxy)]
        proxy = shlex.join([*words, "-W", "[%h]:%p", "--", hop.name])
    last = hops[-1]
    destination = f"[{target.hostname}]:{target.port}"
    return [*_options(target, last, strict[-1], proxy), "-W", destination, "--", last.name]


def _options(target: Target, hop: Host, strictness: str, proxy: str | None) -> list[str]:
    command = ["ssh", "-o", "BatchMode=yes", "-o", "ClearAllForwardings=yes"]
    # It would write known_hosts anew, and lose what others add meanwhile.
    command += ["-o", "UpdateHostKeys=no"]
    if target.config_file is not None:
        command += ["-F", target.config_file]
    if strictness == "accept-new":  # or "ask", where nobody can be asked
        command += ["-o", "StrictHostKeyChecking=accept-new"]
    if proxy is not None:
        command += ["-o", f"ProxyCommand={proxy}"]
    if hop.user is not None:
        command += ["-l", hop.user]
    if hop.port is not None:
        command += ["-p", str(hop.port)]
    return command


def _strictness(node: Node, target: Target, hop: Host, closing: threading.Event | None) -> str:
    try:
        return resolve(Node(node.index, hop), target.config_file, closing).strict
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
