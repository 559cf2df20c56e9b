"""Cuts a stream of bytes into lines of text."""

from __future__ import annotations

import codecs
import re

#: A piece of a line without an end is shown when it has grown to this many characters.
LONGEST = 64 * 1024

LINE_END = re.compile(r"\r\n|\n|\r")


class WholeLines:
    """Turns the bytes of one stream, in whatever chunks they come, into texts of whole lines.

    Lines end with `\\n`, `\\r\\n` or `\\r`, so that each state of a progress bar is a line; in the
    texts they all end with `\\n`. Bytes that aren't UTF-8 become U+FFFD; a character cut by the
    edge of a chunk stays whole. A chunk is never taken apart: that would cost more than all the
    rest of its way to the screen. Not thread-safe: one stream is read by one thread.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pieces: list[str] = []
        self._length = 0
        self._after_return = False

    def feed(self, data: bytes) -> str:
        """Return the lines that `data` completes, each with a `\\n`; "" where there are none."""
        text = self._decoder.decode(data)
        if not text:
            return ""
        if self._after_return and text[0] == "\n":
            text = text[1:]  # The second half of a \r\n that two chunks share.
        self._after_return = text.endswith("\r")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        end = text.rfind("\n") + 1
        whole = self._flush() + text[:end] if end else ""
        return whole + self._keep(text[end:])

    def finish(self) -> str:
        """Return what is left when the stream has ended: an unterminated last line, or ""."""
        rest = self._flush() + self._decoder.decode(b"", final=True)
        return f"{rest}\n" if rest else ""

    def _keep(self, rest: str) -> str:
        self._pieces.append(rest)
        self._length += len(rest)
        return f"{self._flush()}\n" if self._length >= LONGEST else ""

    def _flush(self) -> str:
        line = "".join(self._pieces)
        self._pieces, self._length = [], 0
        return line


class LineSplitter:
    """Turns the bytes of one stream into lines without their ends; see `WholeLines`."""

    def __init__(self) -> None:
        self._whole = WholeLines()

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes."""
        return lines_of(self._whole.feed(data))

    def finish(self) -> list[str]:
        """Return what is left when the stream has ended: an unterminated last line, or nothing."""
        return lines_of(self._whole.finish())


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, in which each has a `\\n`, without that."""
    return text.split("\n")[:-1]


def text_of(lines: list[str]) -> str:
    """Return lines as a text, in which each has a `\\n`."""
    return "\n".join([*lines, ""])
