"""What became of a run and of its nodes, as the journal tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pegasus.journal import records
from pegasus.journal.records import Record, number_in, numbers_in


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
    """A node of a run.

    Attributes:
        label, host, params: as in `pegasus.model.Node`.
        index: its number in the run.
        state: how it is with its connection.
        problem: why it is not connected, or "".
        slots: their numbers; None while they are not known.
        is_drained: whether it takes no more jobs, by hand.
        is_removed: whether it is not in hosts.yaml any more, and takes no more jobs.
        is_added: whether it was written into hosts.yaml while the run was on.
    """

    label: str
    index: int
    host: str
    params: dict[str, str] = field(default_factory=dict)
    state: NodeState = NodeState.CONNECTING
    problem: str = ""
    slots: tuple[int, ...] | None = None
    is_drained: bool = False
    is_removed: bool = False
    is_added: bool = False


@dataclass(frozen=True, slots=True)
class UnfitHistory:
    """Jobs of the queue file that fit no node: how many, where the first stands, and why."""

    jobs: int
    file: str
    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        stay = "1 job stays" if self.jobs == 1 else f"{self.jobs} jobs stay"
        return f"{self.file}:{self.line}:{self.column}: {self.problem}; {stay} in the queue"


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
        is_paused: whether it takes no jobs for now, as somebody has told it.
        unfit: which jobs of the queue file fit no node of it.
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
    is_paused: bool = False
    unfit: tuple[UnfitHistory, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing is written down of its end."""
        return self.ended is None and not self.died


def _run_started(run: RunHistory, record: Record) -> None:
    run.started = str(record["at"])
    run.mode, run.host, run.user = (str(record.get(key, "")) for key in ("mode", "host", "user"))
    run.pid = number_in(record, "pid") or 0
    run.settings = dict(record.get("settings") or {})
    for fields in record.get("nodes") or ():
        _node(run, fields)


def _run_ended(run: RunHistory, record: Record) -> None:
    run.ended = str(record["at"])
    run.exit_status = number_in(record, "exit_status")
    run.interrupted = number_in(record, "interrupted")


def _run_died(run: RunHistory, _: Record) -> None:
    run.died = True


def _paused(run: RunHistory, _: Record) -> None:
    run.is_paused = True


def _resumed(run: RunHistory, _: Record) -> None:
    run.is_paused = False


def _jobs_unfit(run: RunHistory, record: Record) -> None:
    run.unfit = tuple(map(_unfit, record["unfit"]))


def _unfit(fields: Record) -> UnfitHistory:
    place = str(fields["file"]), int(fields["line"]), int(fields["column"])
    return UnfitHistory(int(fields["jobs"]), *place, str(fields["problem"]))


def _node_changed(run: RunHistory, record: Record) -> None:
    node = _node(run, record)
    node.state = _STATES[record["event"]]
    node.problem = str(record.get("problem", ""))
    if "slots" in record:
        node.slots = numbers_in(record["slots"])


def _node_added(run: RunHistory, record: Record) -> None:
    _node(run, record).is_added = True


def _node_drained(run: RunHistory, record: Record) -> None:
    node = _node(run, record)
    node.is_removed = record.get("removed") is True
    node.is_drained = node.is_drained or not node.is_removed


def _node_undrained(run: RunHistory, record: Record) -> None:
    node = _node(run, record)
    node.is_drained = node.is_removed = False


def _node(run: RunHistory, fields: Record) -> NodeHistory:
    """Return the node of a run that fields describe; a new one where the run has none such."""
    index = int(fields["index"])
    if index not in run.nodes:
        params = {str(key): str(value) for key, value in (fields.get("params") or {}).items()}
        host, slots = str(fields.get("host", "")), numbers_in(fields.get("slots"))
        run.nodes[index] = NodeHistory(str(fields["node"]), index, host, params, slots=slots)
    return run.nodes[index]


_STATES = {
    records.NODE_CONNECTED: NodeState.CONNECTED,
    records.NODE_UNREACHABLE: NodeState.UNREACHABLE,
    records.NODE_DISCONNECTED: NodeState.DISCONNECTED,
    records.NODE_LOST: NodeState.LOST,
}

#: What records about a run and its nodes tell, by their events.
OF_RUNS: Mapping[str, Callable[[RunHistory, Record], None]] = {
    records.RUN_STARTED: _run_started,
    records.RUN_ENDED: _run_ended,
    records.RUN_DIED: _run_died,
    records.PAUSED: _paused,
    records.RESUMED: _resumed,
    records.JOBS_UNFIT: _jobs_unfit,
    **dict.fromkeys(_STATES, _node_changed),
    records.NODE_ADDED: _node_added,
    records.NODE_DRAINED: _node_drained,
    records.NODE_UNDRAINED: _node_undrained,
}
