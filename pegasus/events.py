"""What happens in a run, as frozen values: the modes emit them, journal and terminal listen.

An event sink is called from many threads at once, in the order of events of each node. It must
return soon and must not raise: it is called by the threads that read a command's output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pegasus.errors import NodeError, PegasusError
from pegasus.model import ONE_SLOT, Attempt, Ending, Job, Need, Node, Place, Slots


class Stream(Enum):
    """Which of a command's outputs."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True)
class Event:
    """The base of all events."""


@dataclass(frozen=True)
class RunStarted(Event):
    """A run has begun: its files are right, others know of it, and nothing is contacted yet.

    Attributes:
        run: its id.
        mode: queue or broadcast.
        pid, host, user: whose process it is.
        settings: what was set, as plain values.
        nodes: on which it runs, all of which are going to be connected.
    """

    run: str
    mode: str
    pid: int
    host: str
    user: str
    settings: Mapping[str, object]
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class RunEnded(Event):
    """A run has ended. `interrupted` is the number of the signal that ended it early, or None."""

    run: str
    exit_status: int
    interrupted: int | None


@dataclass(frozen=True)
class NodeConnected(Event):
    """A node is connected, and has these slots."""

    node: Node
    slots: Slots = ONE_SLOT


@dataclass(frozen=True)
class NodeUnreachable(Event):
    """A node could not be connected to. `skipped`: the user asked to go on without it."""

    node: Node
    error: NodeError
    skipped: bool = False


@dataclass(frozen=True)
class NodeDisconnected(Event):
    """The connection of a node broke, and is being made again; NodeConnected tells of success."""

    node: Node
    detail: str


@dataclass(frozen=True)
class NodeLost(Event):
    """A node that was connected is not any more, and takes no further job."""

    node: Node
    detail: str


@dataclass(frozen=True)
class NodeAdded(Event):
    """A node was written into hosts.yaml while the run is on, and is about to be connected."""

    node: Node


@dataclass(frozen=True)
class NodeDrained(Event):
    """A node takes no more jobs, and those that run there may end.

    `removed`: it is not in hosts.yaml any more, and will be disconnected; else somebody has said
    so by hand.
    """

    node: Node
    removed: bool = False


@dataclass(frozen=True)
class NodeUndrained(Event):
    """A node that was drained takes jobs again."""

    node: Node


@dataclass(frozen=True)
class HostsRefused(Event):
    """hosts.yaml can't be used as it is; the nodes stay those that they were."""

    error: PegasusError


@dataclass(frozen=True)
class HostsMended(Event):
    """hosts.yaml can be used again."""


@dataclass(frozen=True)
class Unfit:
    """Jobs of the queue file that fit no node.

    Attributes:
        need: what they need.
        jobs: how many they are.
        place: where the first of them stands.
        problem: why they fit none, in words.
    """

    need: Need
    jobs: int
    place: Place
    problem: str


@dataclass(frozen=True)
class JobsUnfit(Event):
    """These jobs fit no node and stay in the queue file; told when that has changed.

    It is empty when all fit again, or those that don't are gone.
    """

    unfit: tuple[Unfit, ...]


@dataclass(frozen=True)
class Paused(Event):
    """No job is taken until `Resumed`; `running` attempts go on."""

    running: int


@dataclass(frozen=True)
class Resumed(Event):
    """Jobs are taken again."""


@dataclass(frozen=True)
class QueueCounted(Event):
    """So many `jobs` stand in the queue file by now; told when the number has changed.

    `needs` yields what they need, and how many jobs have this need, as often as it is asked; it
    never changes. It is empty where nobody has looked.
    """

    jobs: int
    needs: Iterable[tuple[Need, int]] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class JobsTaken(Event):
    """Jobs have left the queue file in one commit."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class AttemptStarted(Event):
    attempt: Attempt


@dataclass(frozen=True)
class AttemptAnnounced(Event):
    """The command of an attempt has certainly begun, and none of its standard output came before.

    `pid` is the number of its process group on its host, or None where it has none.
    """

    attempt: Attempt
    pid: int | None


@dataclass(frozen=True)
class Output(Event):
    """Bytes of a running command, as they came: neither decoded nor cut into lines."""

    attempt: Attempt
    stream: Stream
    data: bytes


@dataclass(frozen=True)
class AttemptEnded(Event):
    """An attempt has ended. `again`: its job is to be run again in this run."""

    attempt: Attempt
    ending: Ending
    again: bool = False


@dataclass(frozen=True)
class CancelCommandEnded(Event):
    """The cancel command of an attempt that was lost has been run, long after its ending.

    `problem` says why it failed, and is empty when it did not. Its output came as the attempt's.
    """

    attempt: Attempt
    problem: str = ""


@dataclass(frozen=True)
class NeverStarted(Event):
    """An attempt that did not begin, and so has no ending.

    Its job goes back to the queue; or waits for another node, where the attempt was to make
    good one that had begun.
    """

    attempt: Attempt
    error: NodeError


@dataclass(frozen=True)
class JobRequeued(Event):
    """A job that never started stands at the head of the queue again."""

    job: Job
    error: NodeError


@dataclass(frozen=True)
class RoundEnded(Event):
    """A broadcast has passed the barrier behind a job.

    `endings` has for each node the attempt that counts, in the order of hosts.yaml. It is empty
    where the job began on no node.
    """

    job: Job
    endings: tuple[tuple[Attempt, Ending], ...]


@dataclass(frozen=True)
class RunDied(Event):
    """A run of the same queue file has ended without a word, as by `kill -9`.

    `interrupted` are the jobs that it had taken and not brought to an end. They are not run
    again by themselves.
    """

    run: str
    interrupted: tuple[Job, ...]


@dataclass(frozen=True)
class LockAwaited(Event):
    """Another process holds the queue's lock; `holder` says who, and since when."""

    holder: str


@dataclass(frozen=True)
class QueueRefused(Event):
    """queue.yaml can't be used as it is; the run waits until it is mended."""

    error: PegasusError


@dataclass(frozen=True)
class QueueMended(Event):
    """queue.yaml can be used again."""


@dataclass(frozen=True)
class Waiting(Event):
    """The queue is empty, and a daemon waits for more."""


@dataclass(frozen=True)
class Draining(Event):
    """No more jobs are taken; `running` attempts are left to end by themselves."""

    running: int


@dataclass(frozen=True)
class Cancelling(Event):
    """`running` attempts are being cancelled."""

    running: int


@dataclass(frozen=True)
class NotBegun(Event):
    """Not all nodes can be reached, and so a broadcast runs nothing."""


@dataclass(frozen=True)
class Aborted(Event):
    """A node failed and the run was told to end then; what is left stays in queue.yaml."""


Sink = Callable[[Event], None]
