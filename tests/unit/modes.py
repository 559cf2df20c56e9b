"""A mode on a real queue file and fake connections, in a thread, for tests of scheduling."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from project import PATIENCE, wait_until, write_at_once

from pegasus.events import Event
from pegasus.files.queuefile import QueueFile
from pegasus.lint import Linter
from pegasus.model import Host, Node, Options, Params
from pegasus.modes.attempts import Attempts, Keeper
from pegasus.modes.broadcast import BroadcastMode
from pegasus.modes.broadcasting.participants import Participants
from pegasus.modes.feed import Feed
from pegasus.modes.members import Roster
from pegasus.modes.queue import QueueMode
from pegasus.modes.queueing.schedule import Rules
from pegasus.modes.reconnect import Clock
from pegasus.result import RunResult
from pegasus.ssh.fake import FakeHosts
from pegasus.ssh.group import BroadcastGroup

E = TypeVar("E", bound=Event)


def node(
    index: int,
    options: Options = Options(),  # noqa: B008
    slots: int = 1,
    **params: str,
) -> Node:
    name = f"node-{index}"
    pairs: Params = tuple(params.items())
    return Node(index, Host(name, name), pairs, options, tuple(range(slots)))


class FastClock(Clock):
    """A clock that goes on as soon as somebody waits; while `goes` is clear, it stands."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.pauses: list[float] = []
        self.goes = threading.Event()
        self.goes.set()
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def wait(self, stop: threading.Event, seconds: float) -> None:
        while not stop.is_set() and not self.goes.wait(0.005):
            pass
        with self._lock:
            self.pauses.append(seconds)
            self.time += seconds


class Bench:
    """A queue file, fake hosts, and the events of the mode that runs on them."""

    def __init__(self, directory: Path, hosts: FakeHosts, nodes: Sequence[Node]) -> None:
        self.path = directory / "queue.yaml"
        self.hosts = hosts
        self.nodes = nodes
        self.events: list[Event] = []
        self.result = RunResult()
        self._failures: list[BaseException] = []
        self._thread: threading.Thread | None = None
        self.mode: QueueMode | BroadcastMode | None = None
        self.clock = FastClock()
        self.defaults = Options()
        self.keeper: Keeper | None = None
        self.reconnect_for = 3600.0
        self.cancel_within = 30.0
        self.rules = Rules()
        self.roster: Roster | None = None

    def write(self, text: str) -> None:
        write_at_once(self.path, text.encode())

    @property
    def left(self) -> Any:
        return yaml.safe_load(self.path.read_text())

    @property
    def consumed(self) -> list[Any]:
        path = self.path.with_name("consumed.yaml")
        return (yaml.safe_load(path.read_text()) or []) if path.exists() else []

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self.result(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def feed(self) -> Feed:
        consumed = self.path.with_name("consumed.yaml")
        self.queue = QueueFile(self.path, consumed, lint=Linter(self.nodes))
        return Feed(self.queue, self.emit, "a test")

    def attempts(self) -> Attempts:
        return Attempts(
            self.hosts.connect,
            self.emit,
            self.defaults,
            keeper=self.keeper,
            clock=self.clock,
            cancel_within=self.cancel_within,
        )

    def start_queue(self, daemon: bool = False) -> None:
        mode = QueueMode(
            self.feed(),
            self.nodes,
            self.attempts(),
            self.emit,
            replace(self.rules, daemon=daemon, reconnect_for=self.reconnect_for),
            self.roster,
        )
        self._start(mode)

    def start_broadcast(
        self, daemon: bool = False, error_aborts: bool = False, skip_unreachable: bool = False
    ) -> None:
        group = BroadcastGroup.of([self.hosts.connect(node) for node in self.nodes])
        mode = BroadcastMode(
            self.feed(),
            Participants(group, self.hosts.connect, self.emit, self.roster),
            self.attempts(),
            self.emit,
            daemon=daemon,
            error_aborts=error_aborts,
            skip_unreachable=skip_unreachable,
        )
        self._start(mode)

    def _start(self, mode: QueueMode | BroadcastMode) -> None:
        self.mode = mode

        def run() -> None:
            try:
                mode.run()
            except BaseException as error:
                self._failures.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def finish(self) -> RunResult:
        """Wait for the end of the run."""
        assert self._thread
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"the run does not end; {self.events}"
        if self._failures:
            raise self._failures[0]
        return self.result

    def wait_for(self, kind: type[Event], times: int = 1) -> None:
        wait_until(lambda: len(self.of(kind)) >= times, kind.__name__)
