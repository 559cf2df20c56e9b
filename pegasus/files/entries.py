"""Entries: what hosts.yaml and queue.yaml hold, checked, with every text in its place.

An entry is a text, or a mapping with `hostname` or `command`; the other keys are parameters, but
for `slots`, and for `options` where that is a mapping. In queue.yaml, a mapping without `command`
directly below an entry belongs to that one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pegasus import grid
from pegasus.errors import HostsFileError, PlacedError, QueueFileError
from pegasus.files import options, slots
from pegasus.files.reader import Reader
from pegasus.files.source import Source
from pegasus.files.tree import (
    OPTIONS,
    SLOTS,
    Field,
    Fields,
    Item,
    Texts,
    Value,
    fields_of,
    first,
    texts_of,
)
from pegasus.model import ONE_SLOT, Need, Options, Params, Place, Text, need_of
from pegasus.slots.fitting import allocation_problem

#: What a parameter is called, unless it is a command that YAML takes for a mapping.
_NAME = re.compile(r"[\w.-]+")

#: How similar a name is to the key that it may be a slip of.
_SIMILAR = 0.8
#: What an entry says that says nothing of how its jobs are run.
NO_OPTIONS = Options()


@dataclass(frozen=True)
class Kind:
    """What makes the entries of one file different from those of the other.

    Attributes:
        key: the key that an entry must have.
        product: what an entry expands to, for messages.
        error: what to raise.
        joins: whether a mapping without the key belongs to the entry above; in such a file,
            `slots` is how many a job needs, and in the other one which a node has.
        options: what makes an option of its value, by its name.
    """

    key: str
    product: str
    error: type[PlacedError]
    joins: bool
    options: Mapping[str, options.Parser]


HOSTS = Kind("hostname", "nodes", HostsFileError, joins=False, options=options.OF_NODES)
QUEUE = Kind("command", "jobs", QueueFileError, joins=True, options=options.OF_JOBS)


@dataclass(frozen=True)
class Entry:
    """One entry: templates of commands or host names, and the values of each parameter.

    Attributes:
        heads: the templates under `command` or `hostname`, at least one.
        params: the values of each parameter, at least one each, in the order of the file.
        items: what it consists of in the file: one item of the list, or more where parameters
            follow below.
        options: how its jobs are run, or what holds on its nodes.
        slots: in queue.yaml, how many each of its jobs needs; None where it does not say so.
        indices: in hosts.yaml, the numbers of the slots that each of its nodes has; None where
            these are GPUs, to be counted.
        slots_source: where one of the two stands, if it does.
    """

    heads: Texts
    params: Mapping[str, Texts]
    items: tuple[Item, ...]
    options: Options = NO_OPTIONS
    slots: int | None = None
    indices: tuple[int, ...] | None = ONE_SLOT.indices
    slots_source: Text | None = None

    @cached_property
    def need(self) -> Need:
        """What each of its jobs needs of a node."""
        return need_of(self.slots, self.options)

    @property
    def slots_place(self) -> Place:
        """Where it says something of slots; else where it begins."""
        return self.slots_source.place if self.slots_source else self.place

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
    if isinstance(item.content, Text):
        entry = Entry((item.content,), {}, (item,))
    else:
        params, said = _parted(item.content, kind)
        if kind.key not in params:
            raise kind.error(_no_key(item.content[0], kind), item.place)
        entry = Entry(params.pop(kind.key), params, (item,), **said)
    for head in entry.heads:
        if not head.value.strip():
            raise kind.error(f"an empty {kind.key}; fill it in or remove it", head.place)
    return _checked(entry, kind)


def _parted(fields: Fields, kind: Kind) -> tuple[dict[str, Texts], dict[str, Any]]:
    """Return the values of each parameter and of the key, and what else an Entry has."""
    params: dict[str, Texts] = {}
    said: dict[str, Any] = {}
    for field in fields:
        name = field.name.value
        if name == slots.COUNT:
            raise kind.error(slots.count_as_parameter(), field.name.place)
        if name == SLOTS:
            said |= _slots(field.value, kind)
        elif texts := texts_of(field.value):
            params[name] = texts
        elif name == OPTIONS:
            said["options"] = options.parse(fields_of(field.value), kind.options, kind.error)
        else:
            raise kind.error(_too_deep(field), first(field.value).place)
    return params, said


def _slots(value: Value, kind: Kind) -> dict[str, Any]:
    """Return what an Entry has of the value of `slots`."""
    texts = texts_of(value)
    if kind.joins:
        return {"slots": slots.of_jobs(texts), "slots_source": texts[0]}
    indices = slots.of_nodes(texts, is_list=not isinstance(value, Text))
    return {"indices": indices, "slots_source": texts[0]}


def _too_deep(field: Field) -> str:
    return f"`{field.name}` is nested too deep; a value is a text or a list of texts"


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
    known |= {SLOTS} if entry.slots_source else set()
    for field in fields:
        if field.name.value in known:
            problem = f"`{field.name}` has values in the entry above already; remove one"
            raise kind.error(problem, field.name.place)
    more, said = _parted(fields, kind)
    params = {**entry.params, **more}
    joined = replace(entry, params=params, items=(*entry.items, item), **said)
    return _checked(joined, kind)


def looks_like_params(fields: Iterable[Field]) -> bool:
    """Tell parameters from a command with `: ` in it, which YAML takes for a mapping."""
    return all(_NAME.fullmatch(field.name.value) for field in fields)


def _checked(entry: Entry, kind: Kind) -> Entry:
    """Return an entry, if its parts do not contradict each other."""
    if entry.size > grid.LIMIT:
        raise kind.error(too_many(entry.size, kind), entry.place)
    if problem := allocation_problem((), entry.need, ""):
        raise kind.error(problem, entry.slots_place)
    if entry.indices is None and entry.options.gpus is False:
        problem = "`slots: gpus` says that they are GPUs, and `gpus` in `options` that they are not"
        raise kind.error(f"{problem}; remove one", entry.slots_place)
    return entry


def too_many(size: int, kind: Kind) -> str:
    """Return what to say of more nodes or jobs than there may be."""
    count = f"{size:,}" if size < 10**18 else "over 10^18"
    return f"this makes {count} {kind.product}; {grid.LIMIT:,} are the most"
