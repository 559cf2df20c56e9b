"""Files that are read once, for as long as nobody changes them."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: What a file must be older than to be what has been read, in ns: clocks of files are coarse.
COARSE = 50_000_000


def signature(status: os.stat_result) -> tuple[int, ...]:
    """Return what is another one after each change of a file, but for those at the same moment."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


class Unchanged(Generic[T]):
    """What a function makes of a file, kept as long as that is as it was. Any thread may call."""

    def __init__(self, read: Callable[[str], T]) -> None:
        """Prepare; `read` is given a path."""
        self._read = read
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[int, ...], int, T]] = {}

    def __call__(self, path: str) -> T:
        """Return what the function makes of a file.

        Raises:
            OSError: there is no such file; and what the function raises.
        """
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # It may keep its reader waiting.
            return self._read(path)
        with self._lock:
            seen, read_at, value = self._known.get(path, ((), 0, None))
            if seen == signature(status) and status.st_mtime_ns + COARSE < read_at:
                return value  # type: ignore[return-value]
            read_at = time.time_ns()
            made = self._read(path)
            self._known[path] = signature(status), read_at, made
            return made
