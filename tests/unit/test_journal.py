"""The file of a journal: whole lines, from any number of writers, whatever happens to one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pegasus.errors import JournalError, StorageError
from pegasus.journal import file as journal_file
from pegasus.journal.file import Journal, JournalReader, journal_path
from pegasus.journal.logs import log_path, logs_folder
from pegasus.journal.records import record

WRITE = """
import sys
from pathlib import Path
from pegasus.journal.file import Journal
from pegasus.journal.records import record
journal = Journal(Path(sys.argv[1]))
for number in range(40):
    journal.append(record("one", sys.argv[2], n=number), record("two", sys.argv[2], n=number))
"""

HEADER = (
    b'{"journal": "pegasus", "version": 1, "last_id": 0, "at": "2026-01-02T03:04:05.678+00:00"}\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".pegasus" / "queue.yaml"


@pytest.fixture
def journal(folder: Path) -> Journal:
    return Journal(folder)


@pytest.fixture
def reader(folder: Path) -> JournalReader:
    return JournalReader(folder)


def add(journal: Journal, *names: str, sync: bool = False) -> None:
    journal.append(*(record(name, "5f0c91ab") for name in names), sync=sync)


def events(reader: JournalReader) -> list[str]:
    reader.begins_anew()
    return [found["event"] for found in reader.read()]


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_what_is_added_is_read_in_order(journal: Journal, reader: JournalReader) -> None:
    add(journal, "a")
    add(journal, "b", "c", sync=True)
    assert events(reader) == ["a", "b", "c"]


def test_the_first_line_says_the_version(journal: Journal) -> None:
    add(journal, "a")
    first = json.loads(journal.path.read_bytes().splitlines()[0])
    assert datetime.fromisoformat(first.pop("at")).tzinfo
    assert first == {"journal": "pegasus", "version": 1, "last_id": 0}


def test_a_journal_is_for_its_owner_alone(journal: Journal, folder: Path) -> None:
    add(journal, "a")
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text", ["\n", "\x00", "\u2028\x85\r", "\udcff", "é漢😀", '"\\', "{{ x }}"]
)
def test_any_text_comes_back_as_it_was(journal: Journal, reader: JournalReader, text: str) -> None:
    journal.append({"event": "a", "text": text, text: 1})
    add(journal, "b")
    first, second = reader.read()
    assert first == {"event": "a", "text": text, text: 1}
    assert second["event"] == "b"
    assert len(journal.path.read_bytes().splitlines()) >= 3
    for line in journal.path.read_bytes().decode().removesuffix("\n").split("\n"):
        json.loads(line)


def test_a_reader_goes_on_where_it_stopped(journal: Journal, reader: JournalReader) -> None:
    assert events(reader) == []
    add(journal, "a")
    assert events(reader) == ["a"]
    assert events(reader) == []
    add(journal, "b")
    add(journal, "c")
    assert not reader.begins_anew()
    assert events(reader) == ["b", "c"]


def test_a_reader_that_stops_in_between_goes_on_there(
    journal: Journal, reader: JournalReader
) -> None:
    add(journal, "a", "b", "c")
    assert next(reader.read())["event"] == "a"
    assert events(reader) == ["b", "c"]


def test_a_reader_has_the_events_it_wants(journal: Journal, folder: Path) -> None:
    add(journal, "a", "b", "ab", "a")
    assert events(JournalReader(folder, "a")) == ["a", "a"]
    assert events(JournalReader(folder, "b", "ab")) == ["b", "ab"]


# Torn ends.


@pytest.mark.parametrize(
    "torn", [b'{"event": "torn"', b"{", b"\xc3", b"\0" * 5000, b'{"event": "torn"}']
)
def test_what_has_no_end_is_left_out_and_then_removed(
    journal: Journal, reader: JournalReader, torn: bytes
) -> None:
    add(journal, "a")
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + torn)
    assert events(reader) == ["a"]
    assert journal.path.read_bytes() == whole + torn
    add(journal, "b")
    assert events(reader) == ["b"]
    assert journal.path.read_bytes().startswith(whole + b'{"event": "b"')


def test_a_torn_line_of_any_length_is_removed(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(journal, "a")
    whole = journal.path.read_bytes()
    for chunk in (len(HEADER), len(whole), len(whole) + 1):
        monkeypatch.setattr(journal_file, "CHUNK", chunk)
        for length in (1, chunk - 1, chunk, chunk + 1, 3 * chunk):
            journal.path.write_bytes(whole + b"x" * length)
            add(journal, "b")
            assert journal.path.read_bytes().startswith(whole + b'{"event": "b"')


@pytest.mark.parametrize("torn", [b"", b"\0" * 100, HEADER[:-1], HEADER[:9]])
def test_a_first_line_that_has_no_end_is_written_anew(
    journal: Journal, reader: JournalReader, torn: bytes
) -> None:
    add(journal, "gone")
    journal.path.write_bytes(torn)
    assert events(reader) == []
    assert reader.last_id == 0
    add(journal, "a")
    lines = journal.path.read_bytes().splitlines()
    assert lines[0].startswith(HEADER[:50])
    assert [json.loads(line)["event"] for line in lines[1:]] == ["a"]
    assert events(reader) == ["a"]


@pytest.mark.parametrize(
    "line",
    [b"", b"\0\0\0\0\0", b"garbage", b"[]", b"1", b"\xff\xfe", b'{"event": "b"', b"[" * 9999],
)
def test_a_line_that_is_no_record_is_passed_over(
    journal: Journal, reader: JournalReader, line: bytes
) -> None:
    add(journal, "a")
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    add(journal, "c")
    assert events(reader) == ["a", "c"]


# Versions.


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b'{"journal": "pegasus", "version": 2}', "has version 2, and this pegasus knows 1"),
        (b'{"journal": "pegasus"}', "this is no journal; move it away"),
        (b'{"journal": "pegasus", "version": "1"}', "this is no journal"),
        (b'{"version": 1}', "this is no journal"),
        (b"- a queue", "this is no journal"),
        (b"", "this is no journal"),
        (b"\0\0\0\0\0", "this is no journal"),
        (b'{"event": "a", "at": "", "run": ""}', "this is no journal"),
    ],
)
def test_what_is_of_another_version_is_neither_read_nor_written(
    journal: Journal, reader: JournalReader, header: bytes, problem: str
) -> None:
    add(journal, "a")
    content = header + b"\n" + b'{"event": "b"}\n'
    journal.path.write_bytes(content)
    for deed in (lambda: add(journal, "c"), lambda: add(Journal(journal.folder), "c")):
        with pytest.raises(JournalError) as caught:
            deed()
        assert str(caught.value).startswith(f"{journal.path}:1: ")
        assert problem in str(caught.value)
    for _ in range(2):
        with pytest.raises(JournalError, match=r"journal\.jsonl:1: "):
            events(reader)
    assert journal.path.read_bytes() == content


def test_more_fields_in_the_first_line_are_passed_over(
    journal: Journal, reader: JournalReader, folder: Path
) -> None:
    add(journal, "a")
    journal.path.write_bytes(b'{"more": [], "version": 1, "journal": "pegasus", "last_id": 7}\n')
    add(journal, "b")
    assert events(reader) == ["b"]
    assert reader.last_id == 7


def test_ids_go_on_behind_the_logs_that_are_left(journal: Journal, folder: Path) -> None:
    logs_folder(folder).mkdir(parents=True)
    for job, attempt in ((9, 1), (12, 3)):
        log_path(folder, job, attempt, "err").touch()
    for name in ("x.1.out", "99.out", "99.1.log", "٣.1.out", "99.1.out.gz", "-99.1.out"):
        (logs_folder(folder) / name).touch()
    add(journal, "a")
    assert json.loads(journal.path.read_bytes().splitlines()[0])["last_id"] == 12


# Several writers.


def test_threads_and_processes_write_whole_records(
    journal: Journal, reader: JournalReader, folder: Path
) -> None:
    command = [sys.executable, "-c", WRITE, str(folder)]
    running = [subprocess.Popen([*command, f"p{number}"]) for number in range(2)]

    def work(name: str) -> None:
        for number in range(40):
            journal.append(record("one", name, n=number), record("two", name, n=number))

    threads = [threading.Thread(target=work, args=[f"t{number}"]) for number in range(3)]
    for thread in threads:
        thread.start()
    read = [found for _ in range(50) for found in reader.read()]  # While they write.
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in running] == [0, 0]
    read += reader.read()
    assert not reader.begins_anew()
    assert len(journal.path.read_bytes().splitlines()) == 1 + len(read)
    for name in ("p0", "p1", "t0", "t1", "t2"):
        own = [(found["event"], found["n"]) for found in read if found["run"] == name]
        assert own == [(event, number) for number in range(40) for event in ("one", "two")]
    # What was added at once stands together.
    pairs = zip(read[::2], read[1::2], strict=True)
    assert all((a["run"], a["n"]) == (b["run"], b["n"]) for a, b in pairs)


# Removed and replaced.


def test_a_journal_that_is_removed_is_begun_anew(
    journal: Journal, reader: JournalReader, folder: Path
) -> None:
    add(journal, "a")
    assert events(reader) == ["a"]
    for _ in range(3):
        journal.path.unlink()
        assert reader.begins_anew()
        assert not reader.begins_anew()
        assert [*reader.read()] == []
        add(journal, "b", "c")
        assert reader.begins_anew()
        assert events(reader) == ["b", "c"]
        time.sleep(0.002)  # The time a journal is begun tells it from others.
        journal.path.unlink()
        add(journal, "d", "e")
        assert reader.begins_anew()
        assert events(reader) == ["d", "e"]
    assert not reader.begins_anew()


def test_the_folder_may_be_removed_between_two_writes(
    journal: Journal, reader: JournalReader, folder: Path
) -> None:
    add(journal, "a", sync=True)
    assert events(reader) == ["a"]
    shutil.rmtree(folder.parent)
    time.sleep(0.002)  # The time a journal is begun tells it from others.
    add(journal, "b", sync=True)
    assert events(reader) == ["b"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_journal_that_is_replaced_is_read_from_its_begin(
    journal: Journal, reader: JournalReader
) -> None:
    add(journal, "a", "b")
    assert events(reader) == ["a", "b"]
    other = journal.path.with_name("other")
    other.write_bytes(HEADER + b'{"event": "x"}\n' * 20)
    other.replace(journal.path)
    assert reader.begins_anew()
    assert events(reader) == ["x"] * 20


def test_a_journal_that_is_emptied_is_read_from_its_begin(
    journal: Journal, reader: JournalReader
) -> None:
    add(journal, "a", "b")
    assert events(reader) == ["a", "b"]
    journal.path.write_bytes(b"")
    add(journal, "c")
    assert reader.begins_anew()
    assert events(reader) == ["c"]
    # Longer than it was before, and the same file.
    journal.path.write_bytes(HEADER + b'{"event": "' + b"y" * 300 + b'"}\n')
    assert reader.begins_anew()
    assert events(reader) == ["y" * 300]


def test_nothing_is_read_of_a_file_that_comes_between_the_question_and_the_reading(
    journal: Journal, reader: JournalReader
) -> None:
    add(journal, "a")
    assert events(reader) == ["a"]
    reader.begins_anew()
    other = journal.path.with_name("other")
    other.write_bytes(journal.path.read_bytes() + b'{"event": "x"}\n')
    other.replace(journal.path)
    assert [*reader.read()] == []
    assert events(reader) == ["a", "x"]


# Failures.


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("is_new", [False, True])
def test_a_write_that_fails_leaves_nothing(
    journal: Journal,
    reader: JournalReader,
    monkeypatch: pytest.MonkeyPatch,
    is_new: bool,
    sync: bool,
) -> None:
    if not is_new:
        add(journal, "a", sync=sync)
    before = journal.path.read_bytes() if not is_new else b""
    real = os.write
    for room in (0, 1, 30, 80):
        left = [room]

        def write(descriptor: int, data: Any, left: list[int] = left) -> int:
            if not left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = real(descriptor, bytes(data)[: left[0]])
            left[0] -= written
            return written

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(StorageError, match="free some space") as caught:
                add(journal, "b", "c", sync=sync)
        assert caught.value.errno == errno.ENOSPC
        assert str(journal.path) in str(caught.value)
        assert journal.path.read_bytes() == before
    add(journal, "d")
    assert events(reader) == (["d"] if is_new else ["a", "d"])


def test_what_does_not_get_on_the_disk_is_taken_back(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(journal, "a", sync=True)
    before = journal.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.EIO))
        add(journal, "b")
        with pytest.raises(StorageError, match="can't be written"):
            add(journal, "c", sync=True)
    assert journal.path.read_bytes().startswith(before + b'{"event": "b"')
    assert b'"c"' not in journal.path.read_bytes()


def test_the_first_record_that_must_last_makes_the_folders_last(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    file = str(journal.path)
    add(journal, "a")
    assert synced == [file]  # Its first line.
    for _ in range(2):
        add(journal, "b", sync=True)
    folders = [str(folder), str(folder.parent), str(folder.parent.parent)]
    assert synced == [file, *folders, file, file]
    journal.path.unlink()
    add(journal, "c", sync=True)
    assert synced[6:] == [file, *folders, file]


def test_a_journal_that_can_not_be_written_is_an_error_for_people(folder: Path) -> None:
    journal_path(folder).mkdir(parents=True)
    with pytest.raises(StorageError, match=r"journal.jsonl: can't be written: .*; name a file"):
        add(Journal(folder), "a")
    for deed in (JournalReader(folder).begins_anew, lambda: [*JournalReader(folder).read()]):
        with pytest.raises(StorageError, match=r"journal.jsonl: can't be read: .*; name a file"):
            deed()


def test_a_folder_that_can_not_be_made_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / ".pegasus").write_text("")
    with pytest.raises(StorageError, match=r"can't be (written|locked): "):
        add(Journal(tmp_path / ".pegasus" / "queue.yaml"), "a")
