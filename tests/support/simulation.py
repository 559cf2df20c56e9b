"""Queue mode in virtual time: ten thousand jobs that take hours are played through in seconds.

Everything is real but for the clock, the threads, the connections and the queue file. What would
block in a thread of its own is done at once, and what it has to say comes when it would have ended.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pegasus.events import AttemptStarted, Event
from pegasus.model import Ending, Host, Job, Need, Node, Place
from pegasus.modes.attempts import Attempts
from pegasus.modes.feed import Feed
from pegasus.modes.queue import QueueMode
from pegasus.modes.queueing.loop import Loop, Message
from pegasus.modes.queueing.schedule import Rules
from pegasus.ssh.base import Peer


class VirtualLoop(Loop):
    """Time stands still while anything is done, and goes on to the next message."""

    def __init__(self) -> None:
        super().__init__()
        self._time = 0.0
        self._numbers = count()
        self._messages: list[tuple[float, int, Message]] = []
        self.lasting = 0.0
        """How long what is done now takes, for those who would wait for it."""

    def now(self) -> float:
        return self._time

    def send(self, message: Message) -> None:
        heapq.heappush(self._messages, (self._time + self.lasting, next(self._numbers), message))

    def receive(self, within: float | None) -> list[Message]:
        assert self._messages, "the scheduler waits, and nothing is going to happen"
        self._time, _, message = heapq.heappop(self._messages)
        return [message]

    def spawn(self, target: Callable[..., None], *args: object) -> None:
        self.lasting = 0.0
        target(*args)
        self.lasting = 0.0


class _Lock:
    def try_acquire(self, purpose: str) -> bool:
        return True

    def release(self) -> None: ...


class _Outlook:
    def __init__(self, jobs: Sequence[Job], counts: Counter[Need]) -> None:
        self._jobs = jobs
        self.counts = counts
        self.jobs = len(jobs)

    def __iter__(self) -> Iterator[tuple[Need, int]]:
        return ((job.need, 1) for job in self._jobs)

    @property
    def needs(self) -> list[Need]:
        return [need for need, number in self.counts.items() if number]

    def count(self, need: Need) -> int:
        return self.counts[need]

    def place_of(self, need: Need) -> Place:
        return Place("queue.yaml", 1, 1)


class MemoryQueue:
    """A queue file that is none."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.lock = _Lock()
        self._jobs = [*jobs]
        self._counts = Counter(job.need for job in jobs)
        self._ids = count(1)
        self.outlook = _Outlook(self._jobs, self._counts)

    @property
    def jobs(self) -> int:
        return len(self._jobs)

    def signature(self) -> None: ...

    def changed_since(self, signature: None) -> bool:
        return False

    def look(self) -> _Outlook:
        return self.outlook

    def jobs_at(self, positions: Sequence[int]) -> list[Job]:
        return [self._jobs[position] for position in positions]

    def take(self, positions: Sequence[int], expected: Sequence[Job]) -> list[Job]:
        taken = self.jobs_at(positions)
        assert taken == [*expected]
        for position in reversed(positions):
            self._counts[self._jobs.pop(position).need] -= 1
        self.outlook = _Outlook(self._jobs, self._counts)
        return [
            Job(job.template, job.params, job.options, job.slots, next(self._ids)) for job in taken
        ]


class _Connection:
    """Runs commands such as `17`: that of the job with this number, which takes its time."""

    def __init__(self, node: Node, loop: VirtualLoop, durations: Sequence[float]) -> None:
        self.node = node
        self.peer = Peer("nobody")
        self._loop = loop
        self._durations = durations

    def open(self) -> None: ...

    def attempt(self, command: str, *_: Any, **more: Any) -> Ending:
        self._loop.lasting = self._durations[int(command)]
        return Ending.exited(0)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Execution:
    """A job that was run: its number, on which node, with which slots, from when to when."""

    job: int
    node: int
    slots: tuple[int, ...]
    start: float
    end: float


@dataclass
class Simulation:
    """A queue that is played through.

    Attributes:
        sizes, durations: of each job: how many slots it needs, how many seconds it takes.
        nodes: how many there are.
        slots: how many each has.
    """

    sizes: Sequence[int]
    durations: Sequence[float]
    nodes: int
    slots: int
    executions: list[Execution] = field(default_factory=list)

    @classmethod
    def random(
        cls, seed: int, jobs: int, nodes: int, sizes: Sequence[int] = (1, 2, 4, 8), slots: int = 8
    ) -> Simulation:
        """Return one whose jobs take from a minute to two hours."""
        dice = random.Random(seed)
        durations = [dice.uniform(60, 7200) for _ in range(jobs)]
        return cls(dice.choices(sizes, k=jobs), durations, nodes, slots)

    @property
    def lower_bound(self) -> float:
        """The makespan that none can be below."""
        pairs = zip(self.sizes, self.durations, strict=True)
        work = sum(size * duration for size, duration in pairs)
        return max(work / (self.nodes * self.slots), *self.durations)

    @property
    def makespan(self) -> float:
        return max(execution.end for execution in self.executions)

    def run(self, allocation: str = "first_fit", patience: float = 600.0) -> Simulation:
        loop = VirtualLoop()

        def emit(event: Event) -> None:
            if isinstance(event, AttemptStarted):
                attempt = event.attempt
                number, now = int(attempt.command), loop.now()
                self.executions.append(
                    Execution(
                        number,
                        attempt.node.index,
                        attempt.slots.indices,
                        now,
                        now + self.durations[number],
                    )
                )

        jobs = [Job(str(number), slots=size) for number, size in enumerate(self.sizes)]
        queue: Any = MemoryQueue(jobs)
        connect: Any = lambda node: _Connection(node, loop, self.durations)  # noqa: E731
        nodes = [
            Node(index, Host(f"n{index}", f"n{index}"), slots=tuple(range(self.slots)))
            for index in range(self.nodes)
        ]
        mode = QueueMode(
            Feed(queue, emit, "a simulation"),
            nodes,
            Attempts(connect, emit),
            emit,
            Rules(allocation=allocation, patience=patience),
            loop=loop,
        )
        mode.run()
        return self
