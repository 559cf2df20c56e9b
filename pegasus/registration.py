"""A run among the others of its queue file: its lease, its beginning and its end in the journal.

Whoever begins finds out which runs have died, since these could not say so themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pegasus.control.lease import Lease, is_alive, living
from pegasus.control.record import Record
from pegasus.errors import BusyError
from pegasus.events import RunStarted
from pegasus.journal.describing import describe
from pegasus.journal.file import Journal, JournalReader
from pegasus.journal.history import History, JobState
from pegasus.journal.records import RUN_DIED, RUN_ENDED, RUN_STARTED, record
from pegasus.locking import user
from pegasus.model import ONE_SLOT, Job, Node
from pegasus.nodesets import fold
from pegasus.settings import Settings, plain

BROADCAST = "broadcast"


class Registration:
    """One run's; `enter` it while the lock of the queue file is held.

    Args:
        folder: where the records of runs are, `.pegasus/<queue file name>/runs`.
        run: what others are to know of the run.
        journal: the queue's.
    """

    def __init__(self, folder: Path, run: Record, journal: Journal) -> None:
        self._folder = folder
        self._run = run
        self._journal = journal
        self._lease: Lease | None = None
        self.notices: list[str] = []
        """What people should know of the last run and of others that are on; set by `enter`."""

    def enter(self, settings: Settings, nodes: Sequence[Node]) -> dict[str, list[Job]]:
        """Have the run known to all others.

        Returns:
            The jobs that runs which have died had taken and not brought to an end, by run.

        Raises:
            BusyError: another run stands in the way; nothing was done.
            StorageError: the journal can't be written.
            JournalError: it is of another version.
        """
        others = living(self._folder)
        if not settings.force:
            self._refuse_beside(others, settings)
        dead = self._dead(others, nodes)
        interrupted = self._interrupted(dead)
        self._lease = Lease.take(self._folder, self._run)
        try:
            self._journal.append(
                *(record(RUN_DIED, run) for run in dead),
                describe(self.beginning(settings, nodes)).record(self._run.id),
                sync=True,
            )
        except BaseException:
            self._lease.release()
            self._lease = None  # There is nothing to leave.
            raise
        return interrupted

    def beginning(self, settings: Settings, nodes: Sequence[Node]) -> RunStarted:
        """Return the event of the run's beginning."""
        run = self._run
        values = plain(settings)
        return RunStarted(run.id, run.mode, run.pid, run.host, user(), values, tuple(nodes))

    def leave(self, exit_status: int, interrupted: int | None) -> None:
        """Say that the run has ended, and how.

        Raises:
            StorageError: the journal can't be written; the run then seems to have died.
        """
        if self._lease is None:
            return
        try:
            self._journal.append(
                record(RUN_ENDED, self._run.id, exit_status=exit_status, interrupted=interrupted),
                sync=True,
            )
        finally:
            self._lease.release()

    def _refuse_beside(self, others: Sequence[Record], settings: Settings) -> None:
        """Have every command of a broadcast reach every node: no other run must take any."""
        for other in others:
            if BROADCAST in (other.mode, self._run.mode):
                raise BusyError(
                    f"{other} on {other.host} is using {settings.queue_file}, and the commands"
                    " that a broadcast takes are for every node; wait for its end, end it"
                    " (inv stop), or say --force"
                )

    def _dead(self, others: Sequence[Record], nodes: Sequence[Node]) -> list[str]:
        """Return the runs that have begun and not ended, and are not alive."""
        on: dict[str, Mapping[str, object]] = {}
        last: Mapping[str, object] = {}
        for line in JournalReader(self._journal.folder, RUN_STARTED, RUN_ENDED, RUN_DIED).read():
            run = str(line.get("run"))
            if line["event"] == RUN_STARTED:
                on[run] = last = line
            else:
                on.pop(run, None)
        beside = [shared(other.id, on.get(other.id, {}), nodes) for other in others]
        self.notices = [*filter(None, [renamed(last, nodes), *beside])]
        alive = {other.id for other in others}
        return [run for run in on if run not in alive and not is_alive(self._folder, run)]

    def _interrupted(self, dead: Sequence[str]) -> dict[str, list[Job]]:
        if not dead:
            return {}
        history = History(self._journal.folder, lambda run: run not in dead)
        history.catch_up()
        found: dict[str, list[Job]] = {run: [] for run in dead}
        for job in history.jobs.values():
            if job.run in found and history.state(job) is JobState.INTERRUPTED:
                found[job.run].append(job.job)
        return found


def renamed(last: Mapping[str, object], nodes: Sequence[Node]) -> str:
    """Return what to say where `slots` in hosts.yaml was a parameter in the last run, or "".

    Args:
        last: the record of its beginning.
        nodes: those of this run.
    """
    had = {str(one.get("host")) for one in _nodes(last) if "slots" in (one.get("params") or ())}
    now = [node for node in nodes if node.host.text in had and node.slots != ONE_SLOT.indices]
    if not now:
        return ""
    return (
        f"in hosts.yaml, `slots` was a parameter of {now[0].host.text} when the last run began;"
        " now it says which slots a node has, and jobs are given one each (docs/slots.md)."
        " Where a parameter is meant, call it something else, there and in the commands"
    )


def shared(run: str, begun: Mapping[str, object], nodes: Sequence[Node]) -> str:
    """Return what to say where another run gives slots of the same nodes, or "".

    Args:
        run: the id of the other run.
        begun: the record of its beginning.
        nodes: those of this run.
    """
    theirs = {str(one.get("host")) for one in _nodes(begun)}
    ours = [node for node in nodes if node.slots != ONE_SLOT.indices or node.has_gpus]
    both = [node for node in ours if node.host.text in theirs]
    if not both:
        return ""
    return (
        f"run {run} is on {fold(both)}, too, and may give the same slots: runs don't know which"
        " ones others have given. --limit or --exclude part the nodes (docs/slots.md)"
    )


def _nodes(begun: Mapping[str, object]) -> list[Mapping[str, Any]]:
    nodes = begun.get("nodes")
    return [one for one in nodes if isinstance(one, dict)] if isinstance(nodes, list) else []
