"""hosts.yaml: the nodes that commands run on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from errno import ENOENT
from pathlib import Path

from pegasus import grid, storage, template
from pegasus.errors import HostsFileError, PlacedError, StorageError, TemplateError
from pegasus.files.entries import HOSTS, Entry, too_many
from pegasus.files.source import Source
from pegasus.files.tolerant import Refuse, TolerantReader, at_once
from pegasus.model import Host, Node, Options, Params, Text

#: Fills a template; raises TemplateError. `pegasus.template.render` is one.
Render = Callable[[str, Mapping[str, object]], str]

_ADDRESS = re.compile(
    r"(?:(?P<user>.*)@)?"
    r"(?:\[(?P<ip>[^\[\]]*)\](?::(?P<ip_port>.*))?|(?P<name>[^:]*)(?::(?P<port>[^:]*))?|(?P<bare>.*))",
    re.DOTALL,
)


def load(path: Path, render: Render | None = None, refuse: Refuse = at_once) -> list[Node]:
    """Read the nodes from hosts.yaml, in the order of the file.

    An entry makes a node for each choice of a host name and of one value for each of its
    parameters; the host name varies slowest and the parameter written last fastest. Host names are
    templates that the same entry's parameters fill. What is in `options.cancel` must parse; it
    is filled for each job.

    Args:
        render: what fills host name templates; by default pegasus.template.render.
        refuse: is called with each entry or host name that is wrong, and no node is made of it;
            by default it raises.

    Raises:
        HostsFileError: the file is missing or empty, or it can't be known what is in it.
        StorageError: it can't be read.
    """
    source = Source(_content(path), str(path), HostsFileError)
    mistakes: list[PlacedError] = []

    def note(error: PlacedError) -> None:
        mistakes.append(error)
        refuse(error)

    entries = [*TolerantReader(source, HOSTS, note).entries()]
    if not entries and not mistakes:
        raise HostsFileError(f"{path}: there is no host in it; write a list of host names")
    total = sum(entry.size for entry in entries)
    if total > grid.LIMIT:
        raise HostsFileError(f"{path}: {too_many(total, HOSTS)}")
    found = [(*host, entry.options) for entry in entries for host in _hosts(entry, render, refuse)]
    return [Node(index, *parts) for index, parts in enumerate(found)]


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


def _content(path: Path) -> bytes:
    try:
        return storage.read(path)
    except StorageError as error:
        if error.errno != ENOENT:
            raise
        hint = "write a list of host names into it, or name another with --hosts-file"
        raise HostsFileError(f"{path}: there is no such file; {hint}") from None


def _hosts(entry: Entry, render: Render | None, refuse: Refuse) -> Iterator[tuple[Host, Params]]:
    """Yield the hosts of an entry; of a host name that makes a wrong one, those in front of it."""
    try:
        _check_cancel(entry.options)
    except HostsFileError as error:
        refuse(error)
    known: dict[str, Host] = {}
    for head in entry.heads:
        try:
            for params in entry.choices():
                name = _filled(head, params, render)
                if name not in known:
                    known[name] = _placed_host(name, head)
                yield known[name], params
        except HostsFileError as error:
            refuse(error)


def _placed_host(name: str, head: Text) -> Host:
    try:
        return parse_host(name)
    except HostsFileError as error:
        raise HostsFileError(error.problem, head.place) from None


def _filled(head: Text, params: Params, render: Render | None) -> str:
    if "{{" not in head.value:
        return head.value
    try:
        return (render or template.render)(head.value, dict(params))
    except TemplateError as error:
        raise HostsFileError(error.advice, head.locate(error.line, error.column)) from error


def _check_cancel(options: Options) -> None:
    if not options.source:
        return
    try:
        template.check(options.source.value)
    except TemplateError as error:
        place = options.source.locate(error.line, error.column)
        raise HostsFileError(error.advice, place) from error
