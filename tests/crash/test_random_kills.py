"""Two controllers take jobs of one queue, and one or the other is killed again and again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from controllers import Executed, run_queue
from forks import Child, after, run
from queuestate import Job, State, records, strays
from queuework import Desk

from pegasus.files.additions import Addition
from pegasus.model import Place

SEED = int(os.environ.get("SEED", "1"))

#: How many queues there are, and how often a controller is killed on each.
QUEUES, KILLS = 5, 40

#: How many jobs a queue has at first, and how many it gets when it has few.
JOBS, MORE, FEW = 150, 50, 20

NODES = 4


class Work:
    """A queue with numbered jobs, and what has become of them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.executed = Executed(folder.with_suffix(".executed"))
        self.jobs: Counter[Job] = Counter(_names(0, JOBS))
        (folder / "queue.yaml").write_text("".join(f"- {text}\n" for text, _ in self.jobs))
        self.desk = Desk(folder)

    def start(self) -> Child:
        """Start a controller."""
        return Child(lambda _: run_queue(self.folder, self.executed, longest=0.01, nodes=NODES))

    def check(self) -> None:
        """Assert that the files agree, while nobody writes; see that there is enough to do."""
        queue = self.desk.queue
        with queue.lock.hold("a test"):
            queue.settle()
            state = State.of(self.folder)
            state.check(self.jobs)
            if len(state.queued) < FEW:
                more = _names(len(self.jobs), MORE)
                queue.add([Addition.of(text, None, Place("a test", 1, 1)) for text, _ in more])
                self.jobs.update(more)

    def check_end(self, kills: int) -> None:
        state = State.of(self.folder)
        state.check(self.jobs)
        assert not state.queued
        executed = self.executed.count()
        assert max(executed.values()) == 1, f"run twice: {executed.most_common(3)}"
        found = records(self.folder)
        dead = {one["run"] for one in found if one["event"] == "run_died"}
        assert len(dead) <= kills
        taken_by_dead = {
            job["template"]
            for one in found
            if one["event"] == "jobs_taken" and one["run"] in dead
            for job in one["jobs"]
        }
        missing = {text for text, _ in self.jobs} - set(executed)
        assert missing <= taken_by_dead, "nobody has run it, and nobody who took it was killed"
        assert len(missing) <= NODES * kills
        assert not strays(self.folder), strays(self.folder)


@pytest.mark.parametrize("number", range(QUEUES))
def test_no_job_is_lost_or_run_twice_whenever_a_controller_is_killed(
    number: int, folder: Path
) -> None:
    chance = random.Random(f"{SEED} {number}")
    work = Work(folder)
    controllers = [work.start(), work.start()]
    kills = 0
    try:
        with after(f"random kills (seed {SEED})"):
            while kills < KILLS:
                time.sleep(0.2 * chance.random())
                victim = controllers.pop(chance.randrange(2))
                os.kill(victim.pid, signal.SIGKILL)
                ended = victim.wait()
                assert not ended.trouble, ended.trouble
                kills += ended.killed
                work.check()
                controllers.append(work.start())
    finally:
        troubles = [controller.wait().trouble for controller in controllers]
    with after(f"{kills} random kills (seed {SEED})"):
        assert not any(troubles), troubles
        last = run(lambda _: run_queue(folder, work.executed))
        assert not last.trouble, last.trouble
        work.check_end(kills)


def _names(begin: int, count: int) -> list[Job]:
    return [(f"job {number}", ()) for number in range(begin, begin + count)]
