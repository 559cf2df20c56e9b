"""The power fails at each call of a process that changes the queue, and nothing is lost.

What is on the disk then is whatever POSIX allows; see tests/support/powerloss.py.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from forks import after
from powerloss import Disk, Done, Image, put
from queuestate import State
from queuework import Work, add, note, put_back, settling, take
from syscalls import FailAt

SEED = int(os.environ.get("SEED", "1"))

WORKS = [
    Work("the first takes of a queue", [take(1), take(2)]),
    Work("attempts come first", [note, take(1), note, take(3), note], before=[take(1)]),
    Work("takes from anywhere", [take([1, 4]), note, take([0, 3])], before=[take([2])]),
    Work("the last jobs", [note, take(5)], before=[take(3)]),
    Work("jobs go back", [put_back(1), note, put_back(2)], before=[take(4)]),
    Work("taken, put back and taken again", [take(2), put_back(1), take(2)], before=[take(1)]),
    Work("entries are added", [add(True), take(3), add(False)], before=[take(1)]),
    Work("a consumed file without a newline", [take(2)], consumed="- old"),
]


#: How many steps had been done, and what is on the disk.
Case = tuple[int, Image]


def losses(disk: Disk, done: list[Done], chance: random.Random) -> dict[Case, str]:
    """Return what may be on the disk after each call, once each, and when."""
    found: dict[Case, str] = {}
    steps = 0
    for number, one in enumerate(done, 1):
        disk.do(one)
        steps = one.value if one.name == "told" else steps
        for how, image in disk.images(chance):
            found.setdefault((steps, image), f"{how} of call {number}, {one}")
    return found


def losses_while_settling(
    disk: Disk, done: list[Done], chance: random.Random, folder: Path
) -> dict[Case, str]:
    """Return what may be there if a process is killed, and the next one loses its power."""
    found: dict[Case, str] = {}
    seen = set()
    steps = 0
    for number, one in enumerate(done, 1):
        disk.do(one)
        steps = one.value if one.name == "told" else steps
        if (steps, disk.image()) in seen or one.name in ("fsync", "close"):
            continue
        seen.add((steps, disk.image()))
        put(disk.image(), folder)
        again = settling(folder)
        for (_, image), what in losses(disk.after_kill(), again, chance).items():
            found.setdefault((steps, image), f"a kill after call {number}, {one}, and {what}")
    return found


def assert_all_sound(work: Work, cases: dict[Case, str], states: list[State], folder: Path) -> None:
    for (steps, image), what in cases.items():
        put(image, folder)
        with after(f"a power loss, {what} (seed {SEED})"):
            work.assert_sound(folder, states[steps : steps + 2])


@pytest.mark.parametrize("work", WORKS, ids=str)
def test_after_a_power_loss_a_job_is_in_the_queue_or_taken(work: Work, folder: Path) -> None:
    disk, done, states = work.recorded(folder)
    cases = losses(disk, done, random.Random(SEED))
    assert_all_sound(work, cases, states, folder)


@pytest.mark.parametrize(
    "work",
    [
        Work("a take", [take(1)], consumed="- old\n", before=[take(1)]),
        Work("the first take of a queue", [take(1)], is_below=True),
        Work("jobs go back", [put_back(2)], before=[take(3)]),
        Work("jobs go back from below", [put_back(2)], before=[take(3)], is_below=True),
    ],
    ids=str,
)
def test_a_power_loss_while_a_kill_is_made_good_is_made_good_too(work: Work, folder: Path) -> None:
    disk, done, states = work.recorded(folder)
    cases = losses_while_settling(disk, done, random.Random(SEED), folder)
    assert_all_sound(work, cases, states, folder)


@pytest.mark.parametrize("times", [1, float("inf")], ids=["once", "until the end"])
def test_a_power_loss_after_the_disk_was_full_brings_nothing_back(
    times: float, folder: Path
) -> None:
    work = Work("a take", [take(2)], before=[take(1)])
    whole = work.states(folder)
    cases: dict[Case, str] = {}
    for number, call in enumerate(work.calls(folder), 1):
        if call.is_hint or call.name not in ("open", "write", "fsync", "replace"):
            continue
        disk, done, states = work.recorded(folder, FailAt(number, errno.ENOSPC, times=times))
        assert states == whole[: len(states)]
        cases.update(losses(disk, done, random.Random(SEED)))
    assert_all_sound(work, cases, whole, folder)


def test_nor_does_one_after_two_kills(folder: Path) -> None:
    """The second kill comes when consumed.yaml is cut back, but not yet on the disk."""
    work = Work("a take", [take(2)], before=[take(1)])
    disk, done, states = work.recorded(folder)
    do_until(disk, done, "replace", "queue.yaml")
    put(disk.image(), folder)
    do_until(disk := disk.after_kill(), settling(folder), "fsync", "consumed.yaml")
    put(disk.image(), folder)
    cases = losses(disk.after_kill(), settling(folder), random.Random(SEED))
    assert_all_sound(work, cases, states[:1], folder)


def do_until(disk: Disk, done: list[Done], name: str, path: str) -> None:
    """Do what comes before a call."""
    for one in done:
        if one.name == name and one.paths[-1].endswith(path):
            return
        disk.do(one)
    raise AssertionError(f"there is no {name} of {path}")
