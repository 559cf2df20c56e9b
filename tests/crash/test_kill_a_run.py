"""A whole run is killed at each of its system calls, and the next one goes on from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from controllers import Executed, run_queue
from forks import after, result, run
from queuestate import State, jobs_in, records, strays
from queuework import Desk
from syscalls import KillAt, Moment, Watch, moments

QUEUE = "# what is to be done\n- first\n- never starts at first\n- command: fails\n"

#: What makes a difference to what is on the disk, or is said to.
CALLS = {"open", "write", "pwrite", "fsync", "ftruncate", "replace", "unlink", "close"}

#: The tests share the calls of the run, so that they can be made at once.
PARTS = 4


def begin(folder: Path) -> None:
    folder.mkdir()
    (folder / "queue.yaml").write_text(QUEUE)


def moments_of_a_run(folder: Path) -> list[Moment]:
    executed = Executed(folder.parent / "executed")

    def go() -> list[Moment]:
        hook = KillAt(None)
        Watch(folder, hook).start()
        run_queue(folder, executed, retries=1, nodes=2)
        return list(moments(hook.calls))

    begin(folder)
    return list(result(go))


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_is_killed_anywhere_loses_no_job(part: int, folder: Path) -> None:
    # Threads take turns as they like: the calls are not the same ones each time.
    found = [one for one in moments_of_a_run(folder) if is_tried(one)]
    assert len(found) > 100
    for index, moment in enumerate(found):
        if index % PARTS != part:
            continue
        place = folder.with_name(str(index))
        begin(place)
        executed = Executed(place.with_suffix(".executed"))
        with after(f"a kill {moment}"):
            ended = run(killed(place, executed, moment))
            assert not ended.trouble, ended.trouble
            assert_nothing_is_lost(place, executed)
            if index % 3 == 0:
                assert_next_run_goes_on(place, executed, ended.killed)


def is_tried(moment: Moment) -> bool:
    return moment.call.name in CALLS and not moment.call.is_hint and moment.part in (None, 0.5)


def killed(folder: Path, executed: Executed, moment: Moment) -> Callable[[object], None]:
    def go(_: object) -> None:
        Watch(folder, KillAt(moment)).start()
        run_queue(folder, executed, retries=1, nodes=2)

    return go


def assert_nothing_is_lost(folder: Path, executed: Executed) -> None:
    Desk(folder).settle()
    state = State.of(folder)
    state.check(Counter(jobs_in(QUEUE)))
    ran = set(executed.count())
    assert {text for text, _ in state.taken.values()} >= ran, "it was run, and is not taken"


def assert_next_run_goes_on(folder: Path, executed: Executed, is_killed: bool) -> None:
    left, ran = Counter(text for text, _ in State.of(folder).queued), executed.count()
    dead = of("run_started", folder) - of("run_ended", folder)
    assert not run(lambda _: run_queue(folder, executed, retries=1, nodes=2)).trouble
    state = State.of(folder)
    state.check(Counter(jobs_in(QUEUE)))
    assert not state.queued
    again = executed.count() - ran
    assert again == left + Counter({"fails": left["fails"]}), "each runs once; what fails, twice"
    assert of("run_died", folder) == dead
    assert len(dead) <= is_killed
    assert not strays(folder), strays(folder)
    assert not list((folder / ".pegasus/queue.yaml/runs").glob("*.lease"))


def of(event: str, folder: Path) -> set[str]:
    """Return the runs that the journal says this of."""
    return {one["run"] for one in records(folder) if one["event"] == event}
