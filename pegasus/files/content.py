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


#: How long a noted signature is, filled up with spaces, in bytes.
LEFT_SIZE = 160


class ChangedError(Exception):
    """Somebody wrote to the file after it was read."""


class Content:
    """What is in a file, and whether it still is.

    Args:
        path: the file.
        left: where it is noted how one of us has left the file.

    Attributes:
        signature: of the file as it was read or written last; None where there was none.
    """

    def __init__(self, path: Path, left: Path) -> None:
        self._path = path
        self._left = left
        self.signature: Signature | None = None

    def read(self) -> bytes | None:
        """Return what is in the file, once nobody is in the middle of writing it; None: no file.

        Raises:
            StorageError: it can't be read.
        """
        for _ in range(10):
            before, self.signature = self.signature, storage.signature(self._path)
            try:
                data = storage.read(self._path)
            except StorageError as error:
                if error.errno == ENOENT:
                    return None
                raise
            if not _is_fresh(before, self.signature) or self._is_ours(self.signature):
                break
            time.sleep(SETTLING)
        return data

    def written(self, signature: Signature) -> None:
        """Note that it was replaced by one of this signature."""
        self.signature = signature
        # Other runs need not wonder whether an editor is still writing.
        with suppress(OSError):
            descriptor = os.open(self._left, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, _noted(signature), 0)
            finally:
                os.close(descriptor)

    def assert_unchanged(self) -> None:
        """Raise a ChangedError if it is no longer what was read or written last."""
        if storage.signature(self._path) != self.signature:
            raise ChangedError

    def _is_ours(self, signature: Signature | None) -> bool:
        """Whether a run left the file like this, complete."""
        try:
            return signature is not None and storage.read(self._left) == _noted(signature)
        except StorageError:
            return False


def _noted(signature: Signature) -> bytes:
    """Return a signature as it is noted, always as long: writing over is cheaper than anew."""
    return repr(signature).ljust(LEFT_SIZE).encode()


def _is_fresh(before: Signature | None, now: Signature | None) -> bool:
    """Whether somebody has begun to write a file just now, and may not be at its end.

    Editors write in place, or they write a new file of the same name; both come in pieces.
    """
    if not now or before == now:
        return False
    return 0 <= time.time() - now.modified / 1e9 < SETTLING
