"""A run that lives is told from one that has died, by all processes and by itself."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pegasus.control.lease import Lease, is_alive, living
from pegasus.control.record import Record
from pegasus.errors import StorageError

HOLDER = """
import pathlib, sys
from pegasus.control.lease import Lease
from pegasus.control.record import Record
record = Record.of_this_process("queue")
lease = Lease.take(pathlib.Path(sys.argv[1]), record)
print(record.id, flush=True)
sys.stdin.read()
lease.release()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".pegasus" / "queue.yaml" / "runs"


@pytest.fixture
def holder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds a lease, and its run's id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process:
        yield process, process.stdout.readline().strip()
        if process.poll() is None:
            process.kill()


def ended(process: subprocess.Popen[str]) -> int:
    return process.wait(60)


def test_a_run_of_another_process_lives_as_long_as_it_does(
    folder: Path, holder: tuple[subprocess.Popen[str], str]
) -> None:
    process, run = holder
    assert is_alive(folder, run)
    assert [record.id for record in living(folder)] == [run]
    assert living(folder)[0].pid == process.pid
    process.send_signal(signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL
    assert (folder / f"{run}.lease").exists()
    assert not is_alive(folder, run)
    assert living(folder) == []
    assert not (folder / f"{run}.lease").exists()


def test_a_run_that_is_stopped_lives(
    folder: Path, holder: tuple[subprocess.Popen[str], str]
) -> None:
    process, run = holder
    process.send_signal(signal.SIGSTOP)
    assert is_alive(folder, run)
    process.send_signal(signal.SIGCONT)


def test_a_run_that_has_ended_leaves_nothing(
    folder: Path, holder: tuple[subprocess.Popen[str], str]
) -> None:
    process, run = holder
    process.communicate("")
    assert ended(process) == 0
    assert not is_alive(folder, run)
    assert list(folder.iterdir()) == []


def test_looking_does_not_free_the_lease_of_this_process(folder: Path) -> None:
    record = Record.of_this_process("broadcast")
    lease = Lease.take(folder, record)
    look = f"""
import pathlib
from pegasus.control.lease import is_alive
print(is_alive(pathlib.Path({str(folder)!r}), {record.id!r}))
"""

    def seen() -> str:
        return subprocess.run(
            [sys.executable, "-c", look], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert is_alive(folder, record.id)
    assert living(folder) == [record]
    assert seen() == "True"
    lease.release()
    assert not is_alive(folder, record.id)
    assert seen() == "False"


def test_a_child_does_not_keep_the_lease_of_its_parent(folder: Path) -> None:
    record = Record.of_this_process("queue")
    lease = Lease.take(folder, record)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    lease.release()
    assert not is_alive(folder, record.id)
    child.communicate(b"\n")


def test_a_lease_is_for_its_owner_alone(folder: Path) -> None:
    lease = Lease.take(folder, Record.of_this_process("queue"))
    assert stat.S_IMODE(lease.path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.parents[:2])] == [
        0o700
    ] * 3
    lease.release()


def test_two_runs_are_the_oldest_first(folder: Path) -> None:
    late = replace(Record.of_this_process("queue"), started="2024-02-01T00:00:00.000+00:00")
    early = replace(Record.of_this_process("queue"), started="2024-01-01T00:00:00.000+00:00")
    leases = [Lease.take(folder, run) for run in (late, early)]
    assert living(folder) == [early, late]
    for lease in leases:
        lease.release()


def test_a_lease_that_can_not_be_had_is_a_message(folder: Path, tmp_path: Path) -> None:
    (tmp_path / ".pegasus").write_text("")
    with pytest.raises(StorageError, match="can't be written"):
        Lease.take(folder, Record.of_this_process("queue"))
    assert living(folder) == []


def test_descriptors_do_not_pile_up(folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        Lease.take(folder, Record.of_this_process("queue")).release()
        assert not is_alive(folder, "00000000")
    assert len(os.listdir("/proc/self/fd")) == before
