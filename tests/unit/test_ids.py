"""The ids of jobs: unique in a queue file, and stable where a job is put back."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from queuefiles import options_of

from pegasus.errors import StorageError
from pegasus.files import storage
from pegasus.files.queuefile import QueueFile
from pegasus.model import Job

TAKE_ALL = """
import sys
from pathlib import Path
from pegasus.files.queuefile import QueueFile
while True:
    queue = QueueFile(Path(sys.argv[1]), Path(sys.argv[1]).parent / "consumed.yaml")
    with queue.lock.hold("test"):
        jobs = queue.take(2)
    if not jobs:
        break
    print(*(job.id for job in jobs), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "queue.yaml"
    path.write_text("".join(f"- {name}\n" for name in "abcdefgh"))
    return path


@pytest.fixture
def queue(path: Path) -> Iterator[QueueFile]:
    file = opened(path)
    with file.lock.hold("test"):
        yield file


@pytest.fixture
def counter(path: Path) -> Path:
    return path.parent / ".pegasus" / path.name / "last_id"


def opened(path: Path) -> QueueFile:
    return QueueFile(path, path.parent / "consumed.yaml")


def ids(jobs: list[Job]) -> list[int]:
    return [job.id for job in jobs]


def test_jobs_are_counted_from_one_when_they_are_taken(queue: QueueFile) -> None:
    assert ids(queue.peek(2)) == [0, 0]
    assert ids(queue.take(1, queue.peek(1))) == [1]
    assert ids(queue.take(2)) == [2, 3]
    assert ids(queue.peek(1)) == [0]


def test_the_next_run_counts_on(queue: QueueFile, path: Path) -> None:
    queue.take(2)
    assert ids(opened(path).take(2)) == [3, 4]
    assert ids(queue.take(1)) == [5]


def test_each_queue_file_has_its_own_ids(queue: QueueFile, tmp_path: Path) -> None:
    queue.take(3)
    other = tmp_path / "other.yaml"
    other.write_text("- a\n")
    assert ids(QueueFile(other, tmp_path / "done.yaml").take(1)) == [1]


def test_the_number_is_for_its_owner_alone(queue: QueueFile, counter: Path) -> None:
    queue.take(1)
    assert stat.S_IMODE(counter.stat().st_mode) == 0o600
    assert counter.read_text().split() == ["1"]


def test_several_processes_never_give_an_id_twice(path: Path) -> None:
    path.write_text("- command: run\n  x: " + str([*range(90)]) + "\n")
    command = [sys.executable, "-c", TAKE_ALL, str(path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [process.communicate(timeout=60)[0].split() for process in running]
    assert sorted(int(text) for share in given for text in share) == [*range(1, 91)]


def test_several_threads_never_give_an_id_twice(path: Path) -> None:
    path.write_text("- a\n" * 60)
    files, given = [opened(path) for _ in range(2)], list[int]()

    def work(file: QueueFile) -> None:
        for _ in range(10):
            with file.lock.hold("test"):
                given.extend(ids(file.take(1)))

    threads = [threading.Thread(target=work, args=[file]) for file in files * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [*range(1, 61)]


@pytest.mark.parametrize(
    "garbage", [None, b"", b"\0" * 21, b"x\n", b"-5\n", b"12", "٣\n".encode(), b"9" * 60 + b"\n"]
)
def test_a_number_that_is_lost_is_made_good(
    queue: QueueFile, path: Path, counter: Path, garbage: bytes | None
) -> None:
    queue.take(3)
    counter.unlink()
    if garbage is not None:
        counter.write_bytes(garbage)
    assert ids(opened(path).take(1)) == [4]
    assert ids(queue.take(1)) == [5]
    assert ids(opened(path).take(1)) == [6]


def test_a_run_remembers_what_it_gave_when_the_number_is_lost(
    queue: QueueFile, path: Path, counter: Path
) -> None:
    queue.take(3)
    counter.write_text("1\n")
    (path.parent / "consumed.yaml").unlink()
    assert ids(queue.take(1)) == [4]
    counter.unlink()
    assert ids(queue.take(1)) == [5]


def test_the_folder_may_be_removed(queue: QueueFile, counter: Path) -> None:
    queue.take(1)
    shutil.rmtree(counter.parent.parent)
    assert ids(queue.take(1)) == [2]
    assert stat.S_IMODE(counter.parent.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(counter.parent.stat().st_mode) == 0o700


def test_a_number_that_can_not_be_written_leaves_the_queue_alone(
    queue: QueueFile, path: Path, counter: Path
) -> None:
    before = path.read_bytes()
    counter.mkdir()
    with pytest.raises(StorageError, match="last_id: can't be written"):
        queue.take(1)
    assert path.read_bytes() == before
    assert not (path.parent / "consumed.yaml").exists()
    counter.rmdir()
    assert ids(queue.take(1)) == [1]


def test_a_take_that_fails_uses_up_no_id(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise storage.failure(path, "written", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    queue.take(1)
    for name in ("replace", "append"):
        with monkeypatch.context() as patch:
            patch.setattr(storage, name, failing)
            for _ in range(3):
                with pytest.raises(StorageError):
                    queue.take(2)
    assert ids(opened(path).take(1)) == [2]
    assert ids(queue.take(1)) == [3]


def test_an_editor_that_saves_meanwhile_uses_up_no_id(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.take(1)
    edited = ["- edited\n- b\n"]
    real = os.fchmod

    def fchmod(*args: int) -> None:
        if edited:
            path.write_text(edited.pop())
        real(*args)

    monkeypatch.setattr(os, "fchmod", fchmod)
    (job,) = queue.take(1)
    assert (job.template, job.id) == ("edited", 2)


def test_a_job_that_is_put_back_keeps_its_id(queue: QueueFile) -> None:
    first, second, third = queue.take(3)
    queue.put_back([third])
    queue.put_back([first, second])
    assert ids(queue.take(2)) == [1, 2]
    assert ids(queue.take(2)) == [3, 4]


def test_a_job_is_known_by_all_that_it_is(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- {command: a, x: 1}\n- {command: a, options: {retries: 1}}\n- a\n- a\n")
    taken = queue.take(4)
    queue.put_back(taken)
    assert queue.take(9) == [
        Job("a"),
        Job("a", (("x", "1"),)),
        Job("a", options=options_of({"retries": "1"})),
        Job("a"),
        Job("a"),
    ]
    queue.put_back(taken)
    assert ids(queue.take(9)) == [1, 2, 3, 4]


def test_what_others_take_meanwhile_is_not_known_again(queue: QueueFile, path: Path) -> None:
    queue.put_back(queue.take(3))
    assert ids(opened(path).take(1)) == [4]
    assert ids(queue.take(3)) == [2, 3, 5]
    path.write_text("- a\n")
    assert ids(queue.take(1)) == [6]


def test_what_is_put_before_them_has_a_new_id(queue: QueueFile) -> None:
    queue.put_back(queue.take(2))
    queue.put_back([Job("new")])
    assert ids(queue.take(3)) == [3, 1, 2]


def test_an_id_is_kept_when_a_take_fails(
    queue: QueueFile, counter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.put_back(queue.take(2))
    with monkeypatch.context() as patch:
        patch.setattr(storage, "replace", lambda *_, **__: counter.joinpath("x").read_text())
        with pytest.raises(OSError, match="last_id"):
            queue.take(3)
    assert ids(queue.take(3)) == [1, 2, 3]
