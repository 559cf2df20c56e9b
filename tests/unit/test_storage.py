"""Files are replaced as a whole, appended to as a whole, and keep what was about them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from pegasus import storage
from pegasus.errors import StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls that put things on the disk, in order."""
    made: list[str] = []
    for name in ("fsync", "replace", "fchmod"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (made.append(n), r(*a))[1])
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fail(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    def failing(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, failing)


def test_replace_writes_a_new_file_for_its_owner_alone(path: Path) -> None:
    storage.replace(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_replace_keeps_the_mode(path: Path) -> None:
    path.write_bytes(b"old")
    path.chmod(0o664)
    storage.replace(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o664)


def test_replace_keeps_owner_and_group(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"old")
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, *ids: given.append(ids))
    storage.replace(path, b"new")
    assert given == []  # It has them from the begin.
    own, real = path.stat(), os.stat
    others = os.stat_result((*own[:4], own.st_uid + 1, own.st_gid + 2, *own[6:]))
    monkeypatch.setattr(os, "stat", lambda p, **k: others if p == path else real(p, **k))
    storage.replace(path, b"new")
    assert given == [(-1, own.st_gid + 2), (own.st_uid + 1, -1)]


def test_replace_takes_the_groups_permissions_where_the_group_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"old")
    path.chmod(0o664)
    other = os.stat(path)
    fail(monkeypatch, "fchown", errno.EPERM)
    real = os.stat
    group = os.stat_result((*other[:5], other.st_gid + 1, *other[6:]))
    monkeypatch.setattr(os, "stat", lambda p, **k: group if p == path else real(p, **k))
    storage.replace(path, b"new")
    monkeypatch.undo()
    assert mode(path) == 0o604


def test_replace_follows_symbolic_links(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real"
    real.parent.mkdir()
    real.write_bytes(b"old")
    path.symlink_to(Path("elsewhere") / "real")
    storage.replace(path, b"new")
    assert path.is_symlink()
    assert real.read_bytes() == b"new"
    assert os.listdir(real.parent) == ["real"]


def test_replace_syncs_the_content_before_its_name_and_then_the_folder(
    path: Path, calls: list[str]
) -> None:
    path.write_bytes(b"old")
    storage.replace(path, b"new", before_rename=lambda: calls.append("before"))
    assert calls == ["fchmod", "fsync", "before", "replace", "fsync"]


@pytest.mark.parametrize("name", ["write", "fsync", "fchmod", "replace"])
def test_replace_leaves_nothing_behind_when_it_fails(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"old")
    fail(monkeypatch, name, errno.ENOSPC)
    with pytest.raises(StorageError, match="no space left on device; free some space") as caught:
        storage.replace(path, b"new")
    assert caught.value.errno == errno.ENOSPC
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


def test_replace_does_nothing_when_it_is_stopped_before_the_last_step(path: Path) -> None:
    path.write_bytes(b"old")

    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        storage.replace(path, b"new", before_rename=stop)
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


def test_replace_returns_the_signature_of_what_it_wrote(path: Path) -> None:
    written = storage.replace(path, b"new")
    assert storage.signature(path) == written


def test_replace_does_not_return_the_signature_of_a_later_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace_and_edit(source: str, target: Path) -> None:
        real(source, target)
        target.write_bytes(b"edited")

    monkeypatch.setattr(os, "replace", replace_and_edit)
    assert storage.replace(path, b"new") != storage.signature(path)


def test_replace_writes_all_when_the_system_writes_in_parts(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    storage.replace(path, b"0123456789")
    assert path.read_bytes() == b"0123456789"


def test_append_begins_on_a_line_of_its_own(path: Path) -> None:
    assert storage.append(path, b"a\n") == 0
    assert storage.append(path, b"b") == 2
    assert storage.append(path, b"c\n") == 3
    assert path.read_bytes() == b"a\nb\nc\n"
    assert mode(path) == 0o600


def test_append_keeps_the_mode_and_follows_symbolic_links(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"a\n")
    real.chmod(0o640)
    path.symlink_to(real)
    storage.append(path, b"b\n")
    assert (real.read_bytes(), mode(real)) == (b"a\nb\n", 0o640)


def test_append_is_on_the_disk_when_it_returns(path: Path, calls: list[str]) -> None:
    storage.append(path, b"a\n")
    assert calls == ["fsync", "fsync"]  # The file, and its name in the folder.
    storage.append(path, b"b\n")
    assert calls == ["fsync"] * 3


def test_append_takes_back_what_it_wrote_when_it_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"a")
    fail(monkeypatch, "fsync", errno.ENOSPC)
    with pytest.raises(StorageError):
        storage.append(path, b"b\n")
    assert path.read_bytes() == b"a"


def test_truncate_takes_back_an_append(path: Path) -> None:
    path.write_bytes(b"a")
    storage.truncate(path, storage.append(path, b"b\n"))
    assert path.read_bytes() == b"a"


def test_a_file_that_is_missing_has_no_signature_and_can_not_be_read(path: Path) -> None:
    assert storage.signature(path) is None
    assert storage.signature(path / "below") is None
    with pytest.raises(StorageError, match=r"can't be read: no such file .*; check") as caught:
        storage.read(path)
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("change", ["content", "size", "file", "removed"])
def test_a_signature_changes_with_the_file(path: Path, change: str) -> None:
    path.write_bytes(b"a")
    os.utime(path, ns=(0, 0))
    before = storage.signature(path)
    if change == "content":
        path.write_bytes(b"b")
    elif change == "size":
        path.write_bytes(b"ab")
        os.utime(path, ns=(0, 0))
    elif change == "file":
        storage.replace(path, b"a")
        os.utime(path, ns=(0, 0))
    else:
        path.unlink()
    assert storage.signature(path) != before


def test_a_folder_can_be_neither_read_nor_written(tmp_path: Path) -> None:
    for deed in (storage.read, lambda p: storage.replace(p, b""), lambda p: storage.append(p, b"")):
        with pytest.raises(StorageError, match="is a directory; name a file"):
            deed(tmp_path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_can_not_sync_folders_is_good_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    staged = storage.stage(tmp_path / "queue.yaml", b"- a\n", "5f0c91ab")
    staged.put_in_place()
    staged.close()
    assert (tmp_path / "queue.yaml").read_bytes() == b"- a\n"


def test_a_folder_that_is_not_synced_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match="can't be written"):
        storage.stage(tmp_path / "queue.yaml", b"- a\n", "5f0c91ab")
    assert list(tmp_path.iterdir()) == []
