"""A process that changes the queue is killed at each of its system calls, and nothing is lost."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from forks import after
from queuestate import State, jobs_in
from queuework import Step, Work, add, go_on, put_back, settle, settle_moments, take
from syscalls import HINTS, KillAt, Moment

WORKS = [
    Work("the first take of a queue", [take(1)]),
    Work("takes one after another", [take(3), take(1)], before=[take(1)]),
    Work("takes from anywhere", [take([1, 4]), take([0, 3])], before=[take([2])]),
    Work("the last jobs", [take(2), take(5)], before=[take(3)]),
    Work("one job, alone", [take(1)], "- true\n"),
    Work("jobs go back", [put_back(1), put_back(2)], before=[take(4)]),
    Work("taken, put back and taken again", [take(2), put_back(1), take(2)], before=[take(1)]),
    Work("a retry", [put_back(2, "retry"), take(1)], before=[take(6)]),
    Work("entries are added", [add(True), take(3), add(False)], before=[take(1)]),
    Work("a consumed file without a newline", [take(2)], consumed="- old\n- older"),
]


@pytest.mark.parametrize("work", WORKS, ids=str)
def test_after_a_kill_anywhere_a_job_is_in_the_queue_or_taken(work: Work, folder: Path) -> None:
    states = work.states(folder)
    for moment in work.moments(folder):
        with after(f"a kill {moment}"):
            done = kill(work, folder, moment)
            work.assert_sound(folder, states[done : done + 2])


@pytest.mark.parametrize(
    "work",
    [
        Work("a take", [take(2)], before=[take(1)]),
        Work("a take from anywhere", [take([1, 5])], before=[take(1)]),
        Work("a put back", [put_back(2)], before=[take(3)]),
    ],
    ids=str,
)
def test_so_it_is_after_a_kill_of_the_next_run_while_it_makes_that_good(
    work: Work, folder: Path
) -> None:
    states = work.states(folder)
    seen = set()
    for moment in work.moments(folder):
        kill(work, folder, moment)
        left = tree(folder)
        if left in seen:  # It is what an earlier kill has left.
            continue
        seen.add(left)
        for again in settle_moments(folder):
            if again.call.is_hint:
                continue
            kill(work, folder, moment)
            with after(f"a kill {moment}", f"one {again}"):
                ended = settle(folder, KillAt(again))
                assert ended.killed, ended.trouble
                work.assert_sound(folder, states)


@pytest.mark.parametrize("text", ["- mine\n", "", "- mine\n- echo one\n"])
def test_an_edit_after_a_kill_stays(text: str, folder: Path) -> None:
    work = Work("a take", [take(2)], before=[take(1)])
    untouched = work.states(folder)[0]
    for moment in work.moments(folder):
        kill(work, folder, moment)
        is_taken = State.of(folder).queue != untouched.queue
        (folder / "queue.yaml").write_text(text)
        with after(f"a kill {moment}", "an edit"):
            (first, _), (last, stray) = go_on(folder)
            assert first.queue == text
            assert len(first.taken) == (3 if is_taken else 1)
            assert Counter(jobs_in(first.consumed)) == Counter(first.taken.values())
            assert Counter(jobs_in(last.consumed)) == Counter(last.taken.values())
            assert len(last.taken) == len(first.taken) + len(jobs_in(text))
            assert not stray


@pytest.mark.parametrize("steps", [[take(2)], [put_back(1)]], ids=["a take", "a put back"])
def test_without_consumed_file_after_a_kill_all_goes_on(steps: list[Step], folder: Path) -> None:
    work = Work("work", steps, before=[take(3)])
    states = work.states(folder)
    jobs = Counter(jobs_in(work.text))
    for moment in work.moments(folder):
        kill(work, folder, moment)
        (folder / "consumed.yaml").unlink()
        with after(f"a kill {moment}", "consumed.yaml is deleted"):
            (first, _), (last, stray) = go_on(folder)
            assert (first.queue, first.taken) in [(one.queue, one.taken) for one in states]
            assert not jobs_in(first.consumed)
            assert Counter(jobs_in(last.consumed)) == Counter(first.queued)
            assert Counter(last.taken.values()) == jobs
            assert not stray


def kill(work: Work, folder: Path, moment: Moment) -> int:
    """Kill a process that does the work; return how many steps it had done."""
    ended = work.do(folder, KillAt(moment))
    assert ended.killed, ended.trouble
    return len(ended.told)


def tree(folder: Path) -> bytes:
    """Return what is in a folder, without what is another each time."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in HINTS)
    data = b"".join(str(path).encode() + path.read_bytes() for path in files)
    return re.sub(rb'[0-9a-f]{8}(?=\.next|")|"at": "[^"]*"|"inode": \d+', b"", data)
