"""The file of a journal: lines are added to its end, and read from where one has stopped.

Only whole lines count. What has no newline at its end was cut off by a crash or is being written
just now: readers leave it, and whoever writes next, under the journal's lock, removes it. But for
that, nothing that was written is ever changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pegasus.errors import JournalError
from pegasus.journal.logs import last_job
from pegasus.journal.records import VERSION, Record, decode, encode
from pegasus.locking import BareLock, FileLock, make_folder
from pegasus.storage import extend, failing, sync_folder

#: How much is read at a time, in bytes.
CHUNK = 1 << 20


def journal_path(folder: Path) -> Path:
    """Return where the journal is in `.pegasus/<queue file name>`."""
    return folder / "journal.jsonl"


class Journal:
    """Adds records to the journal of a queue file. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = journal_path(folder)
        self._lock = BareLock.of(folder / "journal.lock")
        self._sound: tuple[int, int] | None = None  # Which file has the right version.

    @classmethod
    def beside(cls, queue_file: Path) -> Journal:
        """Return the journal of a queue file."""
        return cls(FileLock.of(queue_file).folder)

    def append(self, *records: Record, sync: bool = False) -> None:
        """Add records, all or none of them.

        Args:
            sync: have them on the disk, with all that was added before.

        Raises:
            StorageError: they can't be written.
            JournalError: the journal is of another version.
        """
        data = b"".join(map(encode, records))
        with self._lock.hold(), failing(self.path, "written"):
            descriptor = self._open()
            try:
                size = self._mended(descriptor)
                head = b"" if size else encode(self._header())
                extend(descriptor, head + data, size, sync=sync)
            finally:
                os.close(descriptor)
            if sync and not size:
                sync_folder(self.folder)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            make_folder(self.folder)
            return os.open(self.path, flags, 0o600)

    def _mended(self, descriptor: int) -> int:
        """Return the file's size, once it ends with a whole line."""
        status = os.fstat(descriptor)
        size = status.st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            size = _end_of_lines(descriptor, size)
            os.ftruncate(descriptor, size)
        if size and self._sound != (status.st_dev, status.st_ino):
            check_header(self.path, os.pread(descriptor, CHUNK, 0).split(b"\n", 1)[0])
            self._sound = status.st_dev, status.st_ino
        return size

    def _header(self) -> dict[str, Any]:
        # Logs may be left of a journal that somebody has deleted: no id may come twice.
        return {"journal": "pegasus", "version": VERSION, "last_id": last_job(self.folder)}


class JournalReader:
    """Reads a journal, and later what has been added since. It needs no lock.

    Args:
        folder: `.pegasus/<queue file name>`.
        events: the events that are wanted; by default, all.
    """

    def __init__(self, folder: Path, *events: str) -> None:
        self.path = journal_path(folder)
        self._wanted = tuple(f'{{"event": "{event}"'.encode() for event in events)
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self.last_id = 0
        """The id from which the journal says to go on counting."""

    def begins_anew(self) -> bool:
        """Return whether `read` begins with the first record, of another file than before.

        It does when the file has been removed or replaced.

        Raises:
            StorageError: it can't be looked at.
        """
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            file, size = None, 0
        except OSError:
            with failing(self.path, "read"):
                raise
        else:
            file, size = (status.st_dev, status.st_ino), status.st_size
        is_new = file != self._file or size < self._offset
        if is_new:
            self._file, self._offset = file, 0
        return is_new

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what has been added since the last time; what is no record is passed over.

        Raises:
            StorageError: it can't be read.
            JournalError: the journal is of another version.
        """
        with failing(self.path, "read"):
            try:
                file = open(self.path, "rb")  # noqa: SIM115
            except FileNotFoundError:
                return
            with file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    is_first, self._offset = not self._offset, self._offset + len(line)
                    if is_first:
                        self.last_id = check_header(self.path, line)
                    elif not self._wanted or line.startswith(self._wanted):
                        yield from filter(None, [decode(line)])


def check_header(path: Path, line: bytes) -> int:
    """Return the id after which a journal begins, by its first line.

    Raises:
        JournalError: it is of another version, or no journal.
    """
    header = decode(line) or {}
    version = header.get("version")
    if header.get("journal") != "pegasus" or not isinstance(version, int):
        raise JournalError(f"{path}:1: this is no journal; move it away, and a new one is begun")
    if version != VERSION:
        raise JournalError(
            f"{path}:1: the journal has version {version}, and this pegasus knows {VERSION};"
            f" use the pegasus that wrote it, or move {path.parent} away"
        )
    last_id = header.get("last_id", 0)
    return last_id if isinstance(last_id, int) else 0


def _end_of_lines(descriptor: int, size: int) -> int:
    """Return where the last whole line of a file ends."""
    while size:
        begin = max(size - CHUNK, 0)
        found = os.pread(descriptor, size - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        size = begin
    return 0
