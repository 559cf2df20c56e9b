"""Entries that are to be added to queue.yaml, before they stand in any file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pegasus import grid
from pegasus.errors import PlacedError, QueueFileError
from pegasus.files.canonical import Grid, Writer
from pegasus.files.entries import NO_OPTIONS, QUEUE, Entry, read
from pegasus.files.slots import COUNT
from pegasus.files.source import Source
from pegasus.files.tree import OPTIONS, SLOTS
from pegasus.model import Options, Place, Text, Written

#: What callers give for parameters: to each name a value, or several for a grid.
Given = Mapping[str, str | Iterable[str]]

#: Names that no parameter can have, and what to do about it.
_RESERVED = {
    QUEUE.key: "the command is given by itself; call the parameter something else",
    OPTIONS: "it says how a job is run; write such an entry with inv lock",
    "hostname": "templates have the name of the node's host under it; call it something else",
    SLOTS: "it says how many slots a job needs; give it by itself, as in `slots=2` or `--slots 2`",
    COUNT: "templates have the number of a job's slots under it; call it something else",
}

_MOST_DIGITS = 9


@dataclass(frozen=True)
class Addition:
    """An entry to be. Get it with `Addition.of`.

    Attributes:
        command: the template.
        params: the values of each parameter, in their order.
        place: where the command comes from, for messages.
        slots: how many slots each job needs; None to leave it unsaid.
        options: how its jobs are run.
    """

    command: str
    params: Grid
    place: Place
    slots: int | None = None
    options: Options = NO_OPTIONS

    @classmethod
    def of(
        cls,
        command: str,
        params: Given | None,
        place: Place,
        slots: int | str | None = None,
        on: str | None = None,
    ) -> Addition:
        """Return what is to be added, once it is sure that a queue file can hold it.

        Args:
            slots: how many slots each job needs.
            on: the option `on`: the nodes that it may run on.

        Raises:
            QueueFileError: it can't.
        """
        try:
            written = () if on is None else (("on", _text("on", on)),)
            given = tuple(_params(params or {}))
            made = cls(command, given, place, _slots(slots), Options(written=written))
            options = made._read().options
        except PlacedError as error:
            raise QueueFileError(error.problem, place) from None
        return replace(made, options=replace(options, sources=()))

    @property
    def entry(self) -> Entry:
        """What it will be in the file, to be linted; where it will stand is not yet known."""
        params = {
            name: tuple(Text(value, self.place, value) for value in values)
            for name, values in self.params
        }
        head = Text(self.command, self.place, self.command)
        return Entry((head,), params, (), self.options, self.slots, slots_source=head)

    @property
    def size(self) -> int:
        """How many jobs it makes."""
        return grid.size(dict(self.params))

    @property
    def written(self) -> tuple[str, Grid, int | None, Written]:
        """What `canonical.Writer.entry` takes."""
        return self.command, self.params, self.slots, self.options.written

    def _read(self) -> Entry:
        """Write it, and return what a reader gets: the same, and no error."""
        text = Writer().entry(*self.written)
        (found,) = read(Source(text.encode(), "", QueueFileError), QUEUE)
        params = [(name, tuple(map(str, texts))) for name, texts in found.params.items()]
        (command,) = map(str, found.heads)
        if (command, tuple(params), found.slots, found.options.written) != self.written:
            raise QueueFileError("YAML would not give this back as it is")
        return found


def _slots(given: int | str | None) -> int | None:
    """Return a number of slots that somebody gives, perhaps as a text; a reader knows the most."""
    if given is None:
        return None
    text = "" if isinstance(given, bool) else str(given)
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise QueueFileError(f"`slots` is how many slots a job needs, and not {given!r}")
    return int(text)


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
