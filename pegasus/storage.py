"""Files that must not be lost or torn: read, replaced as a whole, appended to.

Every OSError leaves as a StorageError that says which file, what happened and what to do; its
`errno` is the original one. New files are for their owner alone, since commands carry secrets.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pegasus.errors import StorageError

_ADVICE = {
    errno.EACCES: "check the permissions of the file and of its folder",
    errno.EPERM: "check the permissions of the file and of its folder",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file",
    errno.ELOOP: "there is a symbolic link where none may be, or they go in a circle",
    errno.EMFILE: "this process has too many files open; raise the limit (ulimit -n)",
    errno.ENFILE: "the system has too many files open",
    errno.EROFS: "move it to a file system that can be written to",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space: the quota is used up",
    errno.ENOLCK: "the file system has no locks; on NFS, use version 4 or start its lock service",
}


class Signature(NamedTuple):
    """What tells cheaply that a file has changed: two that are equal mean the same content."""

    modified: int
    changed: int
    size: int
    inode: int


def failure(path: Path, deed: str, error: OSError) -> StorageError:
    """Return `error` as one for people: `deed` is what can't be done to the file, in a word."""
    advice = _ADVICE.get(error.errno or 0, "")
    reason = f"{error.strerror or error}".lower()
    message = f"{path}: can't be {deed}: {reason}" + (f"; {advice}" if advice else "")
    result = StorageError(message)
    result.errno = error.errno
    return result


def signature(path: Path) -> Signature | None:
    """Return the signature of the file that `path` leads to, or None when there is none."""
    try:
        return _signature(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise failure(path, "looked at", error) from error


def read(path: Path) -> bytes:
    """Return what is in the file.

    Raises:
        StorageError: it can't be read; `errno` is ENOENT where there is none.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise failure(path, "read", error) from error


class Staged:
    """New content of a file, complete and on the disk, beside the file: only the rename is left.

    Attributes:
        place: where it is. It is there until it is put in place or discarded, not longer.
    """

    def __init__(self, path: Path, real: Path, place: Path, descriptor: int) -> None:
        self.place = place
        self._path = path
        self._real = real
        self._descriptor = descriptor
        self._signature = Signature(0, 0, 0, 0)

    def fill(self, data: bytes) -> None:
        """Write all of it; see `stage`, which does."""
        self._signature = _fill(self._path, self._descriptor, data, self._real)

    def put_in_place(self) -> Signature:
        """Have it replace the file, for good; return its signature as it was written.

        Raises:
            StorageError: it can't; nothing has happened to the file.
        """
        with failing(self._path, "written"):
            os.replace(self.place, self._real)
        with contextlib.suppress(OSError):
            # The new content is in place, whatever comes; some file systems can't sync folders.
            sync_folder(self._real.parent)
        return self._signature._replace(changed=os.fstat(self._descriptor).st_ctime_ns)

    def discard(self) -> None:
        """Remove it, if it has not been put in place."""
        with contextlib.suppress(OSError):
            os.unlink(self.place)

    def close(self) -> None:
        """Let go of it, wherever it is now."""
        with contextlib.suppress(OSError):  # It is on the disk, or given up.
            os.close(self._descriptor)


def stage(path: Path, data: bytes, mark: str = "", real: Path | None = None) -> Staged:
    """Write what is to replace the content of a file. See `replace` for its mode and owner.

    Args:
        mark: tells it apart from all others; `staged_place` then knows where it is, and it
            will be there even after a power cut.
        real: where `path` leads, if that is known already.

    Raises:
        StorageError: it can't be written; there is nothing.
    """
    real = real or Path(os.path.realpath(path))
    with failing(path, "written"):
        if mark:
            place = _beside(real, mark)
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        else:
            descriptor, name = tempfile.mkstemp(".tmp", f".{real.name}.", real.parent)
            place = Path(name)
    staged = Staged(path, real, place, descriptor)
    try:
        staged.fill(data)
        if mark:
            with failing(path, "written"):
                sync_folder(real.parent)
    except BaseException:
        staged.discard()
        staged.close()
        raise
    return staged


def staged_place(path: Path, mark: str) -> Path:
    """Return where the content is that was staged for a file with this mark."""
    return _beside(Path(os.path.realpath(path)), mark)


def _beside(real: Path, mark: str) -> Path:
    return real.with_name(f".{real.name}.{mark}.next")


def replace(
    path: Path, data: bytes, before_rename: Callable[[], None] = lambda: None, mark: str = ""
) -> Signature:
    """Put `data` in the place of what the file held, at once and for good.

    Whoever reads the file sees the old content or the new one, whole, even after a crash or
    a power cut. A symbolic link stays, and the file it leads to is replaced. Mode, owner and
    group are kept. Where the owner may not be given away (only root may), the file becomes the
    caller's; where the group may not be kept either, its permissions are taken away. A file
    that is new is for its owner alone (0600).

    Args:
        before_rename: called when all is written and on the disk but for the last step; if it
            raises, nothing has happened to the file.
        mark: see `stage`; nobody else uses the same one at the same time, and what somebody who
            was killed has left there is removed.

    Returns:
        The signature of the file as it was written, whatever others do to it meanwhile.

    Raises:
        StorageError: it can't be written; the old content is still there.
    """
    real = Path(os.path.realpath(path))
    if mark:
        with failing(path, "written"), contextlib.suppress(FileNotFoundError):
            os.unlink(_beside(real, mark))
    staged = stage(path, data, mark, real)
    try:
        before_rename()
        return staged.put_in_place()
    except BaseException:
        staged.discard()
        raise
    finally:
        staged.close()


def append(path: Path, data: bytes) -> int:
    """Add `data` at the end of the file, on a line of its own, and on the disk.

    A file that is new is for its owner alone (0600). A write that did not succeed as a whole is
    taken back.

    Returns:
        The file's size before, in bytes, for `truncate`.

    Raises:
        StorageError: it can't be written; it is as it was.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    with failing(path, "written"):
        descriptor = os.open(path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data
            extend(descriptor, data, size, sync=True)
        finally:
            os.close(descriptor)
        if not size:
            sync_folder(Path(os.path.realpath(path)).parent)
    return size


def truncate(path: Path, size: int) -> None:
    """Take back what was appended to the file since it had `size` bytes, for good."""
    with failing(path, "written"):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _signature(status: os.stat_result) -> Signature:
    return Signature(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


@contextlib.contextmanager
def failing(path: Path, deed: str) -> Iterator[None]:
    """Turn an OSError of a `with` block into one for people; see `failure`."""
    try:
        yield
    except OSError as error:
        raise failure(path, deed, error) from error


def _fill(path: Path, descriptor: int, data: bytes, like: Path) -> Signature:
    with failing(path, "written"):
        _write_all(descriptor, data)
        with contextlib.suppress(FileNotFoundError):
            _resemble(descriptor, os.stat(like))
        os.fsync(descriptor)
        return _signature(os.fstat(descriptor))


def _resemble(descriptor: int, wanted: os.stat_result) -> None:
    mode, had = stat.S_IMODE(wanted.st_mode), os.fstat(descriptor)
    if (had.st_uid, had.st_gid) != (wanted.st_uid, wanted.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, -1, wanted.st_gid)
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, wanted.st_uid, -1)
        if os.fstat(descriptor).st_gid != wanted.st_gid:
            mode &= ~stat.S_IRWXG
    os.fchmod(descriptor, mode)


def extend(descriptor: int, data: bytes, size: int, *, sync: bool) -> None:
    """Write all of `data` at the end of an open file of `size` bytes, or nothing.

    Raises:
        OSError: it can't be written.
    """
    try:
        _write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    except BaseException:
        os.ftruncate(descriptor, size)
        with contextlib.suppress(OSError):
            os.fsync(descriptor)  # Else a power loss may bring back what had got there.
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Have what was made, renamed and removed in a folder on the disk.

    Where the file system can't sync folders (some in user space or on a network), it is left to
    that.

    Raises:
        OSError: it can't be.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
