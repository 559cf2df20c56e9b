"""The journal of a long run that never was: jobs of a training, on nodes of which one breaks."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

from pegasus.journal import records
from pegasus.journal.file import Journal
from pegasus.journal.logs import log_path, logs_folder
from pegasus.journal.records import job_fields, node_fields
from pegasus.locking import FileLock
from pegasus.model import Host, Job, Node, Params

RUN = "5f0c91ab"
BEGIN = datetime(2024, 3, 12, 9, 30, tzinfo=timezone(timedelta(hours=1)))
#: Seconds that a training takes by its model, for a batch of 16.
MODELS = {"opt-13b": 240.0, "opt-30b": 520.0, "opt-66b": 1100.0}
TEMPLATE = "python train.py --model {{ model }} --lr {{ lr }} --bs {{ bs }} --seed {{ seed }}"


class LongRun:
    """Writes it beside a queue file.

    Args:
        directory: of the queue file.
        jobs, nodes: how many.
        seed: of all that is by chance; the same seed is the same run.
    """

    def __init__(self, directory: Path, jobs: int, nodes: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._jobs = jobs
        self._nodes = [
            Node(index, Host(name := f"node-{index // 2 + 1:02}", name), (("gpu", str(index % 2)),))
            for index in range(nodes)
        ]
        self._told: list[tuple[datetime, dict[str, Any]]] = []
        self.queue_file = directory / "queue.yaml"
        self.queue_file.touch()
        self.folder = FileLock.of(self.queue_file).folder
        logs_folder(self.folder).mkdir(parents=True)

    def write(self) -> Path:
        """Write the journal and some logs; return the queue file."""
        fields = {"mode": "queue", "pid": 4711, "host": "desk", "user": "me", "settings": {}}
        self._tell(BEGIN, records.RUN_STARTED, **fields, nodes=[*map(node_fields, self._nodes)])
        for node in self._nodes:
            self._tell(BEGIN, records.NODE_CONNECTED, node=node.label, index=node.index)
        end = self._work()
        self._tell(end, records.RUN_ENDED, exit_status=5, interrupted=None)
        self._told.sort(key=lambda item: item[0])
        Journal(self.folder).append(*(one for _, one in self._told))
        return self.queue_file

    def _tell(self, at: datetime, event: str, **fields: Any) -> None:
        told = {"event": event, "at": at.isoformat(timespec="milliseconds"), "run": RUN, **fields}
        self._told.append((at, told))

    def _work(self) -> datetime:
        """Have each free node take the next job; return when the last one has ended."""
        free = [(BEGIN + timedelta(seconds=node.index % 7), node.index) for node in self._nodes]
        heapq.heapify(free)
        end = BEGIN
        for number, params in enumerate(islice(self._params(), self._jobs), 1):
            at, index = heapq.heappop(free)
            ended = self._run(Job(TEMPLATE, params, id=number), self._nodes[index], at)
            end = max(end, ended)
            heapq.heappush(free, (ended + timedelta(seconds=0.4), index))
        return end

    def _params(self) -> Iterator[Params]:
        for seed in cycle(range(1, 1000)):
            for model, lr, bs in product(MODELS, ("1e-4", "3e-4", "1e-3"), ("8", "16", "32", "64")):
                yield ("model", model), ("lr", lr), ("bs", bs), ("seed", str(seed))

    def _run(self, job: Job, node: Node, at: datetime) -> datetime:
        params = dict(job.params)
        seconds = MODELS[params["model"]] * (16 / int(params["bs"])) ** 0.6
        seconds *= self._random.lognormvariate(0, 0.18)
        ending, seconds = self._ending(params, seconds)
        taken = {**job_fields(job)}
        self._tell(at, records.JOBS_TAKEN, commit=f"{job.id:08x}", jobs=[taken], consumed={})
        about = {"job": job.id, "attempt": 1}
        where = {"node": node.label, "index": node.index, "repeats": 0}
        command = "python train.py " + " ".join(f"--{key} {value}" for key, value in job.params)
        self._tell(at, records.ATTEMPT_STARTED, **about, **where, command=command)
        ended = at + timedelta(seconds=seconds)
        size = self._random.randrange(2000, 90_000)
        output = {"stdout": size, "stderr": 210 if ending["outcome"] != "succeeded" else 0}
        fields = {**ending, "detail": "", "unlogged": 0, "again": False, **output}
        self._tell(ended, records.ATTEMPT_ENDED, **about, **fields)
        for stream in ("out", "err") if output["stderr"] else ("out",):
            log_path(self.folder, job.id, 1, stream).write_text(f"what job {job.id} has written\n")
        return ended

    def _ending(self, params: dict[str, str], seconds: float) -> tuple[dict[str, Any], float]:
        chance = self._random.random()
        if params["model"] == "opt-66b" and params["bs"] == "64":
            return {"outcome": "failed", "exit_status": 1, "exit_signal": None}, 22 + 9 * chance
        if chance < 0.02:
            return {"outcome": "timed out", "exit_status": None, "exit_signal": None}, 3600.0
        if chance < 0.035:
            killed = {"outcome": "signalled", "exit_status": None, "exit_signal": "KILL"}
            return killed, seconds / 2
        return {"outcome": "succeeded", "exit_status": 0, "exit_signal": None}, seconds
