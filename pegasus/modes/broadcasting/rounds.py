"""The rounds of broadcast mode: one job on all nodes, and a barrier where all have ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import AttemptEnded, NodeConnected, NodeDisconnected, Sink
from pegasus.model import Attempt, Ending, Job, Node, Outcome
from pegasus.modes.attempts import Attempts, Running
from pegasus.modes.reconnect import reconnect
from pegasus.plan import Plan
from pegasus.ssh.base import Connection

T = TypeVar("T")

#: For how long a node that was lost is tried again when its job is to be repeated, in seconds:
#: all other nodes wait for it.
RECONNECT_FOR = 30.0


class Results(Protocol[T]):
    """What a function returned, by node."""

    @property
    def values(self) -> dict[Node, T]: ...


class Group(Protocol):
    """Connections that do one thing at the same time: a `pegasus.ssh.group.BroadcastGroup`."""

    def __iter__(self) -> Iterator[Connection]: ...

    def each(
        self, function: Callable[[Connection], T], among: Container[Node] | None = None
    ) -> Results[T]:
        """Call `function` with every connection at once; return when all calls have ended.

        Args:
            among: the nodes that are meant, instead of all.
        """

    def keep(self, nodes: Sequence[Node]) -> None:
        """Forget the connections of all other nodes."""

    def extend(self, connections: Iterable[Connection], /) -> None:
        """Have more connections."""

    def close(self) -> None: ...


class Rounds:
    """Runs one job after the other on every node of a group.

    `run` and `settle` belong to one thread; any thread may call the others.

    Args:
        group: the connections.
        attempts: makes the attempts.
        emit: where events go.
    """

    def __init__(self, group: Group, attempts: Attempts, emit: Sink) -> None:
        self._group = group
        self._attempts = attempts
        self._emit = emit
        self._owing: dict[Node, Running] = {}  # Each item belongs to its node's thread.
        self._is_stopped = threading.Event()
        self._lock = threading.Lock()  # Guards what follows.
        self._is_cancelled = False
        self._running: dict[Node, Running] = {}

    @property
    def running(self) -> int:
        """How many attempts are running."""
        return len(self._running)

    def run(
        self, job: Job, plans: Mapping[Node, Plan]
    ) -> list[tuple[Attempt, Ending | NeverStartedError]]:
        """Run a job on the nodes of `plans`; return each node's last attempt and what came of it.

        Only the attempt that is a node's first may come out as never started.
        """
        with self._lock:
            for connection in self._group:
                node = connection.node
                if node in plans:
                    self._running[node] = self._attempts.prepare(job, plans[node], connection)
            begun = dict(self._running)
            if self._is_cancelled:
                self._cancel(begun.values())
        self._attempts.note_starts([*begun.values()])
        results = self._group.each(
            lambda connection: self._see_through(begun[connection.node]), among=begun
        )
        return [*results.values.values()]

    def stop(self) -> None:
        """Run no job again."""
        with self._lock:
            self._is_stopped.set()
            self._attempts.stop()

    def cancel(self) -> int:
        """Cancel what runs, and what may still begin to run; return how many run."""
        with self._lock:
            self._is_stopped.set()
            self._attempts.stop()
            self._is_cancelled = True
            return self._cancel(self._running.values())

    def cancel_job(self, number: int) -> int:
        """Cancel the attempts of the job with this id; return how many are running."""
        with self._lock:
            return self._cancel(
                [one for one in self._running.values() if one.attempt.job.id == number]
            )

    def settle(self, nodes: Container[Node] | None = None) -> None:
        """Run the cancel commands that are still owed to attempts that were lost.

        Args:
            nodes: on these nodes, instead of all.
        """
        if self._owing:
            self._group.each(lambda connection: self._settle(connection.node), among=nodes)

    def _cancel(self, chosen: Iterable[Running]) -> int:
        running = [*chosen]
        for one in running:
            one.cancel()
        return len(running)

    # The threads of the nodes, from here on.

    def _see_through(self, running: Running) -> tuple[Attempt, Ending | NeverStartedError]:
        """Run a job on one node, as often as it takes."""
        self._settle(running.attempt.node)
        while True:
            result = self._run(running)
            if isinstance(result, Ending) and result.outcome is Outcome.LOST:
                self._restore(running, result)
            again = self._again(running, result)
            if again is not None:
                running = again
            elif running.is_unwanted and isinstance(result, NeverStartedError):
                return running.attempt, self._attempts.forgo(running)
            else:
                return running.attempt, result

    def _run(self, running: Running) -> Ending | NeverStartedError:
        result = self._attempts.run(running)
        if isinstance(result, Ending):
            if running.owes_cancel:
                self._owing[running.attempt.node] = running
        elif running.after is not None:
            result = Ending(Outcome.UNREACHABLE, detail=result.problem)
            self._emit(AttemptEnded(running.attempt, result))
        return result

    def _restore(self, lost: Running, ending: Ending) -> None:
        """Connect again where a job is to be repeated; else the next attempt does."""
        if not self._may_repeat(lost, ending):
            return
        node, clock = lost.attempt.node, self._attempts.clock
        self._emit(NodeDisconnected(node, ending.detail))
        with suppress(UnreachableError):  # Then the next attempt says so.
            if reconnect(lost.connection, RECONNECT_FOR, self._is_stopped, clock):
                self._emit(NodeConnected(node, lost.plan.slots))
                self._settle(node)

    def _again(self, failed: Running, result: Ending | NeverStartedError) -> Running | None:
        """Return the attempt that makes `failed` good, or None where there is to be none."""
        job, connection = failed.attempt.job, failed.connection
        with self._lock:
            del self._running[connection.node]
            if not isinstance(result, Ending) or not self._may_repeat(failed, result):
                return None
            again = self._attempts.prepare(job, failed.plan, connection, failed)
            self._running[connection.node] = again
            return again

    def _may_repeat(self, failed: Running, ending: Ending) -> bool:
        return failed.may_repeat(ending) and not self._is_stopped.is_set()

    def _settle(self, node: Node) -> None:
        """Run the cancel command that is owed to an attempt which was lost on this node."""
        if node in self._owing:
            self._attempts.make_up(self._owing.pop(node))
