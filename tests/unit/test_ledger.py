"""The ids of jobs: unique in a queue file, and stable where a job is put back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from peeking import peek
from queuefiles import options_of

from pegasus import storage
from pegasus.errors import JournalError, StorageError
from pegasus.files.queuefile import QueueFile
from pegasus.journal.file import Journal
from pegasus.journal.ledger import Ledger
from pegasus.journal.logs import log_path, logs_folder
from pegasus.journal.records import (
    JOBS_REQUEUED,
    JOBS_TAKEN,
    UNDONE,
    WHY_RETRY,
    job_fields,
    record,
)
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
def folder(path: Path) -> Path:
    return path.parent / ".pegasus" / path.name


def opened(path: Path) -> QueueFile:
    return QueueFile(path, path.parent / "consumed.yaml")


def ids(jobs: list[Job]) -> list[int]:
    return [job.id for job in jobs]


def attempted(jobs: list[Job], times: int) -> list[Job]:
    """The same jobs, after some attempts."""
    return [replace(job, attempts=times) for job in jobs]


# What users see, through the queue file.


def test_jobs_are_counted_from_one_when_they_are_taken(queue: QueueFile) -> None:
    assert ids(peek(queue, 2)) == [0, 0]
    assert ids(queue.take(1, peek(queue, 1))) == [1]
    assert ids(queue.take(2)) == [2, 3]
    assert ids(peek(queue, 1)) == [0]


def test_the_next_run_counts_on(queue: QueueFile, path: Path) -> None:
    queue.take(2)
    assert ids(opened(path).take(2)) == [3, 4]
    assert ids(queue.take(1)) == [5]


def test_each_queue_file_has_its_own_ids(queue: QueueFile, tmp_path: Path) -> None:
    queue.take(3)
    other = tmp_path / "other.yaml"
    other.write_text("- a\n")
    assert ids(QueueFile(other, tmp_path / "done.yaml").take(1)) == [1]


def test_several_processes_never_give_an_id_twice(path: Path) -> None:
    path.write_text("- command: run\n  x: " + str([*range(60)]) + "\n")
    command = [sys.executable, "-c", TAKE_ALL, str(path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [process.communicate(timeout=60)[0].split() for process in running]
    assert sorted(int(text) for share in given for text in share) == [*range(1, 61)]


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


def test_a_job_that_is_put_back_keeps_its_id(queue: QueueFile) -> None:
    first, second, third = queue.take(3)
    queue.put_back([third])
    queue.put_back([first, second])
    assert ids(queue.take(2)) == [1, 2]
    assert ids(queue.take(2)) == [3, 4]


def test_any_run_knows_a_job_that_was_put_back(queue: QueueFile, path: Path) -> None:
    first, second, third = queue.take(3)
    other = opened(path)
    other.put_back(attempted([first, second], 4), WHY_RETRY)
    assert [(job.id, job.attempts) for job in opened(path).take(1)] == [(1, 4)]
    other.put_back(attempted([third], 1))
    assert [(job.id, job.attempts) for job in queue.take(3)] == [(3, 1), (2, 4), (4, 0)]


def test_a_job_is_known_by_all_that_it_is(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- {command: a, x: 1}\n- {command: a, options: {retries: 1}}\n- a\n- a\n")
    taken = queue.take(4)
    queue.put_back(taken)
    jobs = queue.take(9)
    assert jobs == [
        Job("a"),
        Job("a", (("x", "1"),)),
        Job("a", options=options_of({"retries": "1"})),
        Job("a"),
        Job("a"),
    ]
    assert ids(jobs) == [1, 2, 3, 4, 5]
    queue.put_back(taken)
    assert ids(queue.take(9)) == [1, 2, 3, 4]


def test_a_job_is_known_however_its_text_is_written(queue: QueueFile, path: Path) -> None:
    text = '- {command: "a\\r\\n\\x07\\u2028 # {{ x }}", "é :": "", x: 032}\n- >\n  b\n\n  c\n'
    path.write_text(text)
    queue.put_back(queue.take(2))
    assert ids(opened(path).take(2)) == [1, 2]


def test_a_job_that_was_put_back_and_edited_has_a_new_id(queue: QueueFile, path: Path) -> None:
    queue.put_back(attempted(queue.take(2), 3))
    path.write_text(path.read_text().replace("- a", "- edited"))
    assert [(job.id, job.attempts) for job in queue.take(3)] == [(3, 0), (2, 3), (4, 0)]


def test_what_others_put_back_is_known(queue: QueueFile, path: Path) -> None:
    queue.put_back(queue.take(3))
    assert ids(opened(path).take(1)) == [1]
    assert ids(queue.take(3)) == [2, 3, 4]
    path.write_text("- a\n")
    assert ids(queue.take(1)) == [5]


def test_what_is_put_before_them_has_a_new_id(queue: QueueFile, path: Path) -> None:
    queue.put_back(queue.take(2))
    path.write_text("- new\n" + path.read_text())
    assert ids(queue.take(3)) == [3, 1, 2]


def test_a_job_that_never_had_an_id_gets_one(queue: QueueFile) -> None:
    queue.put_back([Job("new"), Job("new")])
    assert ids(queue.take(3)) == [1, 2, 3]


def test_the_one_of_two_that_was_put_back_last_comes_first(queue: QueueFile, path: Path) -> None:
    path.write_text("- a\n- a\n- a\n- a\n")
    one, two, three = queue.take(3)
    queue.put_back([two])
    queue.put_back([one, three])
    assert ids(queue.take(2)) == [1, 3]
    assert ids(queue.take(2)) == [2, 4]


def test_an_id_is_kept_when_a_take_fails(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.put_back(attempted(queue.take(2), 1))
    for name in ("stage", "append"):
        with monkeypatch.context() as patch:
            patch.setattr(storage, name, lambda *_: storage.read(path / "missing"))
            for _ in range(2):
                with pytest.raises(StorageError):
                    queue.take(3)
    assert [(job.id, job.attempts) for job in queue.take(3)] == [(1, 1), (2, 1), (3, 0)]


def test_a_take_that_fails_uses_up_no_id(
    queue: QueueFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.take(1)
    for name in ("stage", "append"):
        with monkeypatch.context() as patch:
            patch.setattr(storage, name, lambda *_: storage.read(path / "missing"))
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


# When the journal is gone.


def test_ids_go_on_when_the_folder_is_removed_under_a_run(queue: QueueFile, folder: Path) -> None:
    queue.put_back(queue.take(3)[2:])
    given: list[int] = []
    for _ in range(3):
        shutil.rmtree(folder.parent)
        time.sleep(0.002)  # The time a journal is begun tells it from others.
        given += ids(queue.take(1))
    assert given == [4, 5, 6]


def test_a_journal_that_is_lost_is_made_good_by_the_logs(
    queue: QueueFile, path: Path, folder: Path
) -> None:
    queue.take(3)
    logs_folder(folder).mkdir()
    for job in (1, 3):
        log_path(folder, job, 1, "out").touch()
    (folder / "journal.jsonl").unlink()
    time.sleep(0.002)  # The time a journal is begun tells it from others.
    assert ids(opened(path).take(1)) == [4]
    assert ids(queue.take(1)) == [5]
    assert ids(opened(path).take(1)) == [6]


def test_nothing_is_taken_beside_a_journal_of_another_version(
    queue: QueueFile, path: Path, folder: Path
) -> None:
    queue.take(1)
    before = path.read_bytes()
    (folder / "journal.jsonl").write_text('{"journal": "pegasus", "version": 99}\n')
    for deed in (queue.settle, lambda: queue.take(1), lambda: queue.put_back([Job("a", id=1)])):
        for file in (queue, opened(path)):
            with pytest.raises(JournalError, match="version 99"):
                deed() if file is queue else file.take(1)
    assert path.read_bytes() == before
    assert not [*path.parent.glob(".queue.yaml.*.next")]


# The ledger itself, by what stands in the journal.

A, B = Job("a", id=7), Job("b", id=8, attempts=2)


def commit(event: str, mark: str, *jobs: Job) -> dict[str, object]:
    consumed = {"path": "/consumed.yaml", "size": None, "inode": None}
    fields = [job_fields(job) for job in jobs]
    return record(event, "", commit=mark, jobs=fields, consumed=consumed)


def test_the_last_commit_is_told_until_it_is_undone(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path), Ledger(tmp_path)
    assert ledger.catch_up() is None
    journal.append(commit(JOBS_TAKEN, "one", A), commit(JOBS_REQUEUED, "two", A))
    last = ledger.catch_up()
    assert last
    assert (last.id, last.is_take, last.jobs) == ("two", False, (A,))
    assert last.consumed == {"path": "/consumed.yaml", "size": 0, "inode": None}
    assert ledger.catch_up() == last
    journal.append(record(UNDONE, "", commit="one"))
    assert ledger.catch_up() == last
    journal.append(record(UNDONE, "", commit="two"))
    assert ledger.catch_up() is None


def test_what_was_undone_has_not_been(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path), Ledger(tmp_path)
    journal.append(commit(JOBS_TAKEN, "one", A, B), commit(JOBS_REQUEUED, "two", B))
    journal.append(commit(JOBS_REQUEUED, "three", A), record(UNDONE, "", commit="three"))
    journal.append(commit(JOBS_TAKEN, "four", Job("c", id=9)), record(UNDONE, "", commit="four"))
    ledger.catch_up()
    named = ledger.named([Job("a"), Job("b"), Job("b")])
    assert [(job.id, job.attempts) for job in named] == [(9, 0), (8, 2), (10, 0)]
    assert [job.id for job in ledger.named([Job("b")])] == [8]
    assert [job.id for job in Ledger(tmp_path).named([Job("a")])] == [1]  # It has read nothing.


def test_a_job_that_was_put_back_twice_is_one_job(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path), Ledger(tmp_path)
    journal.append(*(commit(JOBS_REQUEUED, mark, A) for mark in ("one", "two")))
    ledger.catch_up()
    assert [job.id for job in ledger.named([Job("a"), Job("a")])] == [7, 8]


@pytest.mark.parametrize(
    "broken",
    [
        {"jobs": None},
        {"jobs": [{}]},
        {"jobs": [1]},
        {"jobs": [{**job_fields(A), "params": []}]},
        {"jobs": [{**job_fields(A), "job": "x"}]},
        {"jobs": [{**job_fields(A), "job": None}]},
        {"consumed": None},
        {"consumed": {}},
        {"consumed": {"path": "x", "size": "y", "inode": None}},
    ],
)
def test_a_broken_record_is_passed_over(tmp_path: Path, broken: dict[str, object]) -> None:
    journal, ledger = Journal(tmp_path), Ledger(tmp_path)
    journal.append(commit(JOBS_TAKEN, "one", A), {**commit(JOBS_TAKEN, "two", A), **broken})
    last = ledger.catch_up()
    assert last
    assert last.id == "one"
    assert [job.id for job in ledger.named([Job("a")])] == [8]


def test_ten_thousand_jobs_that_were_put_back_are_known_at_once(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path), Ledger(tmp_path)
    same = [Job("same", id=number) for number in range(1, 5_001)]
    others = [Job(f"other {number}", id=number) for number in range(5_001, 10_001)]
    journal.append(commit(JOBS_REQUEUED, "one", *same, *others))
    ledger.catch_up()
    begin = time.process_time()
    for number in range(1, 501):
        (job,) = ledger.named([Job("same")])
        assert job.id == number
        journal.append(commit(JOBS_TAKEN, f"take {number}", job))
        ledger.catch_up()
    assert [job.id for job in ledger.named([Job("new")] * 1_000 + others)] == [
        *range(10_001, 11_001),
        *range(5_001, 10_001),
    ]
    assert time.process_time() - begin < 5  # It takes 0.2 s.
