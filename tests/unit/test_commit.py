"""A take or a put back is one change of three files, also when it is cut off in between."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peeking import peek
from queuefiles import consumed, items_of, jobs_of

from pegasus import storage
from pegasus.errors import StorageError
from pegasus.files.commit import Commits
from pegasus.files.consumed import ConsumedFile
from pegasus.files.queuefile import QueueFile
from pegasus.journal.file import Journal, JournalReader
from pegasus.model import Job
from pegasus.storage import Staged

A, B, C = Job("a"), Job("b"), Job("c")


class KilledError(BaseException):
    """Stands for the end of the process: nothing of ours runs after it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "queue.yaml"
    path.write_text("# mine\n- a\n- b\n- c\n")
    return path


@pytest.fixture
def queue(path: Path) -> QueueFile:
    return opened(path)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What is patched with this is so until the process is dead."""
    with monkeypatch.context() as patch:
        patch.setattr(Commits, "_abandon", lambda *_: None)
        patch.setattr(Staged, "discard", lambda _: None)
        yield patch


def opened(path: Path, consumed: str = "consumed.yaml") -> QueueFile:
    return QueueFile(path, path.parent / consumed)


def kill(patch: pytest.MonkeyPatch, owner: Any, name: str, after: bool = False) -> None:
    """Have the process die before a function is called, or right after."""
    real = getattr(owner, name)

    def dying(*args: object, **kwargs: object) -> None:
        if after:
            real(*args, **kwargs)
        raise KilledError

    patch.setattr(owner, name, dying)


#: Where a take or a put back may be cut off: before a step, or right behind it.
STEPS: list[tuple[object, str, bool]] = [
    (storage, "stage", False),
    (storage, "stage", True),
    (Journal, "append", True),
    (ConsumedFile, "add", True),
    (Staged, "put_in_place", False),
    (Staged, "put_in_place", True),
    (ConsumedFile, "forget", False),
    (ConsumedFile, "forget", True),
]
IDS = [f"{'after' if after else 'before'} {name}" for _, name, after in STEPS]
WHERE = pytest.mark.parametrize("step", STEPS, ids=IDS)
#: Which of them come when the change has been made.
MADE = [STEPS[5], STEPS[6], STEPS[7]]


def cut_off(
    patch: pytest.MonkeyPatch, step: tuple[Any, str, bool], deed: Callable[[], Any]
) -> None:
    kill(patch, *step)
    try:
        deed()
    except KilledError:
        pass
    finally:
        patch.undo()


def staged(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.glob(".*.next"))


def journal(path: Path) -> list[tuple[str, list[int]]]:
    found = JournalReader(path.parent / ".pegasus" / path.name).read()
    return [(line["event"], [job["job"] for job in line.get("jobs", [])]) for line in found]


def problem_of(deed: Callable[[], Any]) -> str:
    """Do it, and return the error for people, or ""."""
    try:
        deed()
    except StorageError as error:
        return str(error)
    return ""


def fail_once(patch: pytest.MonkeyPatch, owner: Any, name: str, number: int) -> None:
    """Have a call of a function fail, the first one being number 0."""
    real, left = getattr(owner, name), [number]

    def call(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        return full_disk() if left[0] == -1 else real(*args, **more)

    patch.setattr(owner, name, call)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# What is written.


def test_a_take_stands_in_the_journal(path: Path, tmp_path: Path) -> None:
    path.write_text("- command: a {{ x }}\n  x: [1, 2]\n  options: {timeout: 2h}\n")
    run = QueueFile(path, tmp_path / "consumed.yaml", run="5f0c91ab")
    run.take(1)
    (line,) = JournalReader(tmp_path / ".pegasus" / "queue.yaml").read()
    assert re.fullmatch("[0-9a-f]{8}", line.pop("commit"))
    assert line.pop("at")
    assert line == {
        "event": "jobs_taken",
        "run": "5f0c91ab",
        "jobs": [
            {
                "job": 1,
                "template": "a {{ x }}",
                "params": {"x": "1"},
                "options": {"timeout": "2h"},
                "slots": None,
                "attempts": 0,
            }
        ],
        "consumed": {"path": str(tmp_path / "consumed.yaml"), "size": None, "inode": None},
    }
    assert staged(path) == []


def test_a_put_back_stands_in_the_journal(queue: QueueFile, path: Path) -> None:
    queue.put_back(queue.take(2), "retry")
    record = path.parent / "consumed.yaml"
    (_, line) = JournalReader(path.parent / ".pegasus" / "queue.yaml").read()
    assert (line["event"], line["why"]) == ("jobs_requeued", "retry")
    assert [job["job"] for job in line["jobs"]] == [1, 2]
    assert line["consumed"]["path"] == str(record)
    assert line["consumed"]["size"] > 0
    assert line["consumed"]["inode"] != record.stat().st_ino  # It was written anew since.


# Cut off.


@WHERE
def test_a_take_that_is_cut_off_is_made_or_it_is_not(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch, step: tuple[Any, str, bool]
) -> None:
    queue.take(1)
    cut_off(killed, step, lambda: queue.take(1))
    is_made = step in MADE
    other = opened(path)
    other.settle()
    assert peek(other, 9) == ([C] if is_made else [B, C])
    assert consumed(other) == ([A, B] if is_made else [A])
    assert staged(path) == []
    assert path.read_text().startswith("# mine\n")
    (job,) = other.take(1)
    assert job.id == (3 if is_made else 2)
    other.settle()
    assert consumed(other) == ([A, B, C] if is_made else [A, B])


@WHERE
def test_a_put_back_that_is_cut_off_is_made_or_it_is_not(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch, step: tuple[Any, str, bool]
) -> None:
    jobs = queue.take(2)
    cut_off(killed, step, lambda: queue.put_back(jobs[1:]))
    is_made = step in MADE or step[1] == "add"  # Which is not called.
    other = opened(path)
    other.settle()
    assert peek(other, 9) == ([B, C] if is_made else [C])
    assert consumed(other) == ([A] if is_made else [A, B])
    assert staged(path) == []
    (job,) = other.take(1)
    assert job.id == (2 if is_made else 3)
    assert consumed(other) == ([A, B] if is_made else [A, B, C])


@WHERE
def test_who_had_the_file_open_before_settles_it_too(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch, step: tuple[Any, str, bool]
) -> None:
    other = opened(path)
    other.take(1)
    cut_off(killed, step, lambda: queue.take(1))
    is_made = step in MADE
    assert other.take(1) == ([C] if is_made else [B])
    assert consumed(other) == ([A, B, C] if is_made else [A, B])
    assert staged(path) == [] or step == STEPS[1]  # The next run removes it.
    opened(path).settle()
    assert staged(path) == []


@WHERE
def test_what_somebody_does_to_the_queue_before_it_is_settled_stays(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch, step: tuple[Any, str, bool]
) -> None:
    cut_off(killed, step, lambda: queue.take(1))
    path.write_text("- c\n# edited\n- a\n")
    record = path.parent / "consumed.yaml"
    before = record.read_text() if record.exists() else ""
    record.write_text(before + "# edited\n")
    other = opened(path)
    other.settle()
    assert path.read_text() == "- c\n# edited\n- a\n"
    expected = "- command:\n  - a\n# edited\n" if step in MADE else "# edited\n"
    assert record.read_text() == expected


def test_settling_twice_changes_nothing_more(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch
) -> None:
    cut_off(killed, STEPS[3], lambda: queue.take(2))
    for _ in range(2):
        opened(path).settle()
        queue.settle()
    assert journal(path) == [("jobs_taken", [1, 2]), ("undone", [])]
    assert consumed(queue) == []


@pytest.mark.parametrize("length", range(0, 48, 5))
@pytest.mark.parametrize("before", ["", "- command:\n  - old\n", "# no newline"])
def test_a_record_that_was_cut_off_is_removed(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch, before: str, length: int
) -> None:
    record = path.parent / "consumed.yaml"
    if before:
        record.write_text(before)
    cut_off(killed, STEPS[3], lambda: queue.take(3))
    whole = record.read_bytes()
    record.write_bytes(whole[: len(before) + length])
    opened(path).settle()
    assert record.read_text() == before
    assert opened(path).take(3) == [A, B, C]


def test_what_another_queue_has_recorded_since_stays(
    queue: QueueFile, path: Path, tmp_path: Path, killed: pytest.MonkeyPatch
) -> None:
    cut_off(killed, STEPS[3], lambda: queue.take(2))
    second = tmp_path / "second.yaml"
    second.write_text("- a\n- x\n")
    opened(second).take(2)
    opened(path).settle()
    assert consumed(queue) == [A, Job("x")]


def test_a_run_with_another_consumed_file_settles_the_right_one(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch
) -> None:
    cut_off(killed, STEPS[3], lambda: queue.take(2))
    other = opened(path, "other.yaml")
    assert other.take(1) == [A]
    assert consumed(queue) == []
    assert (path.parent / "other.yaml").read_text() == "- command:\n  - a\n"


def test_a_project_that_was_moved_since_is_settled_where_it_is(
    tmp_path: Path, killed: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "queue.yaml").write_text("- a\n- b\n")
    cut_off(killed, STEPS[3], lambda: opened(old / "queue.yaml").take(1))
    old.rename(new)
    moved = opened(new / "queue.yaml")
    assert moved.take(2) == [A, B]
    assert consumed(moved) == [A, B]


def test_a_record_is_removed_once_when_the_next_one_is_the_same(
    queue: QueueFile, path: Path
) -> None:
    path.write_text("- a\n- a\n- b\n")
    one, _ = queue.take(2)
    queue.put_back([one])
    # An editor that writes a new file may well get the old one's inode.
    record = path.parent / "consumed.yaml"
    inode = [*JournalReader(path.parent / ".pegasus" / path.name).read()][-1]["consumed"]["inode"]
    state = ConsumedFile.state

    def reused(file: ConsumedFile) -> dict[str, Any]:
        return {**state(file), "inode": inode}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConsumedFile, "state", reused)
        opened(path).settle()
    assert jobs_of(items_of(record.read_text())) == [A]


def test_only_what_was_staged_for_the_queue_is_removed(queue: QueueFile, path: Path) -> None:
    ours = path.parent / ".queue.yaml.5f0c91ab.next"
    others = [
        ".queue.yaml.mine.next",
        ".queue.yaml.5f0c91ab.next.swp",
        ".queue.yaml.5F0C91AB.next",
        ".queueXyaml.5f0c91ab.next",
        ".other.yaml.5f0c91ab.next",
        "queue.yaml.5f0c91ab.next",
        ".queue.yaml.x5f0c91ab.next",
    ]
    for name in (ours.name, *others):
        (path.parent / name).touch()
    queue.settle()
    assert not ours.exists()
    assert all((path.parent / name).exists() for name in others)
    ours.touch()
    queue.take(1)
    assert ours.exists()  # It looks once: what comes later may be of whoever comes next.
    opened(path).settle()
    assert not ours.exists()


def test_a_staged_file_that_can_not_be_looked_at_decides_nothing(
    queue: QueueFile, path: Path, killed: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(killed, STEPS[3], lambda: queue.take(1))
    real = os.lstat

    def lstat(where: Any, **more: Any) -> os.stat_result:
        if str(where).endswith(".next"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(where, **more)

    other = opened(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", lstat)
        for _ in range(2):
            with pytest.raises(StorageError, match=r"next: can't be looked at: permission"):
                other.take(1)
    assert other.take(1) == [A]
    assert consumed(other) == [A]


# Failures.


@pytest.mark.parametrize("what", ["take", "put_back"])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(os, "fsync"), (os, "write"), (os, "replace"), (os, "fchmod"), (os, "open")],
)
def test_what_fails_at_any_step_leaves_all_as_it_was(
    queue: QueueFile,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    what: str,
) -> None:
    jobs = queue.take(1)
    deed = {"take": lambda: queue.take(1), "put_back": lambda: queue.put_back(jobs)}[what]
    before = path.read_bytes(), consumed(queue)
    failures = 0
    # One call after the other fails, until none does or the failure is of no matter.
    for number in range(30):
        with monkeypatch.context() as patch:
            fail_once(patch, owner, name, number)
            problem = problem_of(deed)
        if not problem:
            break
        failures += 1
        assert "free some space" in problem
        assert (path.read_bytes(), consumed(queue)) == before
        assert staged(path) == [] or name == "open"
    opened(path).settle()
    state = peek(opened(path), 9), consumed(queue)
    assert state == {"take": ([C], [A, B]), "put_back": ([A, B, C], [])}[what]
    assert staged(path) == []
    assert failures


@pytest.mark.parametrize("name", ["append", "take_back"])
def test_nothing_is_taken_before_the_last_change_is_settled(
    queue: QueueFile,
    path: Path,
    killed: pytest.MonkeyPatch,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    cut_off(killed, STEPS[3], lambda: queue.take(2))
    before = path.read_bytes()
    other = opened(path)
    owner: Any = Journal if name == "append" else ConsumedFile

    def failing(*_: object, **__: object) -> None:
        with storage.failing(path, "written"):
            full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        for _ in range(3):
            with pytest.raises(StorageError, match="free some space"):
                other.take(1)
            with pytest.raises(StorageError, match="free some space"):
                other.put_back([Job("x", id=1)])
    assert path.read_bytes() == before
    assert [job.id for job in other.take(1)] == [1]
    assert consumed(other) == [A]


def test_what_could_not_be_forgotten_is_forgotten_before_the_next_take(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = queue.take(1)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "replace", lambda *_, **__: storage.read(path / "missing"))
        queue.put_back(jobs)
        assert peek(queue, 1) == [A]
        assert consumed(queue) == [A]
        with pytest.raises(StorageError):
            queue.take(1)
    assert queue.take(1) == [A]
    assert consumed(queue) == [A]


def test_a_queue_that_is_a_link_is_changed_where_it_leads_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "q.yaml", tmp_path / "queue.yaml"
    real.parent.mkdir()
    real.write_text("- a\n- b\n")
    link.symlink_to(real)
    queue = opened(link)
    assert queue.take(1) == [A]
    assert opened(real).take(1) == [B]
    lines = (real.parent / ".pegasus" / "q.yaml" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["jobs"][0]["job"] for line in lines[1:]] == [1, 2]
    assert not (tmp_path / ".pegasus" / "queue.yaml").exists()


def test_a_link_that_leads_elsewhere_by_now_is_refused(path: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.yaml", tmp_path / "other.yaml"
    link.symlink_to(path)
    queue = opened(link)
    assert queue.take(1) == [A]
    other.write_text("- x\n")
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(StorageError, match="leads to another file"):
        queue.take(1)
    assert other.read_text() == "- x\n"
    link.unlink()
    link.symlink_to(path)
    assert queue.take(1) == [B]
