"""Disks that are full for a while, as far as the journal and the logs of a test see them."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from pegasus import storage
from pegasus.journal import file, logs, recorder


class Disk:
    """Journal and logs go on with what stands here.

    Attributes:
        room: how many bytes of logs it still takes; None is any number.
        takes_records: whether the journal can be written.
        opens: whether logs can be opened.
        now: the time in seconds, which passes by hand.
        tries: how many times something was to be written, or opened.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self.takes_records = True
        self.opens = True
        self.now = 1000.0
        self.tries = 0
        monkeypatch.setattr(file, "extend", self._extend)
        monkeypatch.setattr(logs, "os", self)
        monkeypatch.setattr(logs, "time", self)
        monkeypatch.setattr(recorder, "time", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def monotonic(self) -> float:
        return self.now

    def open(self, *arguments: Any) -> int:
        self.tries += 1
        if not self.opens:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return os.open(*arguments)

    def write(self, descriptor: int, data: bytes) -> int:
        self.tries += 1
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(descriptor, data[: self.room])
        if self.room is not None:
            self.room -= written
        return written

    def _extend(self, descriptor: int, data: bytes, size: int, *, sync: bool) -> None:
        self.tries += 1
        if not self.takes_records:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        storage.extend(descriptor, data, size, sync=sync)
