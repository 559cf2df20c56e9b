"""The disk is full, or a file may not be written: no job is taken then, and later all goes on."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from controllers import Executed, run_queue
from forks import after, result
from project import Project, Running
from queuestate import State, jobs_in, strays
from queuework import Desk, Work, add, note, put_back, take
from syscalls import FailAt, Watch, can_fail

from pegasus.errors import StorageError
from pegasus.events import Event, QueueMended, QueueRefused

WORKS = [
    Work("the first take", [take(1), take(2)]),
    Work("the last jobs", [take(2), take(3)], before=[take(3)]),
    Work("jobs go back", [put_back(2), note, put_back(1)], before=[take(4)]),
    Work("entries are added", [add(True), add(False)], before=[take(1)]),
]

ERRORS = {
    errno.ENOSPC: "no space left on device; free some space",
    errno.EIO: "input/output error",
    errno.EACCES: "permission denied; check the permissions of the file and of its folder",
}

NOBODY = 65534


def try_all(work: Work, folder: Path, hook: FailAt) -> tuple[list[Any], State]:
    """Do the work, and each step again once there is room.

    Returns what went wrong, with the queue file as it was then, and the last state.
    """

    def go() -> tuple[list[Any], State]:
        desk = work.begin(folder)
        refused = []
        Watch(folder, hook).start()
        for number, step in enumerate(work.steps):
            try:
                step(desk)
            except StorageError as error:
                refused.append((number, str(error), (folder / "queue.yaml").read_text()))
                hook.room = True
                step(desk)
        hook.room = True
        Desk(folder).settle()  # As the next run does.
        return refused, State.of(folder)

    found: tuple[list[Any], State] = result(go)
    return found


def calls_that_fail(work: Work, folder: Path, code: int) -> list[int]:
    """Return the numbers of the calls that may fail; hints are tried with one work only."""
    calls = enumerate(work.calls(folder), 1)
    tried = ((number, call) for number, call in calls if can_fail(call, code))
    return [number for number, call in tried if work is WORKS[0] or not call.is_hint]


@pytest.mark.parametrize("times", [1, float("inf")], ids=["once", "until there is room"])
@pytest.mark.parametrize("code", ERRORS, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("work", WORKS, ids=str)
def test_where_a_call_fails_nothing_is_taken_until_there_is_room(
    work: Work, code: int, times: float, folder: Path
) -> None:
    states = work.states(folder)
    last, refusals = states[-1], 0
    for number in calls_that_fail(work, folder, code):
        with after(f"{errno.errorcode[code]} in call {number}"):
            refused, state = try_all(work, folder, FailAt(number, code, times=times))
            for step, message, queue in refused:
                assert str(folder) in message
                assert ERRORS[code] in message
                assert queue == states[step].queue, "the queue is not whole"
            refusals += len(refused)
            assert (state.queue, state.consumed) == (last.queue, last.consumed)
            assert Counter(state.taken.values()) == Counter(last.taken.values())
            assert not strays(folder), strays(folder)
    assert refusals > 5


def test_a_file_that_can_not_get_larger_is_not_written(folder: Path) -> None:
    work = Work("a take", [], before=[take(2)])

    def go() -> tuple[str, State, State, State]:
        desk = work.begin(folder)
        before = State.of(folder)
        journal = folder / ".pegasus/queue.yaml/journal.jsonl"
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 20, limits[1]))
        with pytest.raises(StorageError) as caught:
            desk.take(1)
        refused = State.of(folder)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        desk.take(1)
        return str(caught.value), before, refused, State.of(folder)

    message, before, refused, later = result(go)
    assert "journal.jsonl: can't be written: file too large" in message
    assert refused == before
    assert len(later.taken) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    "name", [".", "consumed.yaml", ".pegasus/queue.yaml/journal.jsonl"], ids=str
)
def test_what_may_not_be_written_is_left(name: str, folder: Path) -> None:
    work = Work("a take", [], before=[take(2)])
    folder.parent.chmod(0o777)

    def go() -> tuple[str, State, State, State]:
        os.setuid(NOBODY)
        desk = work.begin(folder)
        before = State.of(folder)
        mode = (folder / name).stat().st_mode
        (folder / name).chmod(0o500)
        with pytest.raises(StorageError) as caught:
            desk.take(1)
        refused = State.of(folder)
        (folder / name).chmod(mode)
        desk.take(1)
        return str(caught.value), before, refused, State.of(folder)

    message, before, refused, later = result(go)
    assert ERRORS[errno.EACCES] in message
    assert refused == before
    assert len(later.taken) == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a quarter of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "pegasus-test", str(place)]
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_run_pauses_while_the_disk_is_full(small_disk: Path, tmp_path: Path) -> None:
    folder = small_disk / "desk"
    folder.mkdir()
    text = "- first\n- fills the disk\n" + "".join(f"- job {number}\n" for number in range(20))
    (folder / "queue.yaml").write_text(text)
    executed, filler = Executed(tmp_path / "executed"), small_disk / "filler"

    def go() -> tuple[list[str], list[State], int]:
        told: list[str] = []
        states: list[State] = []

        def on_command(command: str) -> None:
            if command == "fills the disk":
                fill(filler)

        def listener(event: Event) -> None:
            if isinstance(event, QueueRefused):
                states.append(State.of(folder))
                told.append(str(event.error))
                filler.unlink(missing_ok=True)
            if isinstance(event, QueueMended):
                told.append("goes on")

        ended = run_queue(folder, executed, on_command=on_command, listener=listener, nodes=2)
        return told, states, ended.exit_status

    told, states, status = result(go)
    jobs = Counter(jobs_in(text))
    assert ERRORS[errno.ENOSPC] in told[0]
    assert told[-1] == "goes on"
    assert text.endswith(states[0].queue)
    assert executed.count() == Counter(name for name, _ in jobs)
    State.of(folder).check(jobs)
    assert status == 0


def fill(path: Path) -> None:
    """Fill the disk to the last byte."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass


@pytest.fixture
def begun(small_disk: Path) -> Iterator[Running]:
    """A run that begins on a disk which is full already."""
    project = Project(small_disk)
    project.hosts("- localhost\n")
    project.queue("- echo hi\n")
    fill(small_disk / "filler")
    run = project.start("queue")
    try:
        run.wait_for("the run begins when there is room")
        yield run
    finally:
        project.end()


def test_a_run_begins_when_a_disk_that_was_full_has_room(begun: Running, small_disk: Path) -> None:
    (small_disk / "filler").unlink()
    assert begun.wait() == 0
    assert ERRORS[errno.ENOSPC] in begun.err
    assert "[localhost] hi\n" in begun.out


def test_a_run_that_waits_for_room_can_be_ended(begun: Running, small_disk: Path) -> None:
    begun.signal(signal.SIGINT)
    assert begun.wait() == 130
    assert "Traceback" not in begun.err
    assert (small_disk / "queue.yaml").read_text() == "- echo hi\n"
