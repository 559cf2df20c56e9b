"""Cuts a stream of bytes into lines that keep their ends: put together, they are the whole text."""

from __future__ import annotations

import codecs

from pegasus.terminal.lines.splitter import LINE_END, LONGEST


class VerbatimSplitter:
    r"""Turns the bytes of one stream, in whatever chunks they come, into pieces of text.

    A piece is a line with its end, which is `\n`, `\r\n` or `\r`; or a part of a line that grows
    too long; or what is left when the stream has ended. Bytes that aren't UTF-8 become U+FFFD.
    Not thread-safe: one stream is read by one thread.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._parts: list[str] = []
        self._length = 0
        self._return = ""  # A \r whose \n may still come.

    def feed(self, data: bytes) -> list[str]:
        """Return the pieces that `data` completes."""
        text = self._return + self._decoder.decode(data)
        self._return = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        *complete, rest = _with_ends(text)
        if complete:
            complete[0] = self._flush() + complete[0]
        self._parts.append(rest)
        self._length += len(rest)
        return [*complete, self._flush()] if self._length >= LONGEST else complete

    def finish(self) -> list[str]:
        """Return what is left when the stream has ended, or nothing."""
        rest = self._flush() + self._return + self._decoder.decode(b"", final=True)
        self._return = ""
        return [rest] if rest else []

    def _flush(self) -> str:
        text = "".join(self._parts)
        self._parts, self._length = [], 0
        return text


def _with_ends(text: str) -> list[str]:
    """Return the lines of a text with their ends, and what is behind the last end."""
    if "\r" not in text:
        *lines, rest = text.split("\n")
        return [*[f"{line}\n" for line in lines], rest]
    pieces, start = [], 0
    for found in LINE_END.finditer(text):
        pieces.append(text[start : found.end()])
        start = found.end()
    return [*pieces, text[start:]]
