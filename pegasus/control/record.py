"""The file that describes a run to other shells, and where its socket is."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import stat
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pegasus import storage
from pegasus.errors import StorageError

VERSION = 1
#: What the names of temporary folders for sockets begin with.
PREFIX = "pegasus-run-"
#: The name of a socket in a folder of its own.
SOCKET = "socket"

_ID = re.compile("[0-9a-f]{8}")


@dataclass(frozen=True)
class Record:
    """A run, as others see it.

    Attributes:
        id: eight hexadecimal digits.
        mode: queue or broadcast.
        pid, host: for people; nothing is done to a process.
        started: local time in ISO 8601, with its offset.
        socket: the path of the socket, relative to the folder of the records.
        version: of this form.
    """

    id: str
    mode: str
    pid: int
    host: str
    started: str
    socket: str
    version: int = VERSION

    @classmethod
    def of_this_process(cls, mode: str) -> Record:
        """Return the record of a new run; its socket is to be beside it."""
        number = secrets.token_hex(4)
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        return cls(number, mode, os.getpid(), socket.gethostname(), now, f"{number}.sock")

    @property
    def is_here(self) -> bool:
        """Whether the run belongs to this machine."""
        return self.host == socket.gethostname()

    def __str__(self) -> str:
        return f"run {self.id} ({self.mode}, pid {self.pid})"

    def path(self, folder: Path) -> Path:
        """Return where the record is in `folder`."""
        return folder / f"{self.id}.json"

    def write(self, folder: Path) -> None:
        """Put the record into `folder`, at once.

        Raises:
            StorageError: it can't be written.
        """
        storage.replace(self.path(folder), self.encoded())

    def encoded(self) -> bytes:
        """Return the record as it stands in a file."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decoded(cls, data: bytes, number: str) -> Record | None:
        """Return the record of the run with this id, as it stands in a file; None if it is none."""
        try:
            values = json.loads(data)
            record = cls(**{name: values[name] for name in cls.__dataclass_fields__})
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        texts = (record.id, record.mode, record.host, record.started, record.socket)
        is_sound = all(isinstance(text, str) for text in texts) and record.id == number
        return record if is_sound and _ID.fullmatch(number) else None

    def remove(self, folder: Path) -> None:
        """Remove what a run that has ended has left: record, lease and socket.

        What is no socket of a run stays, whatever the record says.
        """
        place = folder / self.socket
        if place.name in (f"{self.id}.sock", SOCKET):
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(place.lstat().st_mode):
                    place.unlink()
            if place.parent.name.startswith(PREFIX) and place.parent != folder:
                with contextlib.suppress(OSError):
                    place.parent.rmdir()
        # The record last: it is by this that the others are found, should this be cut short.
        for file in (lease_path(folder, self.id), self.path(folder)):
            with contextlib.suppress(OSError):
                file.unlink()


def lease_path(folder: Path, run: str) -> Path:
    """Return where the lease of a run is: the file that it holds a lock on as long as it lives."""
    return folder / f"{run}.lease"


def read_all(folder: Path) -> list[Record]:
    """Return the records in `folder`, the oldest first; files that are none are passed over.

    Raises:
        StorageError: the folder can't be read.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage.failure(folder, "read", error) from error
    found = [_read(folder, name[: -len(".json")]) for name in names if name.endswith(".json")]
    return sorted(filter(None, found), key=lambda record: (record.started, record.id))


def _read(folder: Path, number: str) -> Record | None:
    """Return the record of a run; None where it has ended meanwhile, or this is no record."""
    try:
        return Record.decoded(storage.read(folder / f"{number}.json"), number)
    except StorageError:
        return None
