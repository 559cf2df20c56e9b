"""Reads a file past what is wrong in it, so that all mistakes are said at once.

Only what is no YAML at all ends it: then nothing can be known of what comes behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from pegasus.errors import PlacedError
from pegasus.files.entries import Entry, Kind, headless, join, looks_like_params
from pegasus.files.reader import Reader
from pegasus.files.source import Source
from pegasus.files.tree import Item, Value

#: Is called with each mistake; what it raises ends the reading.
Refuse = Callable[[PlacedError], None]


def at_once(error: PlacedError) -> None:
    """Raise the first mistake: a Refuse for those who want no others."""
    raise error


class _Lost(NamedTuple):
    """An item that can't be read.

    Attributes:
        may_belong_above: whether it may be meant as parameters of the entry above.
    """

    may_belong_above: bool


def _grouped(items: Iterable[Item | _Lost], kind: Kind) -> Iterator[tuple[list[Item], bool]]:
    """Yield the items that make up an entry, and whether these are all of it.

    Parameters below an item that is lost are left out with it.
    """
    group: list[Item] = []
    is_first = True
    try:
        for item in items:
            if isinstance(item, _Lost):
                yield group, not item.may_belong_above
                group = []
            elif is_first or not _belongs_above(item, kind):
                yield group, True
                group = [item]
            elif group:
                group.append(item)
            is_first = False
    except PlacedError:
        yield group, not kind.joins
        raise
    yield group, True


def _belongs_above(item: Item, kind: Kind) -> bool:
    fields = headless(item, kind) if kind.joins else ()
    return bool(fields) and looks_like_params(fields)


class TolerantReader(Reader):
    """Reads items one by one, each to its end even where something is wrong in it.

    Args:
        refuse: is told what is wrong.
    """

    def __init__(self, source: Source, kind: Kind, refuse: Refuse) -> None:
        super().__init__(source)
        self._kind = kind
        self._refuse = refuse
        self._lost: set[str] = set()
        self._is_yaml = True
        self._met: list[Any] = []

    def entries(self) -> Iterator[Entry]:
        """Yield the entries that are right.

        Raises:
            PlacedError: of the kind's own class: this is no YAML, or no list.
        """
        for items, is_whole in _grouped(self, self._kind):
            entries: Sequence[Entry] = ()
            try:
                entries = [*join(items, self._kind)]
            except PlacedError as error:
                self._refuse(error)
            if is_whole:
                yield from entries

    def _item(self, event: Any) -> Any:
        self._met = [event]
        try:
            return super()._item(event)
        except PlacedError as error:
            if not self._is_yaml:
                raise
            self._skip()
            self._refuse(error)
            self._lose(self._met)
            return _Lost(self._may_belong_above(self._met))

    def _next(self) -> Any:
        try:
            event = super()._next()
        except PlacedError:
            self._is_yaml = False
            raise
        # Who skips an item must know nothing of its other texts, and they may be very many.
        is_text = isinstance(event, yaml.ScalarEvent) and not event.anchor
        if not is_text or event.value == self._kind.key:
            self._met.append(event)
        return event

    def _skip(self) -> None:
        """Go on to the end of the item.

        Raises:
            PlacedError: there is no end, as it is no YAML. Nothing else is to be said then.
        """
        depth = sum(map(_step, self._met))
        while depth:
            depth += _step(self._next())

    def _may_belong_above(self, events: Sequence[Any]) -> bool:
        has_key = any(getattr(event, "value", None) == self._kind.key for event in events)
        is_mapping = isinstance(events[0], yaml.MappingStartEvent)
        return self._kind.joins and is_mapping and not has_key

    def _lose(self, events: Iterable[Any]) -> None:
        """Forget what a wrong item was to define."""
        for event in events:
            name = getattr(event, "anchor", None)
            if name and not isinstance(event, yaml.AliasEvent):
                start = event.start_mark.index
                if self._anchors.get(name, (-1,))[0] != start:
                    self._anchors.pop(name, None)
                    self._lost.add(name)
                    self.layout.is_plain = False

    def _alias(self, event: Any) -> Value:
        if event.anchor in self._lost and event.anchor not in self._anchors:
            problem = f"the entry above in which &{event.anchor} stands is wrong"
            raise self._failure(problem, event)
        return super()._alias(event)


def _step(event: Any) -> int:
    """Return by how much deeper what follows an event is."""
    if isinstance(event, yaml.CollectionStartEvent):
        return 1
    return -1 if isinstance(event, yaml.CollectionEndEvent) else 0
