"""The other shell's end: finds the runs of a queue and tells them what to do."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pegasus.control import protocol, record
from pegasus.control.liveness import reach
from pegasus.control.record import Record, read_all
from pegasus.errors import StopError

#: How long a run may take to answer, in seconds. One that lives needs no more than a moment.
PATIENCE = 10.0
#: The longest answer, in bytes.
LIMIT = 16 * 1024 * 1024


class Command(NamedTuple):
    """A running command, as its run tells it: the job's id, the node, the first line."""

    job: int
    node: str
    text: str

    def __str__(self) -> str:
        return f"{self.job}: [{self.node}] {self.text}"


@dataclass(frozen=True)
class Answer:
    """What a run said.

    Attributes:
        run: who.
        ok: whether it did what it was told; if not, it does not have that job, or such nodes.
        running: the commands that ran when it was told.
        changed: whether that was not so already.
        nodes: the labels of those that are drained now, or are not any more.
        why: more of why it did not do it, or "".
    """

    run: Record
    ok: bool
    running: tuple[Command, ...]
    changed: bool = True
    nodes: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Report:
    """What came of telling all runs of a queue: their answers, and why others gave none."""

    answers: tuple[Answer, ...]
    troubles: tuple[str, ...]

    @property
    def told(self) -> tuple[Answer, ...]:
        """The answers of the runs that did what they were told."""
        return tuple(answer for answer in self.answers if answer.ok)


def tell_all(folder: Path, do: str, job: int | None = None, nodes: str = "") -> Report:
    """Tell all runs whose records are in `folder` to do something; see `tell`.

    Raises:
        StorageError: the folder can't be read.
    """
    answers: list[Answer] = []
    troubles: list[str] = []
    for run in read_all(folder):
        try:
            answer = tell(folder, run, do, job, nodes)
        except StopError as error:
            troubles.append(str(error))
        else:
            answers += [answer] if answer else []
    return Report(tuple(answers), tuple(troubles))


def tell(
    folder: Path, run: Record, do: str, job: int | None = None, nodes: str = ""
) -> Answer | None:
    """Have a run do something, and return what it says; None where it has ended.

    What a run of this machine that has ended left behind is removed.

    Args:
        folder: where the run's record is.
        do: what, as the table in `pegasus.control` has it.
        job: the id of the job that is meant.
        nodes: an expression for the nodes that are meant.

    Raises:
        StopError: it can't be told, or did not answer; the message says which and what to do.
    """
    if run.version != record.VERSION:
        raise StopError(f"{run} is of another version of pegasus; tell it with that one")
    request = _request(run, do, job, nodes)
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            if not reach(connection, folder, run, PATIENCE):
                return None
            connection.sendall(request)
            line = protocol.read_line(connection, LIMIT, PATIENCE)
        except (TimeoutError, BlockingIOError):
            raise StopError(
                f"{run} does not answer; perhaps it is stopped (Ctrl-Z), and will when it goes on"
            ) from None
        except ConnectionError:
            return None
    return _answer(run, line) if line else None


def _request(run: Record, do: str, job: int | None, nodes: str) -> bytes:
    request: dict[str, object] = {"version": protocol.VERSION, "run": run.id, "do": do}
    if job is not None:
        request["job"] = job
    if nodes:
        request["nodes"] = nodes
    line = protocol.encode(request)
    if len(line) > protocol.LIMIT:
        raise StopError("the expression for the nodes is too long; write it with wildcards")
    return line


def _answer(run: Record, line: bytes) -> Answer:
    try:
        said = protocol.decode(line)
        if said["version"] != protocol.VERSION or said["run"] != run.id:
            raise ValueError("of another run or version")
        running = tuple(
            Command(int(one["job"]), str(one["node"]), str(one["command"]))
            for one in said["running"]
        )
        error = "" if said["ok"] else str(said["error"])
        nodes = tuple(map(str, said.get("nodes", ())))
    except (ValueError, LookupError, TypeError) as problem:
        raise StopError(f"{run} does not answer as a run of this version does") from problem
    if error.startswith(protocol.UNKNOWN):
        raise StopError(f"{run} is of an older pegasus, which can't be told this")
    if error and error not in (protocol.NO_SUCH_JOB, protocol.NO_SUCH_NODE):
        raise StopError(f"{run} refuses: {error}")
    changed = said.get("changed") is not False
    return Answer(run, not error, running, changed, nodes, str(said.get("why", "")))
