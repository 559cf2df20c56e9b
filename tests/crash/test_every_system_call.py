"""A process is killed between any two of all its system calls, not only those of Python's `os`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from forks import after
from queuework import Work, put_back, take
from tracing import is_possible, kill_after, trace_me

pytestmark = pytest.mark.skipif(not is_possible(), reason="no process can be traced here")


@pytest.mark.parametrize(
    "work",
    [
        Work("the first take", [take(1)], "- one\n- two\n"),
        Work("a put back", [put_back(1)], "- one\n- two\n", before=[take(1)]),
    ],
    ids=str,
)
def test_a_kill_between_any_two_system_calls_loses_no_job(work: Work, folder: Path) -> None:
    states = work.states(folder)

    def go(tell: Callable[[object], None]) -> None:
        desk = work.begin(folder)
        trace_me()
        for step in work.steps:
            step(desk)
            tell("done")

    for number in count(1):
        ended = kill_after(number, go)
        if ended is None:
            break
        with after(f"a kill after system call {number}"):
            assert ended.killed, ended.trouble
            done = len(ended.told)
            work.assert_sound(folder, states[done : done + 2])
    assert number > 50
