"""A scripted connection: whole runs are tried out without SSH and without processes.

::

    fakes = FakeHosts({"make": Act.exits(2), "train": Act.blocks()})
    run_something(connect=fakes.connect)
    assert fakes.commands == ["make", "train"]

A script is a mapping from a command to its `Act`, or a function of node and command. A list of
acts is what happens the first time, the second, and so on; its last one stays. What a mapping
does not name succeeds without a word. To embedders too this is public.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Stream
from pegasus.model import NO_SURROUNDINGS, Ending, Node, Outcome, Surroundings
from pegasus.ssh.base import Cancellation, OnAnnounced, OnOutput, Peer, nobody

_SUCCESS = Ending.exited(0)


@dataclass(frozen=True)
class Act:
    """What happens when a command is run: output, perhaps a wait, then an ending.

    Attributes:
        output: what is written, in this order.
        ending: how it ends, unless it is cancelled before.
        gate: when given, the command runs until this event is set, or it is cancelled.
        refusal: when given, the command never starts, for this reason.
        drops: whether the connection is gone afterwards, so that the next attempt opens again.
            Others that run on the node by then go on, as those do over SSH that have another
            connection.
        pid: the number that the process group of the command pretends to have.
    """

    output: tuple[tuple[Stream, bytes], ...] = ()
    ending: Ending = _SUCCESS
    gate: threading.Event | None = None
    refusal: str | None = None
    drops: bool = False
    pid: int | None = None

    @classmethod
    def exits(cls, status: int) -> Act:
        """Exit with `status`."""
        return cls(ending=Ending.exited(status))

    @classmethod
    def prints(cls, text: str, stream: Stream = Stream.STDOUT) -> Act:
        """Write `text` and succeed."""
        return cls(output=((stream, text.encode()),))

    @classmethod
    def blocks(cls, gate: threading.Event | None = None) -> Act:
        """Run until `gate` is set or the attempt is cancelled; without a gate, until cancelled."""
        return cls(gate=gate or threading.Event())

    @classmethod
    def never_starts(cls, reason: str = "the connection broke") -> Act:
        """Don't begin at all, and lose the connection."""
        return cls(refusal=reason, drops=True)

    @classmethod
    def is_lost(cls, detail: str = "the connection was lost while the command ran") -> Act:
        """Lose the connection while the command runs."""
        return cls(ending=Ending(Outcome.LOST, detail=detail), drops=True)

    def after(self, gate: threading.Event) -> Act:
        """Return this act with a wait for `gate` before its ending."""
        return replace(self, gate=gate)


Script = Mapping[str, Act | Sequence[Act]] | Callable[[Node, str], Act]

#: Says why a node can't be connected to, or None when it can. Called for every try.
Unreachable = Callable[[Node], str | None]


class FakeConnection:
    """Implements `pegasus.ssh.base.Connection` by a script.

    Attributes:
        node: the node it pretends to be connected to.
        is_open: whether `open` was called, and neither `close` nor an act has undone it.
        opened: how many times `open` has connected.
    """

    def __init__(self, node: Node, hosts: FakeHosts) -> None:
        self.node = node
        self.is_open = False
        self.opened = 0
        self._hosts = hosts
        self._lock = threading.Lock()
        self._closing = threading.Event()  # Of what runs now; what runs later has another.

    def open(self) -> None:
        """Connect, unless the hosts say that this node is unreachable."""
        reason = self._hosts.reason_unreachable(self.node)
        if reason is not None:
            raise UnreachableError(self.node, "connect", reason)
        self._connect()

    def attempt(
        self,
        command: str,
        on_output: OnOutput,
        cancellation: Cancellation,
        timeout: float | None = None,
        on_announced: OnAnnounced = nobody,
        surroundings: Surroundings = NO_SURROUNDINGS,
    ) -> Ending:
        """Act out what the script says; record it unless it never starts."""
        if cancellation.outcome is not None:
            return Ending(cancellation.outcome)
        closing = self._reopen()
        act = self._hosts.act(self.node, command)
        try:
            if act.refusal is not None:
                raise NeverStartedError(self.node, "session", act.refusal)
            self._hosts.record(self.node, command, surroundings)
            on_announced(act.pid)
            for stream, data in act.output:
                on_output(stream, data)
            return _wait(act, cancellation, timeout, closing)
        finally:
            if act.drops:
                self.is_open = False

    @property
    def peer(self) -> Peer:
        """The user that the host is written with, or `nobody`, and a server of this name."""
        return Peer(self.node.host.user or "nobody", "FakeSSH_1.0")

    def close(self) -> None:
        """Disconnect; acts that block end as cancelled."""
        with self._lock:
            self.is_open = False
            self._closing.set()

    def _connect(self) -> threading.Event:
        """Be connected; return what will say that this is over."""
        with self._lock:
            if self._closing.is_set():
                self._closing = threading.Event()
            if not self.is_open:
                self.opened += 1
                self.is_open = True
            return self._closing

    def _reopen(self) -> threading.Event:
        if self.is_open:
            return self._connect()
        try:
            self.open()
        except UnreachableError as error:
            raise NeverStartedError(self.node, error.step, error.problem) from error
        return self._closing


def _wait(
    act: Act, cancellation: Cancellation, timeout: float | None, closing: threading.Event
) -> Ending:
    if act.gate is None:
        return act.ending
    changed = threading.Event()
    end_by = None if timeout is None else time.monotonic() + timeout
    cancellation.on_cancel(changed.set)
    while not act.gate.is_set():
        if cancellation.outcome is not None:
            return Ending(cancellation.outcome)
        if closing.is_set():
            return Ending(Outcome.CANCELLED, detail="disconnected")
        if end_by is not None and time.monotonic() >= end_by:
            cancellation.cancel(Outcome.TIMED_OUT)
        changed.wait(0.005)  # the gate is the test's own event: it can't wake us
    return act.ending


class FakeHosts:
    """All that fake connections share: the script, and a record of what ran where.

    Attributes:
        ran: (node, command) of every attempt that started, in order.
        surroundings: what each of them found: its variables and its directory, in the same order.
    """

    def __init__(
        self, script: Script | None = None, unreachable: Unreachable | None = None
    ) -> None:
        self.ran: list[tuple[Node, str]] = []
        self.surroundings: list[Surroundings] = []
        self.connections: list[FakeConnection] = []
        self._script = script if script is not None else {}
        self._unreachable = unreachable
        self._asked: Counter[str] = Counter()
        self._changed = threading.Condition()

    def connect(self, node: Node) -> FakeConnection:
        """Make the connection of a node; a `pegasus.ssh.base.Connect`."""
        connection = FakeConnection(node, self)
        with self._changed:
            self.connections.append(connection)
        return connection

    @property
    def commands(self) -> list[str]:
        """The commands that started, in order."""
        return [command for _, command in self.ran]

    def ran_on(self, node: Node) -> list[str]:
        """Return the commands that started on `node`, in order."""
        return [command for where, command in self.ran if where == node]

    def wait_for(self, condition: Callable[[FakeHosts], bool], timeout: float = 10.0) -> None:
        """Wait until `condition(self)` is true, looked at whenever a command has started.

        Raises:
            TimeoutError: it did not become true within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout):
                raise TimeoutError(f"not within {timeout:g} s; these ran: {self.commands}")

    def act(self, node: Node, command: str) -> Act:
        """Return what the script says of `command` on `node`, this time."""
        if callable(self._script):
            return self._script(node, command)
        acts = self._script.get(command, Act())
        if isinstance(acts, Act):
            return acts
        with self._changed:
            times = self._asked[command]
            self._asked[command] += 1
        return acts[min(times, len(acts) - 1)]

    def reason_unreachable(self, node: Node) -> str | None:
        """Return why `node` can't be connected to now, or None."""
        return self._unreachable(node) if self._unreachable is not None else None

    def record(
        self, node: Node, command: str, surroundings: Surroundings = NO_SURROUNDINGS
    ) -> None:
        """Note that `command` has started on `node`, and what it found."""
        with self._changed:
            self.ran.append((node, command))
            self.surroundings.append(surroundings)
            self._changed.notify_all()
