"""A journal as runs write it, told step by step, and what a history makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pegasus.journal import records
from pegasus.journal.file import Journal
from pegasus.journal.history import History, JobState
from pegasus.journal.records import job_fields, node_fields, record
from pegasus.locking import FileLock
from pegasus.model import Host, Job, Node, Options

RUN, OTHER = "0000000a", "0000000b"
NODES = [Node(index, Host(name, name)) for index, name in enumerate(["gpu-1", "gpu-2", "gpu-3"])]


class Story:
    """Writes a journal as runs would, and reads what it tells."""

    def __init__(self, directory: Path) -> None:
        self.queue_file = directory / "queue.yaml"
        self.queue_file.touch()
        self.journal = Journal(FileLock.of(self.queue_file).folder)
        self.alive = {RUN}
        self.asked: list[str] = []
        self.history = History(self.journal.folder, self._is_alive)
        self._commits = 0

    def _is_alive(self, run: str) -> bool:
        self.asked.append(run)
        return run in self.alive

    def tell(self, event: str, run: str = RUN, **fields: Any) -> None:
        self.journal.append(record(event, run, **fields))

    def begin(self, run: str = RUN, mode: str = "queue") -> None:
        nodes = [node_fields(node) for node in NODES]
        self.tell(
            records.RUN_STARTED,
            run,
            mode=mode,
            pid=7,
            host="here",
            user="me",
            settings={"daemon": False},
            nodes=nodes,
        )

    def end(self, run: str = RUN, status: int = 0, interrupted: int | None = None) -> None:
        self.tell(records.RUN_ENDED, run, exit_status=status, interrupted=interrupted)
        self.alive.discard(run)

    def commit(self, event: str, *jobs: Job, run: str = RUN, **more: Any) -> str:
        self._commits += 1
        mark = f"{self._commits:08x}"
        consumed = {"path": "consumed.yaml", "size": 0, "inode": None}
        fields = [job_fields(job) for job in jobs]
        self.tell(event, run, commit=mark, jobs=fields, consumed=consumed, **more)
        return mark

    def take(self, number: int, *, run: str = RUN, attempts: int = 0) -> str:
        return self.commit(records.JOBS_TAKEN, job(number, attempts), run=run)

    def put_back(self, number: int, *, attempts: int = 0, run: str = "") -> str:
        return self.commit(records.JOBS_REQUEUED, job(number, attempts), run=run, why="retry")

    def start(self, number: int, attempt: int = 1, node: int = 0, repeats: int = 0) -> None:
        self.tell(
            records.ATTEMPT_STARTED,
            job=number,
            attempt=attempt,
            node=NODES[node].label,
            index=node,
            command=f"run {number}",
            repeats=repeats,
        )

    def finish(
        self, number: int, outcome: str = "succeeded", attempt: int = 1, *, again: bool = False
    ) -> None:
        self.tell(
            records.ATTEMPT_ENDED,
            job=number,
            attempt=attempt,
            outcome=outcome,
            exit_status=0 if outcome == "succeeded" else 3 if outcome == "failed" else None,
            exit_signal="SEGV" if outcome == "signalled" else None,
            detail="it says",
            started="2024-01-01T00:00:00.000+00:00",
            stdout=11,
            stderr=22,
            unlogged=33,
            again=again,
        )

    def states(self) -> dict[int, JobState]:
        self.history.catch_up()
        told = {number: self.history.state(job) for number, job in self.history.jobs.items()}
        assert told == self.anew()
        return told

    def anew(self) -> dict[int, JobState]:
        """What somebody sees who reads all of it now."""
        history = History(self.journal.folder, lambda run: run in self.alive)
        history.catch_up()
        return {number: history.state(job) for number, job in history.jobs.items()}

    def state(self, number: int = 1) -> JobState:
        return self.states()[number]


def job(number: int, attempts: int = 0) -> Job:
    return Job(
        f"run {number}",
        (("x", str(number)),),
        Options(written=(("retries", "1"),)),
        id=number,
        attempts=attempts,
    )
