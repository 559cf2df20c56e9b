"""What became of a run and of its nodes, as the journal tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class NodeState(Enum):
    """How it is with the connection of a node, in a word; part of the documented output.

    `DISCONNECTED` is being connected again; `LOST` was given up.
    """

    CONNECTING = "connecting"
    CONNECTED = "connected"
    UNREACHABLE = "unreachable"
    DISCONNECTED = "disconnected"
    LOST = "lost"


@dataclass(slots=True)
class NodeHistory:
    """A node of a run. `problem` says why it is not connected, or is ""."""

    label: str
    index: int
    host: str
    params: dict[str, str] = field(default_factory=dict)
    state: NodeState = NodeState.CONNECTING
    problem: str = ""


@dataclass(slots=True)
class RunHistory:
    """A run. What the journal does not tell is empty.

    Attributes:
        id: eight hexadecimal digits.
        mode: queue or broadcast.
        pid, host, user: whose process it is, or was.
        started, ended: local time in ISO 8601; `ended` is None while no end is written down.
        died: whether it ended without saying so, and that was found out.
        exit_status: of its end, or None.
        interrupted: the number of the signal that ended it early, or None.
        settings: what was set.
        nodes: its nodes, by their index.
        is_on: whether it lives.
    """

    id: str
    mode: str = ""
    pid: int = 0
    host: str = ""
    user: str = ""
    started: str = ""
    ended: str | None = None
    died: bool = False
    exit_status: int | None = None
    interrupted: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    nodes: dict[int, NodeHistory] = field(default_factory=dict)
    is_on: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nothing is written down of its end."""
        return self.ended is None and not self.died
