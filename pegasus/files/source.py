"""The text of a YAML file: decoded, with places for people and a stream for the parser."""

from __future__ import annotations

import re

from pegasus.errors import PlacedError
from pegasus.model import Place

BOM = "\ufeff"
#: YAML's line breaks: more than an editor's, since it takes them from Unicode.
BREAKS = "\r\n\x85\u2028\u2029"
#: White space and comments.
GAP = rf"(?:[ \t{BREAKS}]|#[^{BREAKS}]*)*"

_NOT_PRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # as YAML 1.1 has it
)


class Source:
    """The text of one file.

    Args:
        data: what the file holds: UTF-8, perhaps with a byte order mark.
        file: its name, for places.
        error: what to raise when something is wrong.

    Attributes:
        bom: the byte order mark, or "".
        text: what comes after it; offsets count from its begin.
    """

    def __init__(self, data: bytes, file: str, error: type[PlacedError]) -> None:
        self.file = file
        self.error = error
        self._counted = (0, 0, 0)  # An offset, the lines above its own, and where that begins.
        try:
            text = data.decode()
        except UnicodeDecodeError as mistake:
            self.text = data[: mistake.start].decode()
            at = self.place(len(self.text))
            raise error("this is not UTF-8; save the file as UTF-8", at) from None
        self.bom = BOM if text.startswith(BOM) else ""
        self.text = text[len(self.bom) :]

    def with_text(self, text: str) -> Source:
        """Return the source of another text in the same file."""
        other = Source(b"", self.file, self.error)
        other.bom, other.text = self.bom, text
        return other

    def part(self, begin: int, end: int | None = None) -> Source:
        """Return a part of the text as a source of its own, whose places are those in the file."""
        return _Part(self, begin, end)

    def place(self, offset: int) -> Place:
        """Return line and column of an offset; cheap when it is near the one before."""
        since, lines, begin = self._counted
        if offset < begin:
            lines -= self.text.count("\n", offset, begin)
            begin = self.text.rfind("\n", 0, offset) + 1
        elif (last := self.text.rfind("\n", since, offset)) >= 0:
            lines += self.text.count("\n", since, offset)
            begin = last + 1
        self._counted = (offset, lines, begin)
        return Place(self.file, lines + 1, offset - begin + 1)

    def failure(self, problem: str, offset: int) -> PlacedError:
        """Return the error that says that something is wrong at an offset."""
        return self.error(problem, self.place(offset))

    def not_printable(self) -> PlacedError | None:
        """Return an error for the first character that YAML does not allow, if there is one."""
        found = _NOT_PRINTABLE.search(self.text)
        if not found:
            return None
        name = f"U+{ord(found[0]):04X}"
        return self.failure(
            f"{name} is not allowed in YAML but as an escape in quotes", found.start()
        )

    def stream(self) -> Stream:
        """Return the text as a file for a parser, which then reads no further than it must."""
        return Stream(self.text)


class _Part(Source):
    """The text between two offsets of a whole one."""

    def __init__(self, whole: Source, begin: int, end: int | None) -> None:
        self.file, self.error, self.bom = whole.file, whole.error, ""
        self.text = whole.text[begin:end]
        self._whole = whole
        self._begin = begin

    def place(self, offset: int) -> Place:
        return self._whole.place(self._begin + offset)


class Stream:
    """A text as a file that can only be read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def read(self, size: int) -> str:
        """Return the next `size` characters, fewer at the end."""
        start = self._position
        self._position = min(start + size, len(self._text))
        return self._text[start : self._position]
