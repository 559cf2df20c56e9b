"""hosts.yaml: the nodes that commands run on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import ENOENT
from pathlib import Path

from pegasus import grid, storage, template
from pegasus.errors import HostsFileError, PlacedError, StorageError, TemplateError
from pegasus.files import slots
from pegasus.files.addresses import parse_hosts
from pegasus.files.entries import HOSTS, Entry, too_many
from pegasus.files.source import Source
from pegasus.files.tolerant import Refuse, TolerantReader, at_once
from pegasus.files.tree import SLOTS
from pegasus.model import Host, Node, Options, Params, Text
from pegasus.nodesets import PatternError

#: A range in brackets, where YAML may take it for a list.
_RANGE_IN_LIST = re.compile(r"\[ *[0-9]")
_QUOTE_IT = "a range inside of brackets or braces, or in front, needs quotes, as in ['node-[1-3]']"

#: Fills a template; raises TemplateError. `pegasus.template.render` is one.
Render = Callable[[str, Mapping[str, object]], str]


def load(path: Path, render: Render | None = None, refuse: Refuse = at_once) -> list[Node]:
    """Read the nodes from hosts.yaml, in the order of the file.

    An entry makes a node for each choice of a host name and of one value for each of its
    parameters; the host name varies slowest and the parameter written last fastest. Host names are
    templates that the same entry's parameters fill, and then patterns of names, each of which
    stands for its names in the order of their numbers. Templates in `options` must parse; they are
    filled for each job. What an entry says of slots holds for each of its nodes.

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
        error = _advised(error, source.text)
        mistakes.append(error)
        refuse(error)

    with _advising(source.text):
        entries = [*TolerantReader(source, HOSTS, note).entries()]
    if not entries and not mistakes:
        raise HostsFileError(f"{path}: there is no host in it; write a list of host names")
    total = sum(entry.size for entry in entries)
    if total > grid.LIMIT:
        raise HostsFileError(f"{path}: {too_many(total, HOSTS)}")
    nodes: list[Node] = []
    for entry in entries:
        for host, params in _hosts(entry, render, refuse):
            if len(nodes) == grid.LIMIT:
                raise HostsFileError(f"this makes more than {grid.LIMIT:,} nodes", entry.place)
            nodes.append(Node(len(nodes), host, params, entry.options, entry.indices))
    return nodes


@contextmanager
def _advising(text: str) -> Iterator[None]:
    """Add to an error of a `with` block what is to be known of brackets."""
    try:
        yield
    except PlacedError as error:
        raise _advised(error, text) from error.__cause__


def _advised(error: PlacedError, text: str) -> PlacedError:
    """Return an error with advice, if it comes from a range that YAML takes for a list."""
    lines = text.splitlines()
    line = lines[error.place.line - 1] if error.place and error.place.line <= len(lines) else ""
    is_of_yaml = error.problem.startswith(("this is not YAML", "a list inside the list"))
    is_advised = error.problem.endswith(_QUOTE_IT)
    if is_advised or not (is_of_yaml and _RANGE_IN_LIST.search(line)):
        return error
    return type(error)(f"{error.problem}; {_QUOTE_IT}", error.place)


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
    for error in _wrong_templates(entry.options):
        refuse(error)
    known: dict[str, list[Host]] = {}
    for head in entry.heads:
        try:
            for name, alike in _names(head, entry, render):
                if name not in known:
                    known[name] = _placed_hosts(name, head)
                for host in known[name]:
                    yield from ((host, params) for params in alike)
        except HostsFileError as error:
            refuse(error)


def _names(
    head: Text, entry: Entry, render: Render | None
) -> Iterator[tuple[str, Sequence[Params]]]:
    """Yield what a host name comes to, with the choices of parameters in a row for which it does.

    Where one can't be filled, it raises, behind those in front of it.
    """
    name, alike = "", list[Params]()
    for params in entry.choices():
        try:
            filled = _filled(head, params, render)
        except HostsFileError:
            if alike:
                yield name, alike
            raise
        if alike and filled != name:
            yield name, alike
            alike = []
        name = filled
        alike.append(params)
    yield name, alike


def _placed_hosts(name: str, head: Text) -> list[Host]:
    try:
        return parse_hosts(name, grid.LIMIT)
    except PatternError as error:
        is_as_written = name == head.value
        place = head.locate(1, error.column) if is_as_written else head.place
        raise HostsFileError(f"{error}", place) from None
    except HostsFileError as error:
        raise HostsFileError(error.problem, head.place) from None


def _filled(head: Text, params: Params, render: Render | None) -> str:
    if "{{" not in head.value:
        return head.value
    try:
        return (render or template.render)(head.value, dict(params))
    except TemplateError as error:
        is_of_slots = error.name in (SLOTS, slots.COUNT)
        advice = slots.in_host_name(error.name) if is_of_slots else error.advice
        raise HostsFileError(advice, head.locate(error.line, error.column)) from error


def _wrong_templates(options: Options) -> Iterator[HostsFileError]:
    """Yield what is wrong with the templates of options."""
    for _, source in options.sources:
        try:
            template.check(source.value)
        except TemplateError as error:
            wrong = HostsFileError(error.advice, source.locate(error.line, error.column))
            wrong.__cause__ = error
            yield wrong
