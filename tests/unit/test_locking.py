"""The lock of a file: one holder, who can be named, and who can't leave it behind."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from forks import result

from pegasus.errors import StorageError
from pegasus.locking import BareLock, FileLock, Holder

HOLD = """
import sys
from pathlib import Path
from pegasus.locking import FileLock
assert FileLock.of(Path(sys.argv[1])).acquire("inv lock")
print("held", flush=True)
sys.stdin.read()
FileLock.of(Path(sys.argv[1])).release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.yaml"


@pytest.fixture
def lock(path: Path) -> FileLock:
    return FileLock.of(path)


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its stdin ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str]) -> None:
    """Have the other process give the lock back, and end, soon."""
    assert process.stdin
    process.stdin.close()


def test_one_process_holds_it_at_a_time(lock: FileLock, other: subprocess.Popen[str]) -> None:
    assert not lock.try_acquire("inv queue")
    other.communicate()
    assert lock.try_acquire("inv queue")
    lock.release()


def test_it_dies_with_its_holder(lock: FileLock, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert lock.holder() is None
    assert lock.try_acquire("inv queue")
    lock.release()


def test_who_will_not_wait_for_ever_learns_who_keeps_it(
    lock: FileLock, other: subprocess.Popen[str]
) -> None:
    other.send_signal(signal.SIGSTOP)
    with pytest.raises(StorageError, match=rf"pid {other.pid} \(inv lock\)"):
        lock.hold("inv queue", within=0.01).__enter__()
    with pytest.raises(StorageError, match="another process keeps it"):
        BareLock.of(lock.folder / "lock").hold(within=0.01).__enter__()
    other.send_signal(signal.SIGCONT)
    end(other)
    with lock.hold("inv queue", within=60):
        pass


def test_one_thread_holds_it_at_a_time(path: Path, lock: FileLock) -> None:
    with lock.hold("inv queue"):
        assert FileLock.of(path) is lock
        assert not lock.try_acquire("inv lock")
    assert lock.try_acquire("inv lock")
    lock.release()


def test_threads_of_one_process_take_turns(lock: FileLock) -> None:
    inside, most, total = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, total
        for _ in range(20):
            with lock.hold("test"):
                inside += 1
                most, total = max(most, inside), total + 1
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, total) == (1, 80)


def test_reading_who_holds_it_does_not_drop_it(lock: FileLock, path: Path) -> None:
    with lock.hold("inv queue"):
        assert lock.holder()
        command = [sys.executable, "-c", HOLD.replace('.acquire("inv lock")', ".try_acquire('')")]
        ended = subprocess.run([*command, str(path)], input="", capture_output=True, text=True)
        assert "AssertionError" in ended.stderr


def test_links_to_one_file_have_one_lock(path: Path, tmp_path: Path, lock: FileLock) -> None:
    path.touch()
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    assert FileLock.of(link) is lock
    assert FileLock.of(tmp_path / "." / "queue.yaml") is lock
    assert FileLock.of(tmp_path / "other.yaml") is not lock


def test_its_files_are_the_owners_alone_and_stay(tmp_path: Path, lock: FileLock) -> None:
    before = os.umask(0)
    try:
        with lock.hold("inv queue"):
            pass
    finally:
        os.umask(before)
    found = {
        str(p.relative_to(tmp_path)): stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")
    }
    assert found == {
        ".pegasus": 0o700,
        ".pegasus/queue.yaml": 0o700,
        ".pegasus/queue.yaml/lock": 0o600,
        ".pegasus/queue.yaml/holder.json": 0o600,
    }


def test_a_waiter_is_told_after_a_moment_who_holds_it(
    lock: FileLock, other: subprocess.Popen[str]
) -> None:
    told: list[Holder] = []
    begun = time.monotonic()
    assert lock.acquire("inv queue", lambda holder: (told.append(holder), end(other)))
    lock.release()
    assert [(holder.pid, holder.purpose) for holder in told] == [(other.pid, "inv lock")]
    assert time.monotonic() - begun >= 0.3


def test_a_waiter_is_told_once(lock: FileLock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pegasus.locking.PATIENCE", 0)
    told: list[Holder] = []
    tries = iter(range(5))
    with lock.hold("inv lock"):
        stop = lambda: next(tries, None) is None  # noqa: E731
        assert not lock.acquire("inv queue", told.append, stop)
    assert len(told) == 1


def test_a_short_wait_is_silent(
    lock: FileLock, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pegasus.locking.PATIENCE", 60)
    told: list[Holder] = []
    timer = threading.Timer(0.05, end, [other])
    timer.start()
    assert lock.acquire("inv queue", told.append)
    lock.release()
    timer.join()
    assert told == []


def test_waiting_can_be_stopped(lock: FileLock) -> None:
    with lock.hold("inv lock"):
        asked: list[int] = []
        assert not lock.acquire("inv queue", stop=lambda: len(asked) > 3 or bool(asked.append(1)))


def test_the_holder_is_named_while_it_holds(lock: FileLock) -> None:
    assert lock.holder() is None
    with lock.hold("inv queue"):
        holder = lock.holder()
        assert holder
        assert (holder.pid, holder.purpose) == (os.getpid(), "inv queue")
    assert lock.holder() is None


def test_who_it_is_is_written_for_people() -> None:
    now = datetime.now().astimezone()
    today = Holder(4711, "login-1", "kim", "inv lock", now.isoformat())
    assert str(today) == f"pid 4711 (inv lock) of kim on login-1, since {now:%H:%M:%S}"
    before = now - timedelta(days=2)
    assert str(today._replace(since=before.isoformat())).endswith(
        f"since {before:%Y-%m-%d %H:%M:%S}"
    )


def test_what_is_no_holder_is_none(lock: FileLock) -> None:
    with lock.hold("inv queue"):
        for text in ("", "{", "[]", "{}", '{"pid": 1}', json.dumps({"pid": 1, "x": 2})):
            (lock.folder / "holder.json").write_text(text)
            assert lock.holder() is None


def test_a_lock_whose_folder_was_removed_is_made_anew(lock: FileLock, path: Path) -> None:
    with lock.hold("inv queue"):
        pass
    shutil.rmtree(path.parent / ".pegasus")
    with lock.hold("inv queue"):
        assert (lock.folder / "lock").exists()


def test_a_waiter_does_not_take_a_lock_that_others_do_not_see(
    lock: FileLock, other: subprocess.Popen[str]
) -> None:
    assert not lock.try_acquire("inv queue")  # The old lock file is open now.
    shutil.rmtree(lock.folder)
    other.communicate()
    with lock.hold("inv queue"):
        assert os.path.samestat(
            os.stat(lock.folder / "lock"), os.fstat(lock._lock._processes.lockfile.fileno())
        )


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    lock = FileLock.of(tmp_path / "missing" / "queue.yaml")
    for _ in range(2):
        with pytest.raises(
            StorageError, match=r"can't be locked: no such file .*; check"
        ) as caught:
            lock.try_acquire("inv queue")
        assert caught.value.errno == errno.ENOENT


def test_a_file_system_without_locks_is_an_error(
    lock: FileLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.lockf", no_locks)
    for _ in range(2):
        with pytest.raises(StorageError, match="no locks available; the file system has no locks"):
            lock.try_acquire("inv queue")


def test_an_interrupt_while_it_is_taken_leaves_it_free(
    lock: FileLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Holder, "this_process", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.try_acquire("inv queue")
    assert lock.try_acquire("inv queue")
    lock.release()


def test_lock_files_stay_open_but_not_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pegasus.locking.MOST_OPEN", 2)
    locks = [BareLock.of(tmp_path / f"lock{number}") for number in range(5)]
    with locks[0].hold(within=60):
        for lock in locks[1:]:
            for _ in range(3):
                with lock.hold(within=60):
                    pass
        assert not is_free(locks[0].path)  # One that is held stays open, whatever comes.
    assert [lock._processes.lockfile is not None for lock in locks].count(True) <= 3
    assert all(is_free(lock.path) for lock in locks)
    for lock in locks:
        with lock.hold(within=60):
            assert not is_free(lock.path)


def is_free(path: Path) -> bool:
    """Whether another process finds nobody that holds the lock of a file."""

    def locked() -> bool:
        with path.open("ab") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        return True

    return bool(result(locked))
