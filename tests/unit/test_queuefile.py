"""The queue file in use: several hands on it, mistakes in it, and things that go wrong."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peeking import peek
from queuefiles import consumed, items_of, jobs_of, standing

from pegasus import storage
from pegasus.errors import QueueFileError, SettingsError, StorageError
from pegasus.files import queuefile
from pegasus.files.entries import Entry
from pegasus.files.queuefile import QueueFile
from pegasus.files.tolerant import at_once
from pegasus.model import Job

TAKE_ALL = """
import sys
from pathlib import Path
from typing import Any
from pegasus.files.queuefile import QueueFile
queue = QueueFile(Path(sys.argv[1]), Path(sys.argv[2]))
while True:
    with queue.lock.hold("test"):
        queue.look()
        jobs = queue.take(1, queue.jobs_at([0]))
    if not jobs:
        break
    print(jobs[0].template, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.yaml"


@pytest.fixture
def queue(path: Path) -> QueueFile:
    return QueueFile(path, path.parent / "consumed.yaml")


def templates(jobs: list[Job]) -> list[str]:
    return [job.template for job in jobs]


def once(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, deed: Callable[[], object]
) -> None:
    """Have something done when a function is called for the first time, before it runs."""
    real = getattr(owner, name)
    left = [deed]

    def wrapped(*args: object, **kwargs: object) -> object:
        if left:
            left.pop()()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapped)


def lose_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, name, failing)


def test_peek_changes_nothing(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- command: b\n  x: [1, 2]\n")
    before = queue.signature()
    assert peek(queue, 2) == [Job("a"), Job("b", (("x", "1"),))]
    assert not queue.changed_since(before)
    assert consumed(queue) == []


def test_what_is_taken_is_consumed_in_canonical_form(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- command: [b]\n  x: [032, 2]\n")
    assert queue.take(2) == [Job("a"), Job("b", (("x", "032"),))]
    text = "- command:\n  - a\n- command:\n  - b\n  x:\n  - '032'\n"
    assert (path.parent / "consumed.yaml").read_text() == text


def test_the_end_of_the_consumed_file_is_a_queue_file(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- echo 'b' # c\n")
    queue.take(2)
    lines = (path.parent / "consumed.yaml").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[-2:]))
    assert queue.take(2) == [Job("echo 'b'")]


def test_several_jobs_are_one_commit(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("- a\n" * 50)
    queue.take(1)
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=real: (calls.append(n), f(*a))[1])
    queue.take(1)
    for_one, calls[:] = [*calls], []
    assert len(queue.take(40)) == 40
    assert calls == for_one
    assert calls.count("replace") == 1
    assert calls.count("fsync") == 5  # The new queue, twice its folder, journal, consumed.yaml.


def test_a_job_knows_where_its_template_stands(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- command: ['b', c]\n")
    source = peek(queue, 3)[2].source
    assert source
    assert str(source.place) == f"{path}:2:18"


def test_modes_and_links_are_kept(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text("- a\n- b\n")
    real.chmod(0o664)
    path.symlink_to(real)
    QueueFile(path, tmp_path / "consumed.yaml").take(1)
    assert path.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("- b\n", 0o664)


def test_a_change_is_seen_without_reading(queue: QueueFile, path: Path) -> None:
    missing = queue.signature()
    assert missing is None
    path.write_text("- a\n")
    assert queue.changed_since(missing)
    there = queue.signature()
    assert not queue.changed_since(there)
    queue.take(1)
    assert queue.changed_since(there)
    empty = queue.signature()
    path.unlink()
    assert queue.changed_since(empty)


def test_a_missing_file_is_an_error_that_says_what_to_do(queue: QueueFile, path: Path) -> None:
    for deed in (lambda: queue.entries(at_once), lambda: peek(queue, 1), lambda: queue.take(1)):
        with pytest.raises(QueueFileError, match="there is no such file; write a list"):
            deed()
    path.write_text("- a\n")
    assert queue.take(1) == [Job("a")]


def test_a_wrong_file_is_never_written_to(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- b\n")
    queue.take(1)
    path.write_text("- b\n- [c\n")
    before = storage.signature(path)
    for deed in (lambda: queue.take(1), lambda: queue.put_back([Job("a")]), lambda: peek(queue, 1)):
        with pytest.raises(QueueFileError, match=":2:3: "):
            deed()
    assert storage.signature(path) == before
    assert consumed(queue) == [Job("a")]
    path.write_text("- b\n- c\n")
    assert queue.take(2) == [Job("b"), Job("c")]


def test_every_new_entry_is_linted_before_anything_is_taken(path: Path) -> None:
    seen: list[str] = []

    def lint(entry: Entry) -> None:
        seen.append(str(entry.heads[0]))
        if seen[-1] == "wrong":
            raise QueueFileError("wrong", entry.place)

    queue = QueueFile(path, path.parent / "consumed.yaml", lint)
    path.write_text("- a\n- b\n")
    assert queue.take(1) == [Job("a")]
    assert seen == ["a", "b"]
    path.write_text("- b\n- wrong\n")
    with pytest.raises(QueueFileError, match=":2:3: wrong"):
        queue.take(1)
    assert consumed(queue) == [Job("a")]


def test_the_whole_file_is_read_once_and_then_what_is_new_only(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("".join(f"- 'a{n}'\n" for n in range(500)))
    linted: list[Entry] = []
    queue._lint = linted.append
    other = QueueFile(path, path.parent / "consumed.yaml")
    queue.take(1)
    assert len(linted) == 500
    for _ in range(3):
        queue.take(2, peek(queue, 2))
        other.take(1)
    other.put_back([Job("new")])
    assert templates(peek(queue, 2)) == ["new", "a10"]
    assert [str(entry.heads[0]) for entry in linted[500:]] == ["new"]
    path.write_text(path.read_text().replace("a400", "b400"))
    peek(queue, 1)
    assert [str(entry.heads[0]) for entry in linted[501:]] == ["a399", "b400"]


@pytest.mark.parametrize("text", ["- &x a\n- b\n- *x\n- c\n", "[a, b, c, d]"])
def test_entries_that_depend_on_others_are_always_read(path: Path, text: str) -> None:
    queue, other = (QueueFile(path, path.parent / "consumed.yaml") for _ in range(2))
    path.write_text(text)
    peek(queue, 1)
    jobs = peek(other, 9)
    other.take(1)
    assert queue.take(9) == jobs[1:]


def test_an_anchor_that_somebody_removed_is_missed(queue: QueueFile, path: Path) -> None:
    path.write_text("- &x a\n- b\n- c\n- d\n- *x\n")
    peek(queue, 1)
    path.write_text("- b\n- c\n- d\n- *x\n")
    with pytest.raises(QueueFileError, match="no anchor"):
        queue.take(1)


def test_what_was_part_of_a_text_before_is_linted(queue: QueueFile, path: Path) -> None:
    path.write_text("- 'a\n- b'\n- c\n")
    peek(queue, 1)
    linted: list[str] = []
    queue._lint = lambda entry: linted.append(str(entry.heads[0]))
    path.write_text("- 'x'\n- b'\n- c\n")
    peek(queue, 1)
    assert linted == ["x", "b'"]


def test_what_is_known_is_what_the_file_holds(queue: QueueFile, path: Path) -> None:
    path.write_text("# c\n- a\n- command: [b, c]\n  # own\n  x: [1, 2]\n\n- d\n# e\n- e\n")
    steps = [lambda: queue.take(1), lambda: queue.put_back([Job("n")]), lambda: queue.take(3)]
    for step in [*steps, *steps, *steps]:
        step()
        fresh = QueueFile(path, path.parent / "consumed.yaml")
        peek(fresh, 1)
        assert queue._known
        assert fresh._known
        assert standing(queue._known) == standing(fresh._known)


def test_an_editor_that_saves_without_the_lock_loses_nothing(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("- a\n- b\n")
    once(monkeypatch, storage, "append", lambda: path.write_text("- edited\n- a\n- b\n"))
    assert queue.take(1) == [Job("edited")]
    assert path.read_text() == "- a\n- b\n"
    assert consumed(queue) == [Job("edited")]


def test_an_editor_that_saves_at_the_last_moment_loses_nothing(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("- a\n- b\n")
    once(monkeypatch, os, "fchmod", lambda: path.write_text("- edited\n"))
    queue.put_back([Job("new")])
    assert peek(queue, 9) == [Job("new"), Job("edited")]


def test_nothing_is_taken_when_the_head_is_not_what_was_expected(
    queue: QueueFile, path: Path
) -> None:
    path.write_text("- a\n- b\n")
    jobs = peek(queue, 1)
    path.write_text("- other\n- a\n- b\n")
    assert queue.take(1, jobs) == []
    assert path.read_text() == "- other\n- a\n- b\n"
    assert consumed(queue) == []
    assert queue.take(1, peek(queue, 1)) == [Job("other")]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_file_that_is_being_written_is_read_when_that_is_done(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    path.write_text("- a\n- b\n")
    queue.take(1)
    if is_new:
        path.rename(path.with_name("backup"))  # As vim does.
    path.write_text("")  # As `>` or an editor does before it writes.

    def finish(_: float) -> None:
        path.write_text("- new\n")
        monkeypatch.undo()

    monkeypatch.setattr("pegasus.files.content.SETTLING", 60)
    monkeypatch.setattr("time.sleep", finish)
    once(monkeypatch, queuefile, "validate", lambda: pytest.fail("it was read too early"))
    assert peek(queue, 1) == [Job("new")]


def test_what_another_run_has_written_needs_no_waiting(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("- a\n- b\n- c\n")
    queue.lock.acquire("a test")
    queue.take(1)
    other = QueueFile(path, path.parent / "consumed.yaml")
    other.take(1)
    monkeypatch.setattr("pegasus.files.content.SETTLING", 60)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))
    assert peek(queue, 1) == [Job("c")]
    queue.lock.release()


@pytest.mark.parametrize("name", ["replace", "fsync", "write"])
def test_nothing_is_taken_when_the_disk_is_full(
    queue: QueueFile, path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("- a\n- b\n- c\n")
    queue.take(1)
    with monkeypatch.context() as patch:
        lose_disk(patch, name)
        with pytest.raises(StorageError, match="free some space"):
            queue.take(1)
    assert path.read_text() == "- b\n- c\n"
    assert consumed(queue) == [Job("a")]
    assert queue.take(1) == [Job("b")]


def test_jobs_are_put_back_in_their_order_and_not_consumed(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- command: b\n  x: [1, 2]\n- c\n")
    taken = queue.take(3)
    queue.put_back(taken[1:])
    assert peek(queue, 9) == [*taken[1:], Job("c")]
    assert consumed(queue) == [Job("a")]


def test_only_the_latest_record_of_a_job_is_forgotten(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- {command: a, x: 1}\n- a\n- b\n- {command: a, y: 1}\n")
    taken = queue.take(9)
    left = [*taken[:2], *taken[3:]]
    queue.put_back([Job("a")])
    assert consumed(queue) == left
    queue.put_back([Job("never taken")])
    assert consumed(queue) == left


def test_jobs_are_put_back_even_when_files_are_gone(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n")
    taken = queue.take(1)
    path.unlink()
    (path.parent / "consumed.yaml").unlink()
    queue.put_back(taken)
    assert peek(queue, 9) == taken
    assert path.stat().st_mode & 0o777 == 0o600


def test_jobs_are_put_back_once_even_when_their_records_can_not_be_removed(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("- a\n- b\n")
    taken = queue.take(1)
    replace = storage.replace

    def full(where: Path, *rest: Any, **more: Any) -> object:
        if where.name == "consumed.yaml":
            raise StorageError("the disk is full")
        return replace(where, *rest, **more)

    monkeypatch.setattr("pegasus.files.consumed.storage.replace", full)
    queue.put_back(taken)
    assert peek(queue, 9) == [Job("a"), Job("b")]
    assert consumed(queue) == [Job("a")]


def test_what_users_add_to_the_consumed_file_stays(queue: QueueFile, path: Path) -> None:
    record = path.parent / "consumed.yaml"
    record.write_text("# mine\n- command:\n  - old\n# no newline")
    path.write_text("- a\n- b\n")
    queue.take(2)
    record.write_text(record.read_text() + "\n# note\n")
    queue.put_back([Job("b")])
    assert record.read_text() == (
        "# mine\n- command:\n  - old\n# no newline\n- command:\n  - a\n\n# note\n"
    )


def test_the_queue_file_can_not_be_the_consumed_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "consumed.yaml"
    link.symlink_to(path)
    with pytest.raises(SettingsError, match="can't be queue file and consumed file at once"):
        QueueFile(path, link)


def test_several_processes_take_each_job_once(queue: QueueFile, path: Path) -> None:
    jobs = [f"job {n}" for n in range(60)]
    path.write_text("".join(f"- {job}\n" for job in jobs[:30]) + f"- command: {jobs[30:]}\n")
    command = [sys.executable, "-c", TAKE_ALL, str(path), str(path.parent / "consumed.yaml")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    taken = [process.communicate(timeout=60)[0].splitlines() for process in running]
    assert sorted(job for share in taken for job in share) == sorted(jobs)
    assert templates(consumed(queue)) == jobs
    assert path.read_text() == ""


def test_two_queues_share_a_consumed_file(tmp_path: Path) -> None:
    queues = [QueueFile(tmp_path / f"{n}.yaml", tmp_path / "consumed.yaml") for n in range(2)]
    for queue in queues:
        queue.path.write_text("- a\n" * 30)

    def work(queue: QueueFile) -> None:
        for _ in range(30):
            with queue.lock.hold("test"):
                queue.take(1)
                queue.put_back([Job("a")])
                queue.take(1)

    threads = [threading.Thread(target=work, args=[queue]) for queue in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jobs_of(items_of((tmp_path / "consumed.yaml").read_text())) == [Job("a")] * 60


def test_a_large_grid_is_taken_apart_once(queue: QueueFile, path: Path) -> None:
    numbers = [str(number) for number in range(100)]
    path.write_text(f"- command: run\n  a: {numbers}\n  b: {numbers}\n")
    assert queue.take(1) == [Job("run", (("a", "0"), ("b", "0")))]
    assert sum(entry.size for entry in queue.entries(at_once)) == 9_999
    assert queue.take(1) == [Job("run", (("a", "0"), ("b", "1")))]
