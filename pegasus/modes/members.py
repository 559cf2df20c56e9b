"""A node as a mode knows it: connected or not, and whether it is to be used; who is one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from pegasus.model import Node, Slots
from pegasus.ssh.base import Connection


class State(Enum):
    """How it is with a connection. `GONE` could not be made, was given up, or closed."""

    CONNECTING = "connecting"
    OPEN = "open"
    GONE = "gone"


def identity(node: Node) -> Hashable:
    """Return what is the same of nodes that are one and the same but for slots and options."""
    return node.host.text, frozenset(node.params)


@dataclass(eq=False)
class Member:
    """A node of a run.

    Attributes:
        slots: all that it has, once it is connected.
        is_drained: whether somebody has said that it takes no more jobs.
        is_removed: whether it is not in hosts.yaml any more.
    """

    node: Node
    connection: Connection
    state: State = State.CONNECTING
    slots: Slots = field(default_factory=Slots)
    is_drained: bool = False
    is_removed: bool = False

    @property
    def may_run_jobs(self) -> bool:
        """Whether it takes jobs, or may do so later."""
        return self.state is not State.GONE and not self.is_removed


class Change(Protocol):
    """How hosts.yaml has changed: a `pegasus.roster.Change`."""

    @property
    def added(self) -> Sequence[Node]: ...
    @property
    def removed(self) -> Sequence[Node]: ...
    @property
    def returned(self) -> Sequence[Node]: ...


class Roster(Protocol):
    """Watches hosts.yaml: a `pegasus.roster.Roster`."""

    def look(self) -> Change | None:
        """Return what has changed since the last time, or None."""
