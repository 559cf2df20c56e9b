"""Keeps what is to be shown later: a little in memory, more of it in a file without a name."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: How many bytes are kept in memory, of each output that is held.
IN_MEMORY = 128 * 1024
#: How many bytes of records are read at a time.
BATCH = 64 * 1024


class Held:
    """Records, each of them bytes that end with the only newline in them.

    The file has no name and can be read by nobody else. Not thread-safe.

    Args:
        folder: where the file is made, if one is needed; None leaves that to the system.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory = bytearray()
        self._file: io.FileIO | None = None

    def add(self, records: bytes) -> None:
        """Keep one record, or several.

        Raises:
            OSError: there is no room for more. All that was added is kept nevertheless.
        """
        self._memory += records
        if len(self._memory) < IN_MEMORY:
            return
        if self._file is None:
            self._file = _nameless(self._folder)
        while self._memory:
            del self._memory[: self._file.write(self._memory)]

    def batches(self) -> Iterator[bytes]:
        """Yield all records in order, several at a time.

        Raises:
            OSError: they can't be read.
        """
        rest = b""
        if self._file is not None:
            self._file.seek(0)
            while data := self._file.read(BATCH):
                # What is behind the last newline was cut here, or as the disk was full.
                whole, newline, rest = (rest + data).rpartition(b"\n")
                if newline:
                    yield whole + newline
        if rest or self._memory:
            yield rest + bytes(self._memory)

    def close(self) -> None:
        """Forget all of it."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()


def _nameless(folder: Path | None) -> io.FileIO:
    # Without a buffer: what could not be written would be lost with it.
    return tempfile.TemporaryFile(buffering=0, dir=folder)
