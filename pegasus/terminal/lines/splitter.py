"""Cuts a stream of bytes into lines of text."""

from __future__ import annotations

import codecs
import re

#: A piece of a line without an end is shown when it has grown to this many characters.
LONGEST = 64 * 1024

LINE_END = re.compile(r"\r\n|\n|\r")


class LineSplitter:
    """Turns the bytes of one stream, in whatever chunks they come, into lines.

    Lines end with `\\n`, `\\r\\n` or `\\r`, so that each state of a progress bar is a line.
    Bytes that aren't UTF-8 become U+FFFD; a character cut by the edge of a chunk stays whole.
    Not thread-safe: one stream is read by one thread.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pieces: list[str] = []
        self._length = 0
        self._after_return = False

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes, without their ends."""
        text = self._decoder.decode(data)
        if not text:
            return []
        if self._after_return and text[0] == "\n":
            text = text[1:]  # The second half of a \r\n that two chunks share.
        self._after_return = text.endswith("\r")
        *complete, rest = LINE_END.split(text)
        if complete:
            complete[0] = self._flush() + complete[0]
        return complete + self._keep(rest)

    def finish(self) -> list[str]:
        """Return what is left when the stream has ended: an unterminated last line, or nothing."""
        rest = self._flush() + self._decoder.decode(b"", final=True)
        return [rest] if rest else []

    def _keep(self, rest: str) -> list[str]:
        self._pieces.append(rest)
        self._length += len(rest)
        return [self._flush()] if self._length >= LONGEST else []

    def _flush(self) -> str:
        line = "".join(self._pieces)
        self._pieces, self._length = [], 0
        return line
