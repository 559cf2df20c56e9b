"""The file of a journal: lines are added to its end, and read from where one has stopped.

Only whole lines count. What has no newline at its end was cut off by a crash or is being written
just now: readers leave it, and whoever writes next, under the journal's lock, removes it. But for
that, nothing that was written is ever changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pegasus.errors import JournalError
from pegasus.journal.logs import last_job
from pegasus.journal.records import VERSION, Record, decode, encode, now
from pegasus.locking import BareLock, make_folder
from pegasus.storage import extend, failing, sync_folder

#: How much is read at a time, in bytes.
CHUNK = 1 << 20

#: How long to wait for another process that is writing, in seconds: it may have been stopped.
PATIENCE = 10.0


def journal_path(folder: Path) -> Path:
    """Return where the journal is in `.pegasus/<queue file name>`."""
    return folder / "journal.jsonl"


class Journal:
    """Adds records to the journal of a queue file. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = journal_path(folder)
        self._name = os.fspath(self.path)
        self._lock = BareLock.of(folder / "journal.lock")
        self._header = b""  # The first line that has been found right.
        self._kept: tuple[int, int] | None = None  # The file that a power cut can't take away.
        self._left: tuple[tuple[int, int], int] | None = None  # It, and its size, as we left it.

    def append(self, *records: Record, sync: bool = False) -> None:
        """Add records, all or none of them.

        Args:
            sync: have them on the disk, with all that was added before.

        Raises:
            StorageError: they can't be written.
            JournalError: the journal is of another version.
        """
        data = b"".join(map(encode, records))
        with self._lock.hold(PATIENCE), failing(self.path, "written"):
            descriptor = self._open()
            try:
                status = os.fstat(descriptor)
                file, size = _identity(status), status.st_size
                if (file, size) != self._left:
                    size = self._mended(descriptor, size)
                if is_new := not size:
                    # On the disk before anything else: a file that begins otherwise is refused.
                    header = self._new_header()
                    extend(descriptor, header, 0, sync=True)
                    size = len(header)
                if sync:
                    self._keep(file, is_new)
                extend(descriptor, data, size, sync=sync)
                self._left = file, size + len(data)
            finally:
                os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._name, flags, 0o600)
        except FileNotFoundError:
            make_folder(self.folder)
            return os.open(self._name, flags, 0o600)

    def _mended(self, descriptor: int, size: int) -> int:
        """Return the file's size, once it ends with a whole line."""
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            size = _end_of_lines(descriptor, size)
            os.ftruncate(descriptor, size)
        if size and os.pread(descriptor, len(self._header) or 1, 0) != self._header:
            header = os.pread(descriptor, CHUNK, 0).split(b"\n", 1)[0] + b"\n"
            check_header(self.path, header)
            self._header = header
        return size

    def _keep(self, file: tuple[int, int], is_new: bool) -> None:
        """Have the file itself on the disk, and the folders that were made for it."""
        if is_new or self._kept != file:
            for folder in (self.folder, *self.folder.parents[:2]):
                sync_folder(folder)
            self._kept = file

    def _new_header(self) -> bytes:
        # Logs may be left of a journal that somebody has deleted: no id may come twice. The time
        # tells it from that one: the new file may well have got the old one's inode.
        last_id = last_job(self.folder)
        return encode({"journal": "pegasus", "version": VERSION, "last_id": last_id, "at": now()})


class JournalReader:
    """Reads a journal, and later what has been added since. It needs no lock.

    Args:
        folder: `.pegasus/<queue file name>`.
        events: the events that are wanted; by default, all.
    """

    def __init__(self, folder: Path, *events: str) -> None:
        self.path = journal_path(folder)
        self._name = os.fspath(self.path)
        self._wanted = tuple(f'{{"event": "{event}"'.encode() for event in events) or b""
        self._file: tuple[int, int] | None = None
        self._header = b""
        self._offset = 0
        self.last_id = 0
        """The id from which to go on counting, as far as no record has a higher one."""

    @property
    def has_begun(self) -> bool:
        """Whether there is a journal, as far as has been read: its first line."""
        return bool(self._header)

    def begins_anew(self) -> bool:
        """Return whether `read` begins with the first record, of another file than before.

        It does when the file has been removed, replaced or emptied.

        Raises:
            StorageError: it can't be read.
        """
        found, is_same = None, self._file is None
        with failing(self.path, "read"), suppress(FileNotFoundError), self._opened() as descriptor:
            status = os.fstat(descriptor)
            found, is_same = _identity(status), self._is_same(descriptor, status)
        if not is_same:
            self._file, self._header, self._offset = found, b"", 0
        return not is_same

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_same(self, descriptor: int, status: os.stat_result) -> bool:
        """Whether an open file is the one that was read, and has what was read of it."""
        header = os.pread(descriptor, len(self._header), 0)
        is_long = status.st_size >= self._offset
        return is_long and (self._file, self._header) == (_identity(status), header)

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what has been added since the last time; what is no record is passed over.

        Of a file that has come in the place of the one before, nothing is: see `begins_anew`.

        Raises:
            StorageError: it can't be read.
            JournalError: the journal is of another version.
        """
        with failing(self.path, "read"), suppress(FileNotFoundError), self._opened() as descriptor:
            status = os.fstat(descriptor)
            self._file = self._file or _identity(status)
            if status.st_size > self._offset and self._is_same(descriptor, status):
                yield from self._records(descriptor, status.st_size)

    def _records(self, descriptor: int, end: int) -> Iterator[dict[str, Any]]:
        for line in self._lines(descriptor, end):
            if not self._offset:
                self.last_id, self._header = check_header(self.path, line), line
            self._offset += len(line)
            if self._header is not line and line.startswith(self._wanted):
                yield from filter(None, [decode(line)])

    def _lines(self, descriptor: int, end: int) -> Iterator[bytes]:
        """Yield the whole lines from the offset on; it goes on with each."""
        most = CHUNK
        while (size := min(end - self._offset, most)) > 0:
            *lines, rest = os.pread(descriptor, size, self._offset).split(b"\n")
            yield from (line + b"\n" for line in lines)
            if not lines:
                if len(rest) < most:
                    return  # It is yet to be written to its end.
                most *= 2


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


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _end_of_lines(descriptor: int, size: int) -> int:
    """Return where the last whole line of a file ends."""
    while size:
        begin = max(size - CHUNK, 0)
        found = os.pread(descriptor, size - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        size = begin
    return 0
