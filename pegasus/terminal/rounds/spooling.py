"""Outputs kept to be compared: each by its digest, and its bytes in a file once they are many."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

#: So many bytes of each output are kept in memory before they go to the file.
IN_MEMORY = 16 * 1024
#: How much of one is read at a time, in bytes.
CHUNK = 1 << 16


class Spool:
    """A file without a name, which nobody else can read, for any number of outputs.

    One file serves all: a thousand nodes must not need two thousand open ones. Any thread may
    use it.

    Args:
        folder: where it is made once it is needed; None leaves that to the system.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._size = 0

    def write(self, data: bytes) -> int:
        """Keep bytes, and return where.

        Raises:
            OSError: they can't be kept.
        """
        with self._lock:
            if self._descriptor is None:
                with tempfile.TemporaryFile(buffering=0, dir=self._folder) as file:
                    self._descriptor = os.dup(file.fileno())
            at, view = self._size, memoryview(data)
            while view:
                written = os.pwrite(self._descriptor, view, self._size)
                self._size += written
                view = view[written:]
            return at

    def read(self, at: int, size: int) -> bytes:
        """Return bytes that were kept.

        Raises:
            OSError: they can't be read.
        """
        if self._descriptor is None:
            raise OSError("it has been closed")
        return os.pread(self._descriptor, size, at)

    def close(self) -> None:
        """Forget all of it."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None


class Captured:
    """One output, as it grows. One thread at a time uses it.

    Attributes:
        size: how many bytes it has.
    """

    def __init__(self, spool: Spool) -> None:
        self.size = 0
        self._spool = spool
        self._digest = blake2b(digest_size=16)
        self._extents: list[tuple[int, int]] = []
        self._rest = bytearray()

    @property
    def digest(self) -> bytes:
        """What is the same for outputs that are the same, byte for byte."""
        return self._digest.digest()

    def add(self, data: bytes) -> None:
        """Keep what follows.

        Raises:
            OSError: there is no room for more. All that was added is kept nevertheless.
        """
        self.size += len(data)
        self._digest.update(data)
        self._rest += data
        if len(self._rest) >= IN_MEMORY:
            self._extents.append((self._spool.write(bytes(self._rest)), len(self._rest)))
            self._rest.clear()

    def chunks(self) -> Iterator[bytes]:
        """Yield all of it, in pieces.

        Raises:
            OSError: it can't be read.
        """
        for at, size in self._extents:
            for offset in range(0, size, CHUNK):
                yield self._spool.read(at + offset, min(CHUNK, size - offset))
        yield bytes(self._rest)
