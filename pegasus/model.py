"""The nouns of pegasus, as frozen values that any thread may read.

A *host* is an address. A *node* is a host plus its parameters: what one hosts.yaml entry
expands to. A *job* is a command template plus one choice of parameters: what is taken from
queue.yaml. An *attempt* is one execution of a job on a node, and an *ending* says how it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

#: Parameters in the order in which they were written, as (name, text) pairs.
Params = tuple[tuple[str, str], ...]

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Place:
    """A position in a file the user wrote. Line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Text:
    """A YAML scalar: its value, where it starts, and how it was spelled in the file (`raw`)."""

    value: str
    place: Place
    raw: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.value

    def locate(self, line: int, column: int) -> Place:
        """Return the place in the file of a line and column (from 1) of the value.

        Exact where the value's line stands in the file as it is; where quoting or folding has
        changed it, the place where the scalar starts.
        """
        lines = self.value.split("\n")[:line]
        # The text of a block scalar begins below its indicator.
        offset = self.raw.find("\n") + 1 if self.raw[:1] in ("|", ">") else 0
        found = -1
        for text in lines:
            found = self.raw.find(text, offset)
            if found < 0:
                return self.place
            offset = found + len(text)
        if len(lines) < line or not lines[-1]:
            return self.place
        before = self.raw[:found]
        newlines = before.count("\n")
        start = len(before) - (before.rfind("\n") + 1) if newlines else len(before)
        base = 1 if newlines else self.place.column
        return Place(self.place.file, self.place.line + newlines, base + start + column - 1)


@dataclass(frozen=True)
class Host:
    """An address as the user wrote it (`text`) and its parts; `user` and `port` may be open."""

    text: str
    name: str
    user: str | None = None
    port: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether commands for this host run as subprocesses, without SSH."""
        return self.name.lower() in LOCAL_NAMES and self.user is None and self.port is None


class Need(NamedTuple):
    """What a job needs of a node.

    Attributes:
        slots: how many of its slots.
        on: an expression that the node must match, as for `--limit`; "" is any node.
        allocation: by which policy slots are given, or "" to leave it to the node.
    """

    slots: int = 1
    on: str = ""
    allocation: str = ""


@dataclass(frozen=True)
class Slots:
    """The slots of a node, or those of them that a job is given.

    Attributes:
        indices: their numbers, ascending.
        variable: the environment variable that tells programs which GPUs are theirs, such as
            CUDA_VISIBLE_DEVICES; "" where the slots are no GPUs.
    """

    indices: tuple[int, ...] = ()
    variable: str = ""

    def __str__(self) -> str:
        return ",".join(map(str, self.indices))

    def __len__(self) -> int:
        return len(self.indices)


#: The slots of a node that says nothing of them.
ONE_SLOT = Slots((0,))

#: Options as they stand in a file: a text, or names and texts for `env`.
Written = tuple[tuple[str, "str | Params"], ...]


@dataclass(frozen=True)
class Options:
    """How a job is run, as far as somebody says so; None leaves it to whom `over` names.

    Attributes:
        cancel: the template of a command that cancels the job, beside the signals it gets.
        timeout: for how many seconds the job may run; 0 is for ever.
        retries: how many times it is run again when it has failed, timed out or was lost.
        allocation: by which policy slots are given: first_fit or buddy.
        on: of a job: on which nodes it may run, an expression as for `--limit`.
        gpus: of a node: whether its slots are GPUs.
        env: names and templates of environment variables; a job's are added to its node's.
        cwd: the template of the directory that the job is run in.
        written: names and values as they stand in the file, to be written back.
        sources: where templates stand, by `cancel`, `cwd`, `on` or `env.NAME`, for messages; they
            are not compared.
    """

    cancel: str | None = None
    timeout: float | None = None
    retries: int | None = None
    allocation: str | None = None
    on: str | None = None
    gpus: bool | None = None
    env: Params = ()
    cwd: str | None = None
    written: Written = ()
    sources: tuple[tuple[str, Text], ...] = field(default=(), compare=False, repr=False)

    def source(self, name: str) -> Text | None:
        """Return where a template stands in a file, or None where it comes from none."""
        return dict(self.sources).get(name)

    def over(self, other: Options) -> Options:
        """Return these options, and those of `other` where these say nothing."""
        if self == _NO_OPTIONS:  # Mostly so, and this is asked for each attempt.
            return other
        names = ("cancel", "timeout", "retries", "allocation", "on", "gpus", "cwd")
        mine = {name for name in names if getattr(self, name) is not None}
        mine |= {f"env.{name}" for name, _ in self.env}
        theirs = tuple(item for item in other.sources if item[0] not in mine)
        return Options(
            **{name: getattr(self if name in mine else other, name) for name in names},
            env=tuple({**dict(other.env), **dict(self.env)}.items()),
            sources=(*theirs, *self.sources),
        )


_NO_OPTIONS = Options()


def need_of(slots: int | None, options: Options) -> Need:
    """Return what a job needs for which this is said; None for `slots` means one."""
    return Need(1 if slots is None else slots, options.on or "", options.allocation or "")


@dataclass(frozen=True)
class Node:
    """A host plus its parameters. `index` tells apart nodes that are written the same.

    `options` hold for what runs there, unless the job has its own. `slots` are the numbers of its
    slots, ascending; None says that they are its GPUs, which are counted when it connects.
    """

    index: int
    host: Host
    params: Params = ()
    options: Options = Options()
    slots: tuple[int, ...] | None = ONE_SLOT.indices

    def __hash__(self) -> int:
        return self.index  # Nodes are the keys of much, and of a run no two have the same.

    @property
    def has_gpus(self) -> bool:
        """Whether its slots are GPUs."""
        return self.slots is None or bool(self.options.gpus)

    @property
    def label(self) -> str:
        """How people see this node: `host`, or `host (k=v,k2=v2)`."""
        inner = ",".join(f"{name}={value}" for name, value in self.params)
        label = f"{self.host.text} ({inner})" if inner else self.host.text
        return printable(label)


@dataclass(frozen=True)
class Job:
    """A command template and one value for each of its parameters.

    `slots` is how many slots of a node it needs; None, which means one, is that nobody says so.
    `id` is given when the job is taken, and is 0 before; `attempts` is how many it had had by
    then, if it was put back; `source` is where the template stands in queue.yaml, for messages.
    None of these three is compared.
    """

    template: str
    params: Params = ()
    options: Options = Options()
    slots: int | None = None
    id: int = field(default=0, compare=False)
    attempts: int = field(default=0, compare=False)
    source: Text | None = field(default=None, compare=False, repr=False)

    @property
    def need(self) -> Need:
        """What it needs of a node."""
        return need_of(self.slots, self.options)

    def variables(self, node: Node, slots: Slots = ONE_SLOT) -> dict[str, str]:
        """Return what fills the template on `node`, when the job is given these slots of it.

        A node's parameters win over the job's, and what pegasus itself says over both.
        """
        ours = {"hostname": node.host.text, "slots": str(slots), "slot_count": str(len(slots))}
        return {**dict(self.params), **dict(node.params), **ours}


@dataclass(frozen=True)
class Surroundings:
    """What a command finds where it runs.

    Attributes:
        env: environment variables that are set for it, in this order.
        cwd: the directory that it is run in; None is that of the login, or here our own.
    """

    env: Params = ()
    cwd: str | None = None


#: Neither variables nor a directory.
NO_SURROUNDINGS = Surroundings()


class Outcome(Enum):
    """How an attempt ended, in one word; the words are part of the documented output."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Ending:
    """The result of an attempt. `detail` says in words what the other fields can't."""

    outcome: Outcome
    exit_status: int | None = None
    exit_signal: str | None = None
    detail: str = ""

    @classmethod
    def exited(cls, status: int) -> Ending:
        """Return the ending of a command that exited with `status` by itself."""
        return cls(Outcome.FAILED if status else Outcome.SUCCEEDED, exit_status=status)

    @property
    def succeeded(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED

    def __str__(self) -> str:
        if self.outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
            return f"exit status: {self.exit_status}"
        if self.outcome is Outcome.SIGNALLED:
            return f"killed by signal {self.exit_signal}"
        return f"{self.outcome.value}: {self.detail}" if self.detail else self.outcome.value


@dataclass(frozen=True)
class Attempt:
    """One execution of a job on a node.

    Attributes:
        number: counts the attempts of the job from 1, on whatever nodes.
        repeats: the number of the attempt that this one makes good, or 0.
        slots: those of the node that it has to itself.
    """

    number: int
    job: Job
    node: Node
    command: str
    repeats: int = 0
    slots: Slots = ONE_SLOT

    @property
    def key(self) -> tuple[int, int]:
        """What tells attempts of a run apart: the job's id and the number."""
        return self.job.id, self.number


def printable(text: str) -> str:
    """Return a text with escapes for what breaks a line, commands a terminal, or is not seen."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
