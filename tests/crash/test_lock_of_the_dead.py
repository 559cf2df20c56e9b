"""Who is killed while it holds the lock leaves it, and its work, to those who wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forks import Child
from queuestate import State
from queuework import Desk, Work, take
from syscalls import Call, Watch

from pegasus.locking import Holder


def test_a_waiter_is_told_who_holds_the_lock_and_gets_it_when_that_is_killed(folder: Path) -> None:
    work = Work("a take", [take(1)], "- one\n- two\n")
    into, out = os.pipe()

    def stop_in_the_middle(call: Call, make: Callable[[], Any]) -> Any:
        if call.name == "replace":
            os.write(out, b"!")
            signal.pause()
        return make()

    def go(_: object) -> None:
        desk = work.begin(folder)
        Watch(folder, stop_in_the_middle).start()
        desk.take(1)

    holder = Child(go)
    os.close(out)
    assert os.read(into, 1), holder.wait().trouble
    os.close(into)
    told: list[Holder] = []

    def on_wait(who: Holder) -> None:
        told.append(who)
        os.kill(holder.pid, signal.SIGKILL)

    desk = Desk(folder)
    assert desk.queue.lock.acquire("a waiter", on_wait)
    try:
        jobs = desk.queue.take(1)
    finally:
        desk.queue.lock.release()
    assert holder.wait().killed
    assert [who.pid for who in told] == [holder.pid]
    assert [job.template for job in jobs] == ["one"]
    assert State.of(folder).taken == {jobs[0].id: ("one", ())}
