"""The lock of a file, between processes and threads, that dies with its holder.

The lock of `queue.yaml` is `.pegasus/queue.yaml/lock` beside the real file. It is a POSIX lock,
which the kernel frees when its holder ends, `kill -9` included, and which works over NFSv4; so
the lock file itself says nothing and is never deleted. A process loses such a lock as soon as
it closes the lock file in any way: who holds it is told by `holder.json` beside it, and a process
has one FileLock for a file (`FileLock.of`). The lock file stays open from one time to the next.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import getpass
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple

import fasteners

from pegasus.errors import StorageError
from pegasus.storage import failure

#: How long to wait in silence before the holder is named, in seconds.
PATIENCE = 0.3
#: How long `holder.json` is, filled up with spaces, in bytes.
HOLDER_SIZE = 1024
#: The shortest and the longest time between two tries, in seconds.
SHORTEST, LONGEST = 0.001, 0.05
#: How many lock files stay open when another one is opened, beside those that are held.
MOST_OPEN = 16


class Holder(NamedTuple):
    """Who holds a lock. `since` is local time in ISO 8601, with its offset."""

    pid: int
    host: str
    user: str
    purpose: str
    since: str

    @classmethod
    def this_process(cls, purpose: str) -> Holder:
        now = datetime.now().astimezone()
        return cls(os.getpid(), socket.gethostname(), user(), purpose[:100], now.isoformat())

    @property
    def is_gone(self) -> bool:
        """Whether the holder was a process of this machine that has ended."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # It is somebody else's, and alive.
        return False

    def __str__(self) -> str:
        since = datetime.fromisoformat(self.since)
        today = since.date() == datetime.now().astimezone().date()
        at = since.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
        return f"pid {self.pid} ({self.purpose}) of {self.user} on {self.host}, since {at}"


class BareLock:
    """A lock between processes and threads at a path of its own; it says nothing of its holder.

    A process has one for a path (`BareLock.of`), and touches that file in no other way.
    """

    _all: ClassVar[dict[Path, BareLock]] = {}
    _opened: ClassVar[list[BareLock]] = []  # Those whose file is open, the latest at the end.
    _registry = threading.Lock()

    @classmethod
    def of(cls, path: Path) -> BareLock:
        """Return this process's lock at `path`; the file and its folder may be missing."""
        with cls._registry:
            if path not in cls._all:
                cls._all[path] = cls(path)
            return cls._all[path]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._threads = threading.Lock()
        self._processes = fasteners.InterProcessLock(path)
        self._file: os.stat_result | None = None  # Of the lock file that is open.

    def try_acquire(self) -> bool:
        """Take the lock if it is free, and say whether it is held now.

        Raises:
            StorageError: there can be no lock at that path.
        """
        return self._threads.acquire(blocking=False) and self._try_processes()

    @contextlib.contextmanager
    def hold(self, within: float) -> Iterator[None]:
        """Hold the lock for a `with` block, and wait for it if need be.

        Args:
            within: for how long to wait for another process, in seconds.

        Raises:
            StorageError: there can be no lock at that path, or another process does not free it.
        """
        delay, end = SHORTEST, time.monotonic() + within
        while not (self._threads.acquire() and self._try_processes()):
            if time.monotonic() >= end:
                raise _kept_too_long(self.path, None)
            time.sleep(delay)
            delay = min(2 * delay, LONGEST)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Give the lock back."""
        try:
            self._processes.unlock()
        except OSError:
            self._close()  # Which frees it as well.
        self._threads.release()

    def _try_processes(self) -> bool:
        """Take the lock of the processes, by whoever has that of the threads; else free that."""
        try:
            acquired = self._try_in_place()
        except BaseException as error:
            self._close()
            self._threads.release()
            if isinstance(error, OSError):
                raise failure(self.path, "locked", error) from error
            raise
        if not acquired:
            self._threads.release()
        return acquired

    def _try_in_place(self) -> bool:
        """Take the lock of the processes at the file that others see: somebody may clean up."""
        while True:
            if self._file is None:
                self._open()
            try:
                self._processes.trylock()
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):  # Another process has it.
                    return False
                raise
            if self._is_in_place():
                return True
            self._close()

    def _is_in_place(self) -> bool:
        try:
            seen = os.stat(self._name)
        except FileNotFoundError:
            return False
        return self._file is not None and os.path.samestat(self._file, seen)

    def _open(self) -> None:
        """Open the lock file, and make what is missing."""
        try:
            file = open(self._name, "ab", buffering=0, opener=_private)  # noqa: SIM115
        except FileNotFoundError:
            make_folder(self.path.parent)
            file = open(self._name, "ab", buffering=0, opener=_private)  # noqa: SIM115
        self._processes.lockfile = file
        self._file = os.fstat(file.fileno())
        with self._registry:
            self._opened.append(self)
            eldest = self._opened[:-MOST_OPEN]
            del self._opened[:-MOST_OPEN]
        for one in eldest:
            one._let_go()

    def _let_go(self) -> None:
        """Close the lock file, unless the lock is held."""
        if self._threads.acquire(blocking=False):
            self._close()
            self._threads.release()
        else:
            with self._registry:
                self._opened.append(self)

    def _close(self) -> None:
        """Close the lock file, which frees the lock. The lock of the threads is held."""
        with self._registry:
            if self in self._opened:
                self._opened.remove(self)
        self._file, file = None, self._processes.lockfile
        if file is not None:
            self._processes.lockfile = None
            with contextlib.suppress(OSError):
                file.close()


class FileLock:
    """The one lock of a file. Get it with `FileLock.of`; it is not reentrant."""

    _all: ClassVar[dict[Path, FileLock]] = {}
    _registry = threading.Lock()

    @classmethod
    def of(cls, path: Path) -> FileLock:
        """Return this process's lock of the file that `path` leads to; it may be missing."""
        real = Path(os.path.realpath(path))
        with cls._registry:
            if real not in cls._all:
                cls._all[real] = cls(real)
            return cls._all[real]

    def __init__(self, real: Path) -> None:
        self.folder = folder_of(real)
        self._holder_file = self.folder / "holder.json"
        self._lock = BareLock.of(self.folder / "lock")

    def try_acquire(self, purpose: str) -> bool:
        """Take the lock if it is free, and say whether it is held now.

        Args:
            purpose: what for, in a word or two for those who wait, such as `inv lock`.

        Raises:
            StorageError: there can be no lock beside the file.
        """
        if not self._lock.try_acquire():
            return False
        try:
            # Not being able to say who holds the lock is no reason not to hold it.
            with contextlib.suppress(StorageError):
                self._write_holder(json.dumps(Holder.this_process(purpose)._asdict()))
        except BaseException:
            self._lock.release()
            raise
        return True

    def acquire(
        self,
        purpose: str,
        on_wait: Callable[[Holder], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait for the lock and take it.

        Args:
            purpose: what for, in a word or two for those who wait, such as `inv lock`.
            on_wait: called once, with who holds it, when it takes longer than a moment.
            stop: asked again and again; waiting ends when it returns True.

        Returns:
            Whether the lock is held; False only after `stop`.

        Raises:
            StorageError: there can be no lock beside the file.
        """
        delay, told = SHORTEST, time.monotonic() + PATIENCE
        while not self.try_acquire(purpose):
            if stop():
                return False
            if on_wait and time.monotonic() >= told and (holder := self.holder()):
                on_wait(holder)
                on_wait = None
            time.sleep(delay)
            delay = min(2 * delay, LONGEST)
        return True

    def release(self) -> None:
        """Give the lock back."""
        with contextlib.suppress(StorageError):
            self._write_holder("")
        self._lock.release()

    @contextlib.contextmanager
    def hold(
        self,
        purpose: str,
        on_wait: Callable[[Holder], None] | None = None,
        within: float = math.inf,
    ) -> Iterator[None]:
        """Hold the lock for a `with` block; see `acquire`.

        Args:
            within: for how long to wait, in seconds.

        Raises:
            StorageError: as `acquire` does, or it was not free in that time.
        """
        end = time.monotonic() + within
        if not self.acquire(purpose, on_wait, stop=lambda: time.monotonic() >= end):
            raise _kept_too_long(self.folder / "lock", self.holder())
        try:
            yield
        finally:
            self.release()

    def holder(self) -> Holder | None:
        """Return who holds the lock, or None where nobody does, or it can't be told yet."""
        try:
            holder = Holder(**json.loads(self._holder_file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return None if holder.is_gone else holder

    def _write_holder(self, text: str) -> None:
        """Write over what is there: cheaper than a new file, and this is done with every job."""
        try:
            descriptor = os.open(self._holder_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, text.ljust(HOLDER_SIZE).encode(), 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise failure(self._holder_file, "written", error) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _kept_too_long(path: Path, holder: Holder | None) -> StorageError:
    who = holder or "another process"
    return StorageError(f"{path}: can't be locked: {who} keeps it; has that been stopped?")


def folder_of(real: Path) -> Path:
    """Return the folder for what belongs to a file; `real` is its path without links."""
    return real.parent / ".pegasus" / real.name


def make_folder(folder: Path) -> None:
    """Make such a folder, or one in it, for its owner alone, if it is missing.

    Raises:
        OSError: it can't be made, or what `.pegasus` stands in is missing.
    """
    missing: list[Path] = []
    while ".pegasus" in folder.parts and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


@functools.lru_cache
def user() -> str:
    """Return the name of who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A uid without a name, as in some containers.
        return f"uid {os.getuid()}"
