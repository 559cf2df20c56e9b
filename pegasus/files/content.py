"""The content of the queue file as it is on the disk, which others may be writing just now."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from errno import ENOENT
from pathlib import Path

from pegasus import storage
from pegasus.errors import StorageError
from pegasus.storage import Signature

#: How old a change in place must be before it is taken for all of it, in seconds: an editor, or
#: a shell's `>`, empties the file first.
SETTLING = 0.02


class ChangedError(Exception):
    """Somebody wrote to the file after it was read."""


class Content:
    """What is in a file, and whether it still is.

    Args:
        path: the file.
        left: where it is noted how one of us has left the file.
    """

    def __init__(self, path: Path, left: Path) -> None:
        self._path = path
        self._left = left
        self._signature: Signature | None = None

    def read(self) -> bytes | None:
        """Return what is in the file, once nobody is in the middle of writing it; None: no file.

        Raises:
            StorageError: it can't be read.
        """
        for _ in range(10):
            before, self._signature = self._signature, storage.signature(self._path)
            try:
                data = storage.read(self._path)
            except StorageError as error:
                if error.errno == ENOENT:
                    return None
                raise
            if not _is_fresh(before, self._signature) or self._is_ours(self._signature):
                break
            time.sleep(SETTLING)
        return data

    def written(self, signature: Signature) -> None:
        """Note that it was replaced by one of this signature."""
        self._signature = signature
        # Other runs need not wonder whether an editor is still writing.
        with suppress(OSError), open(self._left, "w", opener=_private) as file:
            file.write(repr(signature))

    def assert_unchanged(self) -> None:
        """Raise a ChangedError if it is no longer what was read or written last."""
        if storage.signature(self._path) != self._signature:
            raise ChangedError

    def _is_ours(self, signature: Signature | None) -> bool:
        """Whether a run left the file like this, complete."""
        try:
            return self._left.read_text() == repr(signature)
        except OSError:
            return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_fresh(before: Signature | None, now: Signature | None) -> bool:
    """Whether somebody has begun to write a file just now, and may not be at its end.

    Editors write in place, or they write a new file of the same name; both come in pieces.
    """
    if not now or before == now:
        return False
    return 0 <= time.time() - now.modified / 1e9 < SETTLING
