"""Entries that are to be added to queue.yaml, before they stand in any file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pegasus import grid
from pegasus.errors import PlacedError, QueueFileError
from pegasus.files.canonical import Grid, Writer
from pegasus.files.entries import QUEUE, Entry, read
from pegasus.files.source import Source
from pegasus.files.tree import OPTIONS
from pegasus.model import Options, Place, Text

#: What callers give for parameters: to each name a value, or several for a grid.
Given = Mapping[str, str | Iterable[str]]

#: Names that no parameter can have, and what to do about it.
_RESERVED = {
    QUEUE.key: "the command is given by itself; call the parameter something else",
    OPTIONS: "it says how a job is run; write such an entry with inv lock",
    "hostname": "templates have the name of the node's host under it; call it something else",
}


@dataclass(frozen=True)
class Addition:
    """An entry to be. Get it with `Addition.of`.

    Attributes:
        command: the template.
        params: the values of each parameter, in their order.
        place: where the command comes from, for messages.
    """

    command: str
    params: Grid
    place: Place

    @classmethod
    def of(cls, command: str, params: Given | None, place: Place) -> Addition:
        """Return what is to be added, once it is sure that a queue file can hold it.

        Raises:
            QueueFileError: it can't.
        """
        try:
            made = cls(command, tuple(_params(params or {})), place)
            made._try_out()
        except PlacedError as error:
            raise QueueFileError(error.problem, place) from None
        return made

    @property
    def entry(self) -> Entry:
        """What it will be in the file, to be linted; where it will stand is not yet known."""
        params = {
            name: tuple(Text(value, self.place, value) for value in values)
            for name, values in self.params
        }
        return Entry((Text(self.command, self.place, self.command),), params, Options(), ())

    @property
    def size(self) -> int:
        """How many jobs it makes."""
        return grid.size(dict(self.params))

    def _try_out(self) -> None:
        """Write it, and see that a reader gets the same, and no error."""
        written = Writer().entry(self.command, self.params)
        (found,) = read(Source(written.encode(), "", QueueFileError), QUEUE)
        params = [(name, tuple(map(str, texts))) for name, texts in found.params.items()]
        if [*map(str, found.heads)] != [self.command] or params != [*self.params]:
            raise QueueFileError("YAML would not give this back as it is")


def _params(given: Given) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in given.items():
        if name in _RESERVED:
            raise QueueFileError(f"`{name}` can't be a parameter: {_RESERVED[name]}")
        # Bytes and mappings can be gone through, too, but what comes out is not what was meant.
        is_one = isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable)
        values: Iterable[object] = (value,) if is_one else value
        texts = tuple(_text(name, one) for one in values)
        if not texts:
            raise QueueFileError(f"`{name}` has no value; give it one, or leave it out")
        yield name, texts


def _text(name: str, value: object) -> str:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise QueueFileError(f"{value!r} can't be a value of `{name}`; give a text")
