"""What `inv logs` shows, of journals and logs as runs leave them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke import Exit, MockContext
from project import wait_until

from pegasus.errands.logs import logs
from pegasus.errors import JournalError, NoSuchJobError, SettingsError, StorageError
from pegasus.journal.file import Journal
from pegasus.journal.logs import log_path, logs_folder
from pegasus.journal.records import job_fields, record
from pegasus.locking import FileLock
from pegasus.model import Job
from pegasus.settings import Settings
from pegasus.tasks import logs as logs_task
from pegasus.terminal.errands.logs import LogScreen, NobodyReadsError

RUN = "5f0c91ab"


class Past:
    """A queue's journal and logs, written as runs do."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = Settings(queue_file=str(directory / "queue.yaml"))
        self.folder = directory / ".pegasus" / "queue.yaml"
        self._journal = Journal(self.folder)
        logs_folder(self.folder).mkdir(parents=True)
        self.alive = {RUN}
        monkeypatch.setattr("pegasus.inputs.is_alive", self._is_alive)
        self._write("run_started", mode="queue", pid=1, host="h", user="u", nodes=[])

    def _is_alive(self, folder: Path, run: str) -> bool:
        assert folder == self.folder / "runs"
        return run in self.alive

    def _write(self, event: str, **fields: Any) -> None:
        self._journal.append(record(event, RUN, **fields))

    def take(self, *ids: int, attempts: int = 0) -> None:
        jobs = [job_fields(Job(f"job {{{{ {n} }}}}", id=n, attempts=attempts)) for n in ids]
        consumed = {"path": "/c", "size": None, "inode": None}
        self._write("jobs_taken", commit=os.urandom(4).hex(), jobs=jobs, consumed=consumed)

    def requeue(self, job: int, attempts: int, why: str = "retry") -> None:
        jobs = [job_fields(Job(f"job {{{{ {job} }}}}", id=job, attempts=attempts))]
        consumed = {"path": "/c", "size": None, "inode": None}
        commit = os.urandom(4).hex()
        self._write("jobs_requeued", commit=commit, jobs=jobs, consumed=consumed, why=why)

    def start(self, job: int, attempt: int = 1, node: str = "node-1", **more: Any) -> None:
        fields = {"node": node, "index": 0, "command": f"job {job}", "repeats": 0, **more}
        self._write("attempt_started", job=job, attempt=attempt, **fields)
        for stream in ("out", "err"):
            log_path(self.folder, job, attempt, stream).touch()

    def out(self, job: int, data: bytes, attempt: int = 1, stream: str = "out") -> None:
        with log_path(self.folder, job, attempt, stream).open("ab") as file:
            file.write(data)

    def end(self, job: int, attempt: int = 1, outcome: str = "succeeded", **more: Any) -> None:
        sizes = [
            log_path(self.folder, job, attempt, stream).stat().st_size for stream in ("out", "err")
        ]
        fields = {"exit_status": 0, "exit_signal": None, "detail": "", "unlogged": 0, **more}
        self._write(
            "attempt_ended",
            job=job,
            attempt=attempt,
            outcome=outcome,
            **{"stdout": sizes[0], "stderr": sizes[1], **fields},
        )

    def never_start(self, job: int, attempt: int = 1) -> None:
        problem = "the server refuses sessions"
        self._write("never_started", job=job, attempt=attempt, step="session", problem=problem)

    def die(self) -> None:
        self.alive.clear()

    def show(self, *ids: int, **options: Any) -> None:
        logs(self.settings, ids, **options)


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Past:
    return Past(tmp_path, monkeypatch)


@pytest.fixture
def done(past: Past) -> Past:
    """A queue of which job 7 is done."""
    past.take(7)
    past.start(7)
    past.out(7, b"out\n")
    past.out(7, b"err\n", stream="err")
    past.end(7)
    return past


Captured = pytest.CaptureFixture[bytes]


def test_a_log_is_shown_byte_for_byte(past: Past, capfdbinary: Captured) -> None:
    data = bytes(range(256)) + b"\r\x1b[31m no newline"
    past.take(7)
    past.start(7)
    past.out(7, data)
    past.end(7)
    past.show(7)
    assert capfdbinary.readouterr() == (data, b"")


def test_a_long_log_is_shown_whole(past: Past, capfdbinary: Captured) -> None:
    data = os.urandom(1_000_000)
    past.take(7)
    past.start(7)
    past.out(7, data)
    past.end(7)
    past.show(7)
    assert capfdbinary.readouterr().out == data


def test_what_went_to_stderr_is_asked_for(done: Past, capfdbinary: Captured) -> None:
    done.show(7, err=True)
    assert capfdbinary.readouterr().out == b"err\n"


def test_the_last_attempt_is_shown_or_the_one_that_is_asked_for(
    done: Past, capfdbinary: Captured
) -> None:
    done.take(8)
    done.start(8)
    done.out(8, b"first")
    done.end(8, outcome="failed", again=True)
    done.start(8, 2, repeats=1)
    done.out(8, b"second", 2)
    done.end(8, 2)
    for number, text in ((None, b"second"), (1, b"first"), (2, b"second")):
        done.show(8, attempt=number)
        assert capfdbinary.readouterr().out == text


def test_an_attempt_that_never_started_is_passed_over(past: Past, capfdbinary: Captured) -> None:
    past.take(7)
    past.start(7)
    past.never_start(7)
    past.start(7, 2)
    past.out(7, b"out", 2)
    past.end(7, 2)
    past.show(7)
    assert capfdbinary.readouterr().out == b"out"
    with pytest.raises(NoSuchJobError, match=r"attempt 7\.1 did not begin: the server refuses"):
        past.show(7, attempt=1)


def broadcast(past: Past) -> None:
    past.take(7)
    for number in (1, 2, 3):
        past.start(7, number, f"node-{number} (x=é)")
        past.out(7, f"of {number}\n".encode() * (number != 2), number)
    past.end(7, 1, "failed", again=True)
    past.end(7, 2)
    past.start(7, 4, "node-1 (x=é)", repeats=1)
    past.out(7, b"no newline", 4)
    past.end(7, 3)


def test_of_a_broadcast_all_nodes_are_shown(past: Past, capfdbinary: Captured) -> None:
    broadcast(past)
    past.end(7, 4)
    past.show(7)
    assert capfdbinary.readouterr().out.decode() == (
        "==> node-2 (x=é) (attempt 7.2) <==\n"
        "\n==> node-3 (x=é) (attempt 7.3) <==\nof 3\n"
        "\n==> node-1 (x=é) (attempt 7.4) <==\nno newline"
    )
    past.show(7, attempt=1)
    assert capfdbinary.readouterr().out == b"of 1\n"


def test_several_jobs_are_shown_in_the_order_they_are_asked_for(
    done: Past, capfdbinary: Captured
) -> None:
    done.take(8)
    done.start(8, node="node-2")
    done.out(8, b"eight\n")
    done.end(8)
    done.show(8, 7, 8)
    assert capfdbinary.readouterr().out == (
        b"==> node-2 (attempt 8.1) <==\neight\n\n==> node-1 (attempt 7.1) <==\nout\n"
    )


def test_a_running_job_is_shown_as_far_as_it_is(past: Past, capfdbinary: Captured) -> None:
    past.take(7)
    past.start(7)
    log_path(past.folder, 7, 1, "out").unlink()  # It is opened right after that is written.
    past.show(7)
    assert capfdbinary.readouterr() == (b"", b"")
    past.out(7, b"so far")
    past.show(7)
    assert capfdbinary.readouterr().out == b"so far"


# Where there is nothing to show.


def test_an_unknown_id_is_told_from_those_there_are(past: Past) -> None:
    with pytest.raises(NoSuchJobError, match=r"there is no job 7: none was taken yet"):
        past.show(7)
    past.take(3)
    with pytest.raises(NoSuchJobError, match=r"there is no job 7: the journal has job 3$"):
        past.show(7)
    past.take(4, 5)
    for options in ({}, {"follow": True}, {"attempt": 1}):
        with pytest.raises(NoSuchJobError, match=r"no job 7: the journal has jobs 3 to 5$"):
            past.show(7, **options)


def test_an_unknown_attempt_is_told_from_those_there_are(done: Past) -> None:
    with pytest.raises(NoSuchJobError, match=r"job 7 has no attempt 2: it has had attempt 1$"):
        done.show(7, attempt=2)
    done.take(8)
    with pytest.raises(NoSuchJobError, match=r"job 8 has no attempt 1: it has had none"):
        done.show(8, attempt=1, follow=True)


def test_a_job_that_has_not_begun_says_so(past: Past) -> None:
    past.take(7)
    with pytest.raises(NoSuchJobError, match=r"^job 7 has not begun yet; --follow waits for it$"):
        past.show(7)
    past.start(7)
    past.never_start(7)
    with pytest.raises(NoSuchJobError, match=r"7 has not begun yet; .* \(the server refuses"):
        past.show(7)
    past.requeue(7, 1, "never started")
    for follow in (False, True):
        with pytest.raises(NoSuchJobError, match="job 7 stands in the queue again, and has not"):
            past.show(7, follow=follow)
    past.die()
    past.take(8)
    for follow in (False, True):
        with pytest.raises(NoSuchJobError, match="job 8 was interrupted before it began"):
            past.show(8, follow=follow)


def test_a_job_that_was_put_back_has_the_output_of_before_until_it_is_taken(
    done: Past, capfdbinary: Captured
) -> None:
    done.requeue(7, 1)
    done.show(7)
    assert capfdbinary.readouterr().out == b"out\n"
    done.take(7, attempts=1)
    with pytest.raises(NoSuchJobError, match=r"; --attempt 1 shows an earlier attempt$"):
        done.show(7)
    done.start(7, 2)
    done.out(7, b"anew", 2)
    done.show(7)
    assert capfdbinary.readouterr().out == b"anew"


@pytest.mark.parametrize("follow", [False, True])
def test_a_log_that_was_removed_is_an_error_that_says_so(done: Past, follow: bool) -> None:
    path = log_path(done.folder, 7, 1, "out")
    path.unlink()
    with pytest.raises(NoSuchJobError) as caught:
        done.show(7, follow=follow)
    assert str(caught.value).startswith(f"{path} is not there any more; pegasus.keep_logs")
    done.take(8)
    done.start(8)
    log_path(done.folder, 8, 1, "err").unlink()
    done.die()
    with pytest.raises(NoSuchJobError, match="not there any more"):
        done.show(8, err=True, follow=follow)


def test_an_empty_log_that_was_removed_is_empty(done: Past, capfdbinary: Captured) -> None:
    done.take(8)
    done.start(8)
    done.end(8)
    log_path(done.folder, 8, 1, "out").unlink()
    done.show(8)
    assert capfdbinary.readouterr() == (b"", b"")


def test_what_is_there_is_shown_before_it_is_said_what_is_not(
    done: Past, capfdbinary: Captured
) -> None:
    done.take(8, 9)
    with pytest.raises(NoSuchJobError, match=r"(?s)job 8 has not begun.*\njob 9 has not begun"):
        done.show(8, 7, 9)
    assert capfdbinary.readouterr().out == b"out\n"


def test_what_was_logged_in_the_end_is_not_missed(done: Past, capfdbinary: Captured) -> None:
    done.take(8)
    done.start(8)
    done.out(8, b"all of it")
    done.end(8, unlogged=5)
    done.show(8)
    assert capfdbinary.readouterr() == (b"all of it", b"")


def test_what_could_not_be_logged_is_told(done: Past, capfdbinary: Captured) -> None:
    done.take(8)
    done.start(8)
    done.out(8, b"half of it")
    done.end(8, stdout=27, unlogged=17)
    done.show(8)
    assert capfdbinary.readouterr() == (
        b"half of it",
        b"[pegasus] of attempt 8.1, 17 bytes of output are in no log: the disk was full\n",
    )


def test_a_log_that_can_not_be_read_is_an_error_for_people(done: Past) -> None:
    path = log_path(done.folder, 7, 1, "out")
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match=r"7\.1\.out: can't be read: .*; name a file"):
        done.show(7)


def test_a_journal_of_another_version_is_refused(done: Past) -> None:
    (done.folder / "journal.jsonl").write_text('{"journal": "pegasus", "version": 2}\n')
    with pytest.raises(JournalError, match="version 2"):
        done.show(7)


def test_nothing_is_locked_or_made(done: Past, tmp_path: Path) -> None:
    with FileLock.of(tmp_path / "queue.yaml").hold("a test"):
        before = {path: path.stat() for path in tmp_path.rglob("*")}
        done.show(7)
        done.show(7, follow=True)
        done.show(failed=True)
        after = {path: path.stat() for path in tmp_path.rglob("*")}
    unread = [
        {path: found[6:7] + found[8:] for path, found in all_.items()} for all_ in (before, after)
    ]
    assert unread[0] == unread[1]
    other = replace(done.settings, queue_file=str(tmp_path / "other.yaml"))
    with pytest.raises(NoSuchJobError, match="none was taken"):
        logs(other, [1])
    assert not (tmp_path / ".pegasus" / "other.yaml").exists()


# Following.


class Following:
    """`inv logs --follow` in a thread, and what it has written."""

    def __init__(self, past: Past, ids: tuple[int, ...], options: dict[str, Any]) -> None:
        self.out = b""
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=[past, ids, options], daemon=True)

    def start(self) -> Following:
        self._thread.start()
        return self

    def _run(self, past: Past, ids: tuple[int, ...], options: dict[str, Any]) -> None:
        try:
            past.show(*ids, follow=True, **options)
        except BaseException as error:
            self.problem = error

    def write(self, _: object, data: bytes) -> None:
        self.out += data

    def wait_for(self, data: bytes) -> None:
        wait_until(lambda: self.out == data or not self._thread.is_alive(), repr(data))
        assert self.out == data

    def end(self) -> bytes:
        """Wait for the end, and return all that was written."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.problem:
            raise self.problem
        return self.out


@pytest.fixture
def follow(past: Past, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Following]:
    monkeypatch.setattr("pegasus.errands.logs.PERIOD", 0.005)

    def start(*ids: int, **options: Any) -> Following:
        following = Following(past, ids, options)
        monkeypatch.setattr("pegasus.terminal.errands.logs.write_bytes", following.write)
        return following.start()

    return start


Follow = Callable[..., Following]


def test_what_comes_is_shown_until_the_job_has_ended(past: Past, follow: Follow) -> None:
    past.take(7)
    past.start(7)
    past.out(7, b"one")
    following = follow(7)
    following.wait_for(b"one")
    past.out(7, b", two")
    past.out(7, b"not this", stream="err")
    following.wait_for(b"one, two")
    past.out(7, b", three")
    past.end(7, outcome="failed")
    assert following.end() == b"one, two, three"


def test_a_job_that_has_ended_is_shown_and_not_waited_for(done: Past, follow: Follow) -> None:
    assert follow(7).end() == b"out\n"
    assert follow(7, err=True).end() == b"err\n"


def test_a_job_that_waits_to_start_is_waited_for(past: Past, follow: Follow) -> None:
    past.take(7)
    following = follow(7)
    past.start(7)
    past.out(7, b"one")
    following.wait_for(b"one")
    past.end(7)
    assert following.end() == b"one"


def test_the_next_attempts_are_followed_too(past: Past, follow: Follow) -> None:
    past.take(7)
    past.start(7)
    past.out(7, b"one\n")
    following = follow(7)
    following.wait_for(b"one\n")
    past.end(7, outcome="failed", again=True)
    past.start(7, 2, "node-2", repeats=1)
    past.out(7, b"two\n", 2)
    past.end(7, 2, outcome="failed", again=True)
    past.start(7, 3, "node-3", repeats=2)
    past.out(7, b"three\n", 3)
    past.end(7, 3)
    assert following.end() == (
        b"one\n\n==> node-2 (attempt 7.2) <==\ntwo\n\n==> node-3 (attempt 7.3) <==\nthree\n"
    )


def test_one_attempt_is_followed_to_its_own_end(past: Past, follow: Follow) -> None:
    past.take(7)
    past.start(7)
    past.out(7, b"one")
    following = follow(7, attempt=1)
    following.wait_for(b"one")
    past.out(7, b", two")
    past.end(7, outcome="failed", again=True)
    assert following.end() == b"one, two"


def test_all_nodes_of_a_broadcast_are_followed(past: Past, follow: Follow) -> None:
    broadcast(past)
    following = follow(7)
    first = b"==> node-3 (x=\xc3\xa9) (attempt 7.3) <==\nof 3\n"
    last = b"\n==> node-1 (x=\xc3\xa9) (attempt 7.4) <==\nno newline"
    following.wait_for(first + last)
    past.out(7, b", more", 4)
    past.end(7, 4)
    assert following.end() == first + last + b", more"


def test_a_run_that_dies_ends_it(past: Past, follow: Follow) -> None:
    past.take(7)
    past.start(7)
    past.out(7, b"one")
    following = follow(7)
    following.wait_for(b"one")
    past.out(7, b", two")
    past.die()
    assert following.end() == b"one, two"


def test_a_job_that_is_put_back_before_it_began_is_not_waited_for(
    past: Past, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    monkeypatch.setattr(LogScreen, "check", lambda _: looks.append(True))
    past.take(7)
    following = follow(7)
    past.start(7)
    wait_until(lambda: looks, "a look")
    del looks[:]
    wait_until(lambda: looks, "a look at the attempt")
    past.never_start(7)
    past.requeue(7, 1, "never started")
    with pytest.raises(NoSuchJobError, match=r"job 7 stands in the queue again"):
        following.end()


def test_several_jobs_are_followed_to_the_end_of_all(past: Past, follow: Follow) -> None:
    past.take(7, 8)
    for job in (7, 8):
        past.start(job, node=f"node-{job}")
    following = follow(7, 8)
    past.out(7, b"seven\n")
    following.wait_for(b"==> node-7 (attempt 7.1) <==\nseven\n")
    past.end(7)
    past.out(8, b"eight\n")
    past.end(8)
    assert following.end().endswith(b"\n\n==> node-8 (attempt 8.1) <==\neight\n")


def test_a_log_that_is_not_there_yet_is_waited_for(past: Past, follow: Follow) -> None:
    past.take(7)
    past.start(7)
    log_path(past.folder, 7, 1, "out").unlink()
    following = follow(7)
    past.out(7, b"one")
    following.wait_for(b"one")
    past.end(7)
    assert following.end() == b"one"


# Failures.


def failures(past: Past) -> None:
    past.take(7, 8, 9, 10, 11, 12, 13, 14)
    past.start(9)
    past.out(9, "".join(f"line {number}\n" for number in range(30)).encode())
    past.out(9, b"Traceback\n  at line 3\nValueError: \xff no newline", stream="err")
    past.end(9, outcome="failed", exit_status=3)
    past.start(7, node="node-2 (x=1)", command="first\nsecond\n")
    past.out(7, "".join(f"line {number}\n" for number in range(30)).encode())
    past.end(7, outcome="signalled", exit_status=None, exit_signal="KILL")
    past.start(8)
    past.end(8)
    past.start(10)
    past.end(10, outcome="lost", exit_status=None, detail="connection reset")
    past.start(11)
    past.end(11, outcome="failed", exit_status=1, again=True)
    past.start(11, 2, repeats=1)
    past.end(11, 2)
    past.start(12)
    past.out(12, b"half of ")
    past.start(14)
    past.end(14, outcome="cancelled", exit_status=None)
    past.die()


def test_each_failure_is_shown_with_its_end(past: Past, capfdbinary: Captured) -> None:
    failures(past)
    past.show(failed=True)
    out, err = capfdbinary.readouterr()
    folder = past.folder / "logs"
    lines = "".join(f"line {number}\n" for number in range(20, 30))
    interrupted = "interrupted: its run has ended or died"
    assert out.decode(errors="surrogateescape") == (
        "==> node-2 (x=1) (attempt 7.1): killed by signal KILL <==\n"
        f"command: first\n  second\nlog: {folder}/7.1.out\n{lines}"
        "\n==> node-1 (attempt 9.1): exit status: 3 <==\n"
        f"command: job 9\nlog: {folder}/9.1.err\n"
        "Traceback\n  at line 3\nValueError: \udcff no newline\n"
        "\n==> node-1 (attempt 10.1): lost: connection reset <==\n"
        f"command: job 10\nlog: {folder}/10.1.err\n"
        f"\n==> node-1 (attempt 12.1): {interrupted} <==\n"
        f"command: job 12\nlog: {folder}/12.1.out\nhalf of \n"
        "\n==> job 13: interrupted before it began <==\n"
        "command: job {{ 13 }}\n"
    )
    assert err == b""


def test_failures_whose_logs_were_removed_are_still_told(past: Past, capfdbinary: Captured) -> None:
    failures(past)
    for path in logs_folder(past.folder).iterdir():
        path.unlink()
    past.show(failed=True)
    out = capfdbinary.readouterr().out
    assert out.count(b"==> ") == 5
    assert out.count(b"log: not there any more\n") == 4


def test_of_a_broadcast_the_nodes_that_failed_are_shown(past: Past, capfdbinary: Captured) -> None:
    broadcast(past)
    past.show(failed=True)
    assert capfdbinary.readouterr().out == b""  # It still runs.
    past.end(7, 4, "failed", exit_status=2)
    past.show(failed=True)
    out = capfdbinary.readouterr().out.decode()
    assert out.startswith("==> node-1 (x=é) (attempt 7.4): exit status: 2 <==\n")
    assert out.count("==> ") == 1


def test_that_nothing_failed_is_told(done: Past, capfdbinary: Captured) -> None:
    done.show(failed=True)
    assert capfdbinary.readouterr() == (
        b"",
        b"[pegasus] no job has failed, was lost or interrupted\n",
    )


def test_thousands_of_failures_and_endless_lines_are_shown(
    past: Past, capfdbinary: Captured
) -> None:
    past.take(*range(1, 2001))
    past.out(2000, b"x" * 1_000_000, stream="err")
    for job in range(1, 2001):
        past._journal.append(
            record("attempt_started", RUN, job=job, attempt=1, node="n", index=0, command="c"),
            record("attempt_ended", RUN, job=job, attempt=1, outcome="failed", exit_status=1),
        )
    past.show(failed=True)
    out = capfdbinary.readouterr().out
    assert out.count(b"==> n (attempt ") == 2000
    assert 65_000 < out.count(b"x") < 70_000


# The task.


@pytest.mark.parametrize(
    ("ids", "options", "problem"),
    [
        ((), {}, "say which job, as in inv logs 7"),
        ((), {"follow": True}, "say which job"),
        ((7,), {"failed": True}, "--failed is for all jobs"),
        ((), {"failed": True, "follow": True}, "goes with nothing else"),
        ((), {"failed": True, "err": True}, "goes with nothing else"),
        ((), {"failed": True, "attempt": 1}, "goes with nothing else"),
        ((7, 8), {"attempt": 1}, "--attempt goes with one job"),
    ],
)
def test_what_does_not_go_together_is_refused(
    done: Past, ids: tuple[int, ...], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        done.show(*ids, **options)


def context(past: Past) -> MockContext:
    made = MockContext()
    made.config["pegasus"] = {"queue_file": past.settings.queue_file}
    return made


@pytest.mark.parametrize("ids", [7, "7", [7], ["7"], "7,7"])
def test_it_may_be_called_from_python(done: Past, capfdbinary: Captured, ids: Any) -> None:
    logs_task(context(done), ids)
    logs_task(context(done), ids, attempt="1", err=True)
    assert capfdbinary.readouterr().out == b"out\nerr\n"


@pytest.mark.parametrize("number", ["x", "0", "-1", "٣", "1" * 30, ""])
def test_an_attempt_is_a_number(done: Past, number: str) -> None:
    with pytest.raises(Exit, match="is not the number of an attempt, such as 1") as caught:
        logs_task(context(done), 7, attempt=number)
    assert caught.value.code == 1


def test_ctrl_c_ends_it_without_a_word(
    done: Past, monkeypatch: pytest.MonkeyPatch, capfdbinary: Captured
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    done.take(8)
    done.start(8)
    monkeypatch.setattr("time.sleep", interrupt)
    with pytest.raises(Exit) as caught:
        logs_task(context(done), 8, follow=True)
    assert (caught.value.code, caught.value.message) == (130, None)
    assert capfdbinary.readouterr() == (b"", b"")


def test_a_stdout_of_text_alone_gets_text(done: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    done.out(7, b"\xff")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    done.show(7)
    assert stream.getvalue() == "out\n\ufffd"


INTO_CLOSED = """
import sys
from pegasus.errands.logs import logs
from pegasus.settings import Settings
logs(Settings(queue_file=sys.argv[1]), [7], follow=sys.argv[2] == "follow")
"""


@pytest.mark.parametrize("how", ["follow", "show"])
def test_a_reader_that_has_gone_is_no_error(done: Past, how: str) -> None:
    done.out(7, b"x" * 1_000_000)
    command = [sys.executable, "-c", INTO_CLOSED, done.settings.queue_file, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(3) == b"out"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_full_disk_behind_stdout_is_an_error_for_people(done: Past) -> None:
    command = [sys.executable, "-c", INTO_CLOSED, done.settings.queue_file, "show"]
    with open("/dev/full", "wb") as full:
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert b"StorageError: stdout can't be written to: " in process.stderr


def test_a_closed_stdout_is_no_error(done: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    done.show(7)
    with pytest.raises(NobodyReadsError):
        LogScreen(titled=False).check()
