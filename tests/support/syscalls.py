"""The system calls by which Python changes a folder: counted, killed at, failed, or recorded.

While `Watch` is on, each call of `os` that may change what is in the folder goes through a hook,
and so does what `open` opens there for writing. It is meant for a process of its own.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What takes a path first, two paths, or a descriptor.
_PATH = ("open", "truncate", "unlink", "remove", "mkdir", "rmdir", "chmod", "chown")
_PATHS = ("rename", "replace", "link", "symlink")
_DESCRIPTOR = ("write", "pwrite", "fsync", "fdatasync", "ftruncate", "fchmod", "fchown", "close")

_KEPT = {name: getattr(os, name) for name in (*_PATH, *_PATHS, *_DESCRIPTOR)}


#: Files that hold nothing, or nothing that can't be missing.
HINTS = {"lock", "journal.lock", "holder.json", "left"}


@dataclass(frozen=True)
class Call:
    """A call that concerns the folder.

    Attributes:
        name: of the function of `os`.
        paths: what it is about: one path, or two.
        args: as they were given.
    """

    name: str
    paths: tuple[str, ...]
    args: tuple[Any, ...]

    @property
    def data(self) -> bytes:
        """What it writes."""
        return bytes(self.args[1]) if self.name in ("write", "pwrite") else b""

    @property
    def bare(self) -> Call:
        """The call without its arguments."""
        return Call(self.name, self.paths, ())

    @property
    def opens_to_read(self) -> bool:
        """Whether it opens something that it can't change."""
        changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        return self.name == "open" and not self.args[1] & changing

    @property
    def is_hint(self) -> bool:
        """Whether it is about a file without which all goes on as well."""
        return os.path.basename(self.paths[0]) in HINTS

    def __str__(self) -> str:
        return f"{self.name} {' -> '.join(map(os.path.basename, self.paths))}"


#: Called instead of a call, with the call and what makes it.
Hook = Callable[[Call, Callable[[], Any]], Any]


class Watch:
    """Has the calls that concern a folder go through a hook, from `start` on, for good."""

    def __init__(self, folder: Path, hook: Hook) -> None:
        self._folder = os.path.realpath(folder)
        self._hook = hook
        self._open: dict[int, str] = {}

    def start(self) -> None:
        for name in (*_PATH, *_PATHS):
            self._put(name, self._on_paths(name, 2 if name in _PATHS else 1))
        for name in _DESCRIPTOR:
            self._put(name, self._on_descriptor(name))
        real = io.open

        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            is_ours = isinstance(file, (str, bytes, os.PathLike)) and self._concerns(file)
            if is_ours and set(mode) & set("wax+"):
                return _Opened.make(file, mode, *args, **kwargs)
            return real(file, mode, *args, **kwargs)

        builtins.open = io.open = opened  # type: ignore[assignment]
        if hasattr(pathlib, "_NormalAccessor"):
            pathlib._NormalAccessor.open = staticmethod(opened)

    def _put(self, name: str, function: Callable[..., Any]) -> None:
        setattr(os, name, function)
        accessor = getattr(pathlib, "_NormalAccessor", None)  # Of Python 3.10.
        if hasattr(accessor, name) and name != "open":
            setattr(accessor, name, staticmethod(function))

    def _concerns(self, path: Any) -> bool:
        text = os.path.abspath(os.fsdecode(path))
        return text == self._folder or text.startswith(self._folder + os.sep)

    def _on_paths(self, name: str, count: int) -> Callable[..., Any]:
        real = _KEPT[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            paths = args[:count]
            if any(isinstance(path, int) for path in paths) or not any(map(self._concerns, paths)):
                return real(*args, **kwargs)
            texts = tuple(os.path.abspath(os.fsdecode(path)) for path in paths)
            value = self._hook(Call(name, texts, args), lambda: real(*args, **kwargs))
            if name == "open":
                self._open[value] = texts[0]
            return value

        return call

    def _on_descriptor(self, name: str) -> Callable[..., Any]:
        real = _KEPT[name]

        def call(descriptor: Any, *args: Any) -> Any:
            path = self._open.get(descriptor)
            if path is None:
                return real(descriptor, *args)
            if name == "close":
                # Before: another thread may get the number as soon as it is free.
                del self._open[descriptor]
            whole = Call(name, (path,), (descriptor, *args))
            return self._hook(whole, lambda: real(descriptor, *args))

        return call


class _Opened(io.RawIOBase):
    """A file that `open` has opened for writing; it writes and closes by functions of `os`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def make(cls, file: Any, mode: str, buffering: int = -1, *more: Any, **kwargs: Any) -> Any:
        opener = kwargs.pop("opener", None) or (lambda path, flags: os.open(path, flags, 0o666))
        letter = next(iter(set(mode) & set("wax")), "")
        kinds = {"w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND}
        flags = kinds.get(letter, os.O_CREAT | os.O_EXCL if letter else 0)
        access = os.O_RDWR if "+" in mode else os.O_WRONLY
        raw = cls(opener(file, flags | access | os.O_CLOEXEC))
        if "b" in mode and not buffering:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *more, **kwargs)

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def readinto(self, buffer: Any) -> int:
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        return os.write(self._descriptor, data)

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        os.ftruncate(self._descriptor, size)
        return size

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def pass_over(call: Call, make: Callable[[], Any]) -> Any:
    """Make a call, but don't wait for the disk: a killed process takes nothing from the cache."""
    return None if call.name in ("fsync", "fdatasync") else make()


@dataclass(frozen=True)
class Moment:
    """A moment to be killed in: before the `number`th call, or when a `part` of it is written."""

    number: int
    call: Call
    part: float | None = None

    def __str__(self) -> str:
        way = "before" if self.part is None else f"with {self.part} of the bytes written, in"
        return f"{way} call {self.number}, {self.call}"

    def __reduce__(self) -> Any:
        # What a call was given need not fit into a pipe.
        return Moment, (self.number, self.call.bare, self.part)


class KillAt:
    """A hook that kills its process in a moment.

    Attributes:
        calls: those that were made.
    """

    def __init__(self, moment: Moment | None) -> None:
        self._moment = moment
        self._lock = threading.RLock()
        self.calls: list[Call] = []

    def __call__(self, call: Call, make: Callable[[], Any]) -> Any:
        if call.opens_to_read:
            return make()
        with self._lock:
            self.calls.append(call)
            if self._moment and len(self.calls) == self._moment.number:
                if self._moment.part is not None and call.data:
                    _write_part(call, self._moment.part)
                os.kill(os.getpid(), signal.SIGKILL)
            return pass_over(call, make)


def moments(calls: list[Call]) -> Iterator[Moment]:
    """Yield the moments in which a process that makes these calls may be killed.

    That is before each call, and in the middle of each write, but for what is only a hint.
    """
    for number, call in enumerate(calls, 1):
        yield Moment(number, call)
        if len(call.data) > 1 and not call.is_hint:
            yield from (Moment(number, call, part) for part in (0.0, 0.5, 1.0))


def _write_part(call: Call, part: float) -> int:
    """Write the first part of what is to be written; return how much that was."""
    count = min(max(int(len(call.data) * part), 1), len(call.data) - 1)
    args = (call.args[0], call.data[:count], *call.args[2:])
    return int(_KEPT[call.name](*args))


class FailAt:
    """A hook that has calls fail with an error, from the `number`th on.

    Of the first thing that is written then, half is written yet.

    Attributes:
        calls: those that were made.
        failed: those that failed.
        room: whether there is room again, and all succeed.
    """

    def __init__(self, number: int, code: int, *, times: float = float("inf")) -> None:
        self._number = number
        self._code = code
        self._times = times
        self.calls: list[Call] = []
        self.failed: list[Call] = []
        self._is_cut = False
        self._unsynced: set[str] = set()
        self.room = False

    def __call__(self, call: Call, make: Callable[[], Any]) -> Any:
        if call.opens_to_read:
            return make()
        self.calls.append(call)
        self._note(call)
        is_due = len(self.calls) >= self._number and len(self.failed) < self._times
        is_clean = (
            self._code == errno.ENOSPC
            and call.name == "fsync"
            and not self._unsynced & set(call.paths)
        )
        if self.room or not is_due or is_clean or not can_fail(call, self._code):
            return pass_over(call, make)
        if call.name == "write" and len(call.data) > 1 and not self._is_cut:
            self._is_cut = True
            return _write_part(call, 0.5)  # For this there was room.
        self.failed.append(call)
        if call.name == "close":
            make()  # It is closed whatever it says.
        raise OSError(self._code, os.strerror(self._code))

    def _note(self, call: Call) -> None:
        """Note what has to find room when it is synced."""
        if call.name in ("write", "pwrite"):
            self._unsynced.update(call.paths)
        elif call.name in ("ftruncate", "truncate"):
            self._unsynced.difference_update(call.paths)


def can_fail(call: Call, code: int) -> bool:
    """Whether a call may fail with this: room that is given back needs none."""
    if call.name == "close":  # It does where writes are put off until then, as over NFS.
        return code != errno.EACCES and os.path.isfile(call.paths[0]) and not call.is_hint
    if code in (errno.ENOSPC, errno.EDQUOT):
        return call.name not in ("unlink", "remove", "rmdir", "fchmod", "fchown", "ftruncate")
    if code == errno.EACCES:
        return call.name in (*_PATH, *_PATHS)
    return True
