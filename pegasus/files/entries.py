"""Entries: what hosts.yaml and queue.yaml hold, checked, with every text in its place.

An entry is a text, or a mapping with `hostname` or `command`; the other keys are parameters, but
for `options` where that is a mapping. In queue.yaml, a mapping without `command` directly below an
entry belongs to that one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pegasus import grid
from pegasus.errors import HostsFileError, PlacedError, QueueFileError
from pegasus.files import options
from pegasus.files.reader import Reader
from pegasus.files.source import Source
from pegasus.files.tree import OPTIONS, Field, Fields, Item, Texts, first
from pegasus.model import Options, Params, Place, Text

#: What a parameter is called, unless it is a command that YAML takes for a mapping.
_NAME = re.compile(r"[\w.-]+")

#: How similar a name is to the key that it may be a slip of.
_SIMILAR = 0.8


@dataclass(frozen=True)
class Kind:
    """What makes the entries of one file different from those of the other.

    Attributes:
        key: the key that an entry must have.
        product: what an entry expands to, for messages.
        error: what to raise.
        joins: whether a mapping without the key belongs to the entry above.
    """

    key: str
    product: str
    error: type[PlacedError]
    joins: bool


_NO_OPTIONS = Options()

HOSTS = Kind("hostname", "nodes", HostsFileError, joins=False)
QUEUE = Kind("command", "jobs", QueueFileError, joins=True)


@dataclass(frozen=True)
class Entry:
    """One entry: templates of commands or host names, and the values of each parameter.

    Attributes:
        heads: the templates under `command` or `hostname`, at least one.
        params: the values of each parameter, at least one each, in the order of the file.
        options: how its jobs are run, or what holds on its nodes.
        items: what it consists of in the file: one item of the list, or more where parameters
            follow below.
    """

    heads: Texts
    params: Mapping[str, Texts]
    options: Options
    items: tuple[Item, ...]

    @property
    def place(self) -> Place:
        return self.items[0].place

    @property
    def size(self) -> int:
        """How many jobs or nodes it expands to."""
        return len(self.heads) * grid.size(self.params)

    def expand(self) -> Iterator[tuple[Text, Params]]:
        """Yield each template with each choice of parameters: the template varies slowest."""
        for head in self.heads:
            for params in self.choices():
                yield head, params

    def choices(self) -> Iterator[Params]:
        """Yield each choice of parameters; there is one, the empty one, where there are none."""
        values = {name: [text.value for text in texts] for name, texts in self.params.items()}
        return grid.expand(values)


def read(source: Source, kind: Kind) -> Iterator[Entry]:
    """Yield the entries of a text, reading no further than asked, but for one item.

    Raises:
        PlacedError: of the kind's own class, when something is wrong up to there.
    """
    return join(Reader(source), kind)


def join(items: Iterable[Item], kind: Kind) -> Iterator[Entry]:
    """Yield the entries that items make up; see `read`."""
    entry: Entry | None = None
    for item in items:
        if entry and kind.joins and (fields := headless(item, kind)):
            entry = _joined(entry, item, fields, kind)
            continue
        if entry:
            yield entry
        entry = _entry(item, kind)
    if entry:
        yield entry


def headless(item: Item, kind: Kind) -> Fields:
    """Return the fields of an item that has no command and so belongs to another, else none."""
    if isinstance(item.content, Text):
        return ()
    return () if any(field.name.value == kind.key for field in item.content) else item.content


def _entry(item: Item, kind: Kind) -> Entry:
    heads: Texts
    params: dict[str, Texts] = {}
    found = _NO_OPTIONS
    if isinstance(item.content, Text):
        heads = (item.content,)
    else:
        params, found = _parted(item.content, kind)
        if kind.key not in params:
            raise kind.error(_no_key(item.content[0], kind), item.place)
        heads = params.pop(kind.key)
    for head in heads:
        if not head.value.strip():
            raise kind.error(f"an empty {kind.key}; fill it in or remove it", head.place)
    return _limited(Entry(heads, params, found, (item,)), kind)


def _parted(fields: Fields, kind: Kind) -> tuple[dict[str, Texts], Options]:
    """Return the values of each key, and the options."""
    texts: dict[str, Texts] = {}
    found = _NO_OPTIONS
    for field in fields:
        value = field.value
        if isinstance(value, Text):
            texts[field.name.value] = (value,)
        elif not isinstance(value[0], Field):
            texts[field.name.value] = value
        elif field.name.value == OPTIONS:
            found = options.parse(value, kind.error)
        else:
            problem = f"`{field.name}` is nested too deep; a value is a text or a list of texts"
            raise kind.error(problem, first(value).place)
    return texts, found


def _no_key(field: Field, kind: Kind) -> str:
    hint = f"add it, or put the text in quotes if it is a {kind.key} with `: ` in it"
    return f"there is no `{kind.key}` beside `{field.name}`; {hint}"


def _joined(entry: Entry, item: Item, fields: Fields, kind: Kind) -> Entry:
    """Return the entry with the parameters that stand below it."""
    if not looks_like_params(fields):
        raise kind.error(_no_key(fields[0], kind), item.place)
    for field in fields:
        if difflib.get_close_matches(field.name.value, [kind.key], cutoff=_SIMILAR):
            problem = (
                f"`{field.name}` would be a parameter of the entry above; did you mean "
                f"`{kind.key}`? If not, write it into that entry"
            )
            raise kind.error(problem, field.name.place)
    known = {*entry.params, *([OPTIONS] if entry.options.written else [])}
    for field in fields:
        if field.name.value in known:
            problem = f"`{field.name}` has values in the entry above already; remove one"
            raise kind.error(problem, field.name.place)
    more, found = _parted(fields, kind)
    joined = Entry(
        entry.heads,
        {**entry.params, **more},
        found if found.written else entry.options,
        (*entry.items, item),
    )
    return _limited(joined, kind)


def looks_like_params(fields: Iterable[Field]) -> bool:
    """Tell parameters from a command with `: ` in it, which YAML takes for a mapping."""
    return all(_NAME.fullmatch(field.name.value) for field in fields)


def _limited(entry: Entry, kind: Kind) -> Entry:
    if entry.size > grid.LIMIT:
        raise kind.error(too_many(entry.size, kind), entry.place)
    return entry


def too_many(size: int, kind: Kind) -> str:
    """Return what to say of more nodes or jobs than there may be."""
    count = f"{size:,}" if size < 10**18 else "over 10^18"
    return f"this makes {count} {kind.product}; {grid.LIMIT:,} are the most"
