"""The logs of attempts: what a command wrote, byte for byte, whatever the disk does."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disks import Disk
from project import wait_until

from pegasus.errors import StorageError
from pegasus.events import AttemptEnded, AttemptStarted, Stream
from pegasus.journal import logs, pruning
from pegasus.journal.file import Journal, journal_path
from pegasus.journal.logs import Key, Log, Logs, key_of, last_job, log_path, logs_folder
from pegasus.journal.pruning import Keep, Pruner, RunningAttempts, prune
from pegasus.journal.records import record
from pegasus.model import Attempt, Ending, Host, Job, Node

ODD = bytes(range(256)) + b"\r\n\xff no newline"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `.pegasus/queue.yaml` is to be; nothing is there yet."""
    return tmp_path / ".pegasus" / "queue.yaml"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def opened(folder: Path) -> Log:
    log = Log(log_path(folder, 7, 1, "out"))
    log.open()
    return log


def content(folder: Path, name: str = "7.1.out") -> bytes:
    return (logs_folder(folder) / name).read_bytes()


def test_both_logs_are_there_once_they_are_open_and_for_their_owner_alone(folder: Path) -> None:
    Logs(folder).of((7, 1)).open()
    found = sorted(logs_folder(folder).iterdir())
    assert [path.name for path in found] == ["7.1.err", "7.1.out"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in found] == [0o600, 0o600]
    made = (folder.parent, folder, logs_folder(folder))
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


def test_the_bytes_of_each_stream_are_there_as_soon_as_they_have_come(folder: Path) -> None:
    both = Logs(folder).of((7, 1))
    both.open()
    both.write(Stream.STDOUT, ODD)
    both.write(Stream.STDERR, b"oops")
    assert (content(folder), content(folder, "7.1.err")) == (ODD, b"oops")
    both.write(Stream.STDOUT, b"more")
    assert content(folder) == ODD + b"more"
    assert (both.size(Stream.STDOUT), both.size(Stream.STDERR)) == (len(ODD) + 4, 4)


def test_what_an_older_log_of_the_same_name_holds_stays(folder: Path) -> None:
    logs_folder(folder).mkdir(parents=True)
    log_path(folder, 7, 1, "out").write_bytes(b"older\n")
    opened(folder).write(b"newer\n")
    assert content(folder) == b"older\nnewer\n"


def test_a_symbolic_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    logs_folder(folder).mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    log_path(folder, 7, 1, "out").symlink_to(tmp_path / "precious")
    with pytest.raises(StorageError):
        opened(folder)
    log = Log(log_path(folder, 7, 1, "out"))
    log.write(b"x")
    log.close()
    assert (tmp_path / "precious").read_text() == "precious"
    assert log.lost == 1


def test_a_folder_that_somebody_has_removed_is_made_again(folder: Path) -> None:
    opened(folder).close()
    log_path(folder, 7, 1, "out").unlink()
    logs_folder(folder).rmdir()
    opened(folder).write(b"x")
    assert content(folder) == b"x"


def test_what_is_written_to_no_open_log_opens_it(folder: Path) -> None:
    log = Log(log_path(folder, 7, 1, "out"))
    log.write(b"late")
    log.close()
    assert content(folder) == b"late"


def test_output_on_a_full_disk_is_held_and_written_when_there_is_room(
    folder: Path, disk: Disk
) -> None:
    log = opened(folder)
    disk.room = 4
    log.write(b"01234")
    log.write(b"567")
    assert content(folder) == b"0123"
    assert "no space left on device" in str(log.problem)
    disk.room = None
    disk.now += logs.RETRY
    log.write(b"89")
    assert content(folder) == b"0123456789"
    assert (log.problem, log.lost, log.size) == (None, 0, 10)


def test_a_full_disk_is_not_tried_more_often_than_now_and_then(folder: Path, disk: Disk) -> None:
    log = opened(folder)
    disk.room = 0
    log.write(b"x")
    tries = disk.tries
    for _ in range(1000):
        log.write(b"x")
        disk.now += logs.RETRY / 501
    assert disk.tries - tries in (1, 2)


def test_what_is_held_is_tried_again_at_the_end(folder: Path, disk: Disk) -> None:
    log = opened(folder)
    disk.room = 0
    log.write(b"held")
    disk.room = None
    log.close()
    assert (content(folder), log.lost) == (b"held", 0)


def test_what_does_not_fit_in_memory_is_counted(folder: Path, disk: Disk) -> None:
    log = opened(folder)
    disk.room = 0
    for _ in range(5):
        log.write(b"x" * (logs.HELD // 4))
    log.write(b"yz")
    assert log.lost == logs.HELD // 4 + 2
    disk.room = None
    disk.now += logs.RETRY
    log.write(b"w")
    log.write(b"v")
    log.close()
    # What comes first is kept, and what comes when there is room again.
    assert content(folder) == b"x" * logs.HELD + b"v"
    assert (log.lost, log.size) == (logs.HELD // 4 + 3, 5 * (logs.HELD // 4) + 4)


def test_output_of_more_than_is_held_is_written_where_there_is_room(folder: Path) -> None:
    log = opened(folder)
    log.write(b"x" * (3 * logs.HELD))
    assert (len(content(folder)), log.lost) == (3 * logs.HELD, 0)


def test_what_is_held_at_the_end_and_still_can_t_be_written_is_counted(
    folder: Path, disk: Disk
) -> None:
    log = opened(folder)
    disk.room = 2
    log.write(b"abc")
    log.close()
    assert (content(folder), log.lost, log.size) == (b"ab", 1, 3)


def test_a_lack_of_descriptors_is_a_trouble_like_others(folder: Path, disk: Disk) -> None:
    disk.opens = False
    log = Log(log_path(folder, 7, 1, "out"))
    with pytest.raises(StorageError, match="too many open files"):
        log.open()
    log.write(b"held")
    disk.opens = True
    disk.now += logs.RETRY
    log.write(b" and written")
    assert content(folder) == b"held and written"


@pytest.mark.parametrize("output", [b"", b"x"])
def test_how_old_a_log_is_counts_from_the_end_of_the_attempt(
    folder: Path, disk: Disk, output: bytes
) -> None:
    log, path = opened(folder), log_path(folder, 7, 1, "out")
    if output:
        log.write(output)
    os.utime(path, (0, 0))
    disk.now += 2 * logs.FRESH
    log.close()
    assert time.time() - path.stat().st_mtime < 3600


def test_a_log_that_was_there_before_is_as_old_as_its_last_attempt(folder: Path) -> None:
    path = log_path(folder, 7, 1, "out")
    opened(folder).close()
    os.utime(path, (0, 0))
    opened(folder).close()
    assert time.time() - path.stat().st_mtime < 3600


def test_a_short_attempt_opens_and_closes_its_logs_and_does_nothing_else_to_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Logs(folder).of((6, 1)).open()
    calls: list[str] = []

    class Counted:
        def __getattr__(self, name: str) -> Any:
            found = getattr(os, name)
            if not callable(found):
                return found
            return lambda *args, **more: calls.append(name) or found(*args, **more)

    monkeypatch.setattr(logs, "os", Counted())
    both = Logs(folder).of((7, 1))
    both.open()
    both.write(Stream.STDOUT, b"x" * 100_000)
    both.close()
    assert calls == ["open", "open", "write", "close", "close"]


def test_no_descriptor_is_left(folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 20):
        both = Logs(folder).of((number, 1))
        both.open()
        both.write(Stream.STDOUT, b"x")
        both.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("7.1.out", (7, 1)),
        ("12.34.err", (12, 34)),
        ("7.1.log", None),
        ("7.out", None),
        ("07.1.out", None),
        ("7.0.out", None),
        ("7.1.out~", None),
        ("x7.1.out", None),
        ("٧.1.out", None),
        ("7.1.out\n", None),
    ],
)
def test_only_what_is_named_like_a_log_is_one(name: str, key: Key | None) -> None:
    assert key_of(name) == key


def test_the_last_job_that_has_a_log_is_known(folder: Path) -> None:
    assert last_job(folder) == 0
    make(folder, (9, 1), (10, 2))
    assert last_job(folder) == 10


# Pruning.


def make(folder: Path, *keys: Key, days_ago: float = 0) -> None:
    """Make logs, each a second newer than the one before."""
    logs_folder(folder).mkdir(parents=True, exist_ok=True)
    for place, key in enumerate(keys):
        when = time.time() - days_ago * 86400 - len(keys) + place
        for suffix in ("out", "err"):
            path = log_path(folder, *key, suffix)
            path.write_text("x")
            os.utime(path, (when, when))


def left(folder: Path) -> list[Key]:
    """Which attempts have both of their logs; none has one alone."""
    keys = keys_of_logs(folder)
    assert keys[::2] == keys[1::2]
    return keys[::2]


def keys_of_logs(folder: Path) -> list[Key]:
    """The attempts of all logs there are; an attempt that is just being pruned may have one."""
    names = [path.name for path in logs_folder(folder).iterdir()]
    return sorted(filter(None, map(key_of, names)))


def none() -> set[Key]:
    return set()


def test_the_logs_of_so_many_attempts_are_kept_the_newest_ones(folder: Path) -> None:
    make(folder, (3, 1), (1, 1), (2, 1), (1, 2))
    prune(folder, Keep(count=2), none)
    assert left(folder) == [(1, 2), (2, 1)]


def test_those_of_a_certain_age_are_kept(folder: Path) -> None:
    make(folder, (1, 1), (2, 1), days_ago=31)
    make(folder, (3, 1), days_ago=29)
    prune(folder, Keep(age=30 * 86400.0), none)
    assert left(folder) == [(3, 1)]


def test_an_attempt_is_as_old_as_the_younger_of_its_logs(folder: Path) -> None:
    make(folder, (1, 1), (2, 1), days_ago=31)
    os.utime(log_path(folder, 1, 1, "err"))
    prune(folder, Keep(age=30 * 86400.0), none)
    assert left(folder) == [(1, 1)]


@pytest.mark.parametrize("keep", [Keep(count=0), Keep(age=0)])
def test_those_of_running_attempts_stay_and_do_not_count(folder: Path, keep: Keep) -> None:
    make(folder, (1, 1), (2, 1), (3, 1), (4, 1), days_ago=1)
    prune(folder, keep, lambda: {(1, 1), (3, 1)})
    assert left(folder) == [(1, 1), (3, 1)]
    make(folder, (5, 1), (6, 1))
    prune(folder, Keep(count=1), lambda: {(1, 1), (3, 1)})
    assert left(folder) == [(1, 1), (3, 1), (6, 1)]


def test_it_is_known_which_logs_there_are_before_it_is_asked_what_runs(folder: Path) -> None:
    make(folder, (1, 1))

    def begin_another() -> set[Key]:
        make(folder, (2, 1))
        return set()

    prune(folder, Keep(count=0), begin_another)
    assert left(folder) == [(2, 1)]


def test_nothing_else_is_touched(folder: Path) -> None:
    make(folder, (1, 1))
    others = ["notes", "1.1.log", "01.1.out", "1.1.out.gz"]
    for name in others:
        (logs_folder(folder) / name).write_text("mine")
    (logs_folder(folder) / "2.1.out").mkdir()
    prune(folder, Keep(count=0), none)
    assert sorted(path.name for path in logs_folder(folder).iterdir()) == sorted(
        [*others, "2.1.out"]
    )


def test_without_logs_there_is_nothing_to_prune(folder: Path) -> None:
    prune(folder, Keep(count=0), none)
    assert not folder.exists()


def started(run: str, job: int, attempt: int = 1) -> dict[str, object]:
    return record("attempt_started", run, job=job, attempt=attempt)


def ended(run: str, job: int, attempt: int = 1) -> dict[str, object]:
    return record("attempt_ended", run, job=job, attempt=attempt)


def test_what_runs_is_what_has_started_and_not_ended_in_a_run_that_lives(folder: Path) -> None:
    journal = Journal(folder)
    journal.append(
        *(started("a", job) for job in (1, 2, 3)),
        started("b", 4),
        started("dead", 5),
        started("over", 6),
        started("said", 7),
        ended("a", 1),
        record("never_started", "a", job=2, attempt=1),
        started("a", 2, 2),
        record("run_ended", "over"),
        record("run_died", "said"),
        {"event": "attempt_started", "run": "a"},
    )
    running = RunningAttempts(folder, lambda run: run in ("a", "b", "over", "said"))
    assert running.now() == {(2, 2), (3, 1), (4, 1)}
    journal.append(ended("a", 3), started("a", 8))
    assert running.now() == {(2, 2), (4, 1), (8, 1)}
    journal_path(folder).unlink()
    assert running.now() == set()


NODE = Node(0, Host("node-1", "node-1"))


def event(kind: Callable[..., object], job: int = 1) -> object:
    attempt = Attempt(1, Job("x", id=job), NODE, "x")
    return kind(attempt, Ending.exited(0)) if kind is AttemptEnded else kind(attempt)


def test_a_run_prunes_at_its_beginning_after_attempts_and_at_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "EVERY", 0.01)
    told: list[str] = []
    make(folder, (1, 1), (2, 1))
    with Pruner(folder, Keep(count=1), lambda _: True, told.append) as pruner:
        wait_until(lambda: keys_of_logs(folder) == [(2, 1)] * 2, "the first pruning")
        make(folder, (3, 1))
        pruner(event(AttemptStarted))  # type: ignore[arg-type]
        pruner(event(AttemptEnded))  # type: ignore[arg-type]
        wait_until(lambda: keys_of_logs(folder) == [(3, 1)] * 2, "a pruning in between")
        make(folder, (4, 1))
    assert left(folder) == [(4, 1)]
    assert told == []


def test_it_does_not_do_so_all_the_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    monkeypatch.setattr(pruning, "prune", lambda *_: times.append(1))
    with Pruner(folder, Keep(count=1), lambda _: True, print) as pruner:
        wait_until(lambda: times, "the first pruning")
        for _ in range(50):
            pruner(event(AttemptEnded))  # type: ignore[arg-type]
            time.sleep(0.001)
    assert len(times) == 2


def test_where_all_is_kept_nothing_is_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    monkeypatch.setattr(pruning, "prune", lambda *_: times.append(1))
    with Pruner(folder, Keep(), lambda _: True, print) as pruner:
        pruner(event(AttemptEnded))  # type: ignore[arg-type]
    assert times == []


def test_what_can_t_be_pruned_is_said_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "EVERY", 0.01)
    journal = journal_path(folder)
    journal.parent.mkdir(parents=True)
    journal.write_text('{"journal": "pegasus", "version": 99}\n')
    make(folder, (1, 1))
    told: list[str] = []
    with Pruner(folder, Keep(count=0), lambda _: True, told.append) as pruner:
        wait_until(lambda: told, "the message")
        pruner(event(AttemptEnded))  # type: ignore[arg-type]
    assert len(told) == 1
    assert "has version 99" in told[0]
    assert left(folder) == [(1, 1)]
