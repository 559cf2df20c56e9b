"""Addresses of hosts: `[user@]host[:port]`, and patterns that stand for several of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from pegasus.errors import HostsFileError
from pegasus.model import Host
from pegasus.nodesets import expand

_ADDRESS = re.compile(
    r"(?:(?P<user>.*)@)?"
    r"(?:\[(?P<ip>[^\[\]]*)\](?::(?P<ip_port>.*))?|(?P<name>[^:]*)(?::(?P<port>[^:]*))?|(?P<bare>.*))",
    re.DOTALL,
)

#: What NodeSet joins patterns with and what stands for any name: no host is called so.
_OPERATOR = re.compile(r"[,!&^*?]")
_ONE_HOST = "each item is one host, or a range such as node-[1-3]; --limit chooses among them"


def parse_hosts(pattern: str, most: int) -> list[Host]:
    """Return the hosts that a pattern stands for: `node-[01-64]`, or one address.

    The order is that of the numbers; the first range varies slowest. IPv6 addresses keep their
    brackets. It is NodeSet's syntax of ranges, and nothing more of it.

    Args:
        most: how many there may be; a pattern of more is refused before it is expanded.

    Raises:
        PatternError: a range is wrong; it says where.
        HostsFileError: an address is none; the error has no place.
    """
    return [parse_host(text) for text in expand(pattern, most)]


def parse_host(text: str) -> Host:
    """Return the parts of `[user@]host[:port]`, where the host may be an IPv6 address.

    An address with a port stands in brackets: `[::1]:22`. Whether a name without dots is an alias
    of ssh_config is not decided here.

    Raises:
        HostsFileError: it is none; the error has no place.
    """
    found = _ADDRESS.fullmatch(text)
    parts = found.groupdict() if found else {}
    name = parts.get("ip") or parts.get("bare") or parts.get("name") or ""
    problem = _problem(text, parts, name)
    if problem:
        raise HostsFileError(f"{text!r} is not a host: {problem}")
    port = parts["port"] or parts["ip_port"]
    return Host(text, name, parts["user"], int(port) if port else None)


def _problem(text: str, parts: Mapping[str, str | None], name: str) -> str:
    """Return what is wrong with an address, or ""."""
    user, port = parts.get("user"), parts.get("port") or parts.get("ip_port")
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return "it has white space in it"
    if not name or user == "":
        return "a name is missing; write [user@]host[:port]"
    if found := _OPERATOR.search(name):
        return f"there is `{found[0]}` in it; {_ONE_HOST}"
    if name.startswith("-") or (user or "").startswith("-"):
        return "a name can't begin with a dash"
    if (parts.get("ip") is not None or parts.get("bare")) and not _is_ipv6(name):
        return f"{name} is not an IPv6 address"
    if parts.get("port") == "" or parts.get("ip_port") == "":
        return "the port behind the colon is missing"
    if port and not (re.fullmatch("[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        return f"{port} is not a port; ports are numbers from 1 to 65535"
    return ""


def _is_ipv6(name: str) -> bool:
    try:
        ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return True
