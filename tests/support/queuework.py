"""Pieces of work on a queue file, step by step, to be interrupted anywhere and gone on with."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from forks import Ended, result, run
from powerloss import Disk, Done, Recorder
from queuestate import State, consumed_path, strays
from syscalls import Call, Hook, KillAt, Moment, Watch, moments, pass_over

from pegasus import model
from pegasus.errors import StorageError
from pegasus.files.additions import Addition
from pegasus.files.queuefile import QueueFile
from pegasus.journal.file import Journal
from pegasus.journal.records import record
from pegasus.locking import FileLock
from pegasus.model import Place

COMMENTS = """\
# The first line, ümlauts: \u00e9\u4e16.
- echo one   # behind it

# above two
- command: ["echo {{ n }}", 'print {{ n }}']
  n: [1, 2]   # two by two
- |
  a block
    of lines
-   command: python train.py
    bs: ['8']
    options: {timeout: 2h}   # an option

# at the end
"""


class Desk:
    """A queue file in a folder, and the jobs that were taken here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue = QueueFile(folder / "queue.yaml", consumed_path(folder), run="5f0c91ab")
        self.journal = Journal(FileLock.of(folder / "queue.yaml").folder)
        self.taken: list[model.Job] = []

    def settle(self) -> None:
        with self.queue.lock.hold("a test"):
            self.queue.settle()

    def take(self, which: int | Sequence[int]) -> list[model.Job]:
        with self.queue.lock.hold("a test"):
            jobs = self.queue.take(which)
        self.taken += jobs
        return jobs

    def put_back(self, count: int, why: str = "never started") -> None:
        """Put back those taken last."""
        jobs = self.taken[-count:]
        with self.queue.lock.hold("a test"):
            self.queue.put_back(jobs, why)
        del self.taken[-count:]


Step = Callable[[Desk], object]


def take(which: int | Sequence[int]) -> Step:
    """Take jobs: so many, or those at these positions."""
    return lambda desk: desk.take(which)


def add(at_head: bool) -> Step:
    """Add a grid of two jobs."""

    def step(desk: Desk) -> None:
        new = Addition.of("echo {{ x }}", {"x": ["1", "2"]}, Place("a test", 1, 1))
        with desk.queue.lock.hold("a test"):
            desk.queue.add([new], at_head=at_head)

    return step


def note(desk: Desk) -> None:
    """Add what need not be on the disk at once, as attempts do."""
    for event in ("attempt_started", "attempt_ended"):
        desk.journal.append(record(event, "5f0c91ab", job=1, attempt=1))


def put_back(count: int, why: str = "never started") -> Step:
    return lambda desk: desk.put_back(count, why)


@dataclass(frozen=True)
class Work:
    """What is done to a queue file.

    Attributes:
        name: for the name of the test.
        text: the queue file at first.
        steps: what is done, and may be interrupted.
        before: what was done by an earlier run.
        consumed: consumed.yaml at first, if there is one.
        is_below: whether consumed.yaml is in a folder below.
    """

    name: str
    steps: Sequence[Step]
    text: str = COMMENTS
    before: Sequence[Step] = ()
    consumed: str = ""
    is_below: bool = False

    def __str__(self) -> str:
        return self.name

    def begin(self, folder: Path) -> Desk:
        """Make the files anew and do what was done before; return a desk of the same process."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if self.is_below:
            (folder / "below").mkdir()
        (folder / "queue.yaml").write_text(self.text)
        if self.consumed:
            consumed_path(folder).write_text(self.consumed)
        desk = Desk(folder)
        for step in self.before:
            step(desk)
        # Another run does the rest: it has nothing in mind of the one before.
        taken, desk = desk.taken, Desk(folder)
        desk.taken = taken
        return desk

    def states(self, folder: Path) -> list[State]:
        """Return what stands on the disk before the first step, and after each."""

        def go() -> list[State]:
            desk = self.begin(folder)
            found = [State.of(folder)]
            for step in self.steps:
                step(desk)
                found.append(State.of(folder))
            return found

        return list(result(go))

    def do(self, folder: Path, hook: Hook) -> Ended:
        """Do the steps in a process of its own, with a hook; it tells the number of each."""

        def go(tell: Callable[[object], None]) -> None:
            desk = self.begin(folder)
            Watch(folder, hook).start()
            for number, step in enumerate(self.steps, 1):
                step(desk)
                tell(number)

        return run(go)

    def recorded(
        self, folder: Path, through: Hook = pass_over
    ) -> tuple[Disk, list[Done], list[State]]:
        """Return the disk before the steps, what they do, and the states in between.

        A step that fails is the last one.
        """

        def go() -> tuple[Disk, list[Done], list[State]]:
            desk, recorder = self.begin(folder), Recorder(through)
            disk, found = Disk(folder), [State.of(folder)]
            Watch(folder, recorder).start()
            with suppress(StorageError):
                for number, step in enumerate(self.steps, 1):
                    step(desk)
                    recorder.tell(number)
                    found.append(State.of(folder))
            return disk, recorder.done, found

        recorded: tuple[Disk, list[Done], list[State]] = result(go)
        return recorded

    def calls(self, folder: Path) -> list[Call]:
        """Return the calls that the steps make, without what they were given."""

        def go() -> list[Call]:
            desk, hook = self.begin(folder), KillAt(None)
            Watch(folder, hook).start()
            for step in self.steps:
                step(desk)
            return [call.bare for call in hook.calls]

        return list(result(go))

    def moments(self, folder: Path) -> list[Moment]:
        """Return the moments in which the steps may be interrupted."""

        def go() -> list[Moment]:
            desk, hook = self.begin(folder), KillAt(None)
            Watch(folder, hook).start()
            for step in self.steps:
                step(desk)
            return list(moments(hook.calls))

        return list(result(go))

    def assert_sound(self, folder: Path, allowed: Sequence[State]) -> None:
        """Assert that the next run finds one of these states, and goes on well from there."""
        found = go_on(folder)
        first = found[0][0]
        assert first in allowed, f"{first}\nis none of\n" + "\n".join(map(str, allowed))
        jobs = Counter([*first.queued, *first.taken.values()])
        for state, stray in found:
            state.check(jobs, self.consumed)
            assert not stray, stray
        last = found[1][0]
        assert not last.queued, last
        assert len(last.taken) == sum(jobs.values()), last


def go_on(folder: Path) -> list[tuple[State, list[str]]]:
    """Bring to an end what was begun, and then take all that is left.

    Returns what stands on the disk in between and in the end, each with what should not.
    """
    desk = Desk(folder)
    desk.settle()
    between = State.of(folder), strays(folder)
    desk.take(2)
    desk.take(1000)
    return [between, (State.of(folder), strays(folder))]


def settle(folder: Path, hook: Hook) -> Ended:
    """Have the next process bring to an end what was begun; it tells that it has."""

    def go(tell: Callable[[object], None]) -> None:
        desk = Desk(folder)
        Watch(folder, hook).start()
        desk.settle()
        tell("settled")

    return run(go)


def settling(folder: Path) -> list[Done]:
    """Return what is done then, which is done."""

    def go() -> list[Done]:
        desk, recorder = Desk(folder), Recorder()
        Watch(folder, recorder).start()
        desk.settle()
        return recorder.done

    return list(result(go))


def settle_moments(folder: Path) -> list[Moment]:
    """Return the moments in which that may be interrupted; it is done then."""

    def go() -> list[Moment]:
        desk, hook = Desk(folder), KillAt(None)
        Watch(folder, hook).start()
        desk.settle()
        return list(moments(hook.calls))

    return list(result(go))
