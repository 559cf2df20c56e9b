"""What stands on the disk about a queue, read without pegasus, and what must hold of it."""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Job = tuple[str, tuple[tuple[str, str], ...]]

#: What may stand beside a queue file.
_KNOWN = {"queue.yaml", "consumed.yaml", ".pegasus", "below"}

#: What may stand in `.pegasus/<queue file>`, but for runs and logs.
_OWN = {"lock", "holder.json", "journal.lock", "journal.jsonl", "left", "logs", "runs"}


@dataclass(frozen=True)
class State:
    """A queue as it stands on the disk.

    Attributes:
        queue: the text of queue.yaml.
        consumed: the text of consumed.yaml; "" where there is none.
        taken: the jobs that the journal says are taken, by their ids.
    """

    queue: str
    consumed: str
    taken: dict[int, Job]

    @classmethod
    def of(cls, folder: Path) -> State:
        """Read it; whatever is torn fails an assertion."""
        queue = (folder / "queue.yaml").read_bytes().decode()
        path = consumed_path(folder)
        consumed = path.read_bytes().decode() if path.exists() else ""
        return cls(queue, consumed, taken(records(folder), folder))

    @property
    def queued(self) -> tuple[Job, ...]:
        return jobs_in(self.queue)

    def check(self, jobs: Counter[Job], old: str = "") -> None:
        """Assert that each of `jobs` is in the queue, or is consumed and taken.

        Args:
            old: how consumed.yaml begins, with jobs of other queues.
        """
        assert self.consumed.startswith(old)
        consumed = Counter(jobs_in(self.consumed.removeprefix(old)))
        assert consumed == Counter(self.taken.values()), "consumed.yaml and the journal differ"
        assert consumed + Counter(self.queued) == jobs, "some job is lost, or is there twice"


def consumed_path(folder: Path) -> Path:
    """Return where consumed.yaml is: below, if there is such a folder."""
    below = folder / "below"
    return (below if below.exists() else folder) / "consumed.yaml"


@functools.cache
def jobs_in(text: str) -> tuple[Job, ...]:
    """Return the jobs that stand in a queue file."""
    items = yaml.load(text, yaml.BaseLoader) or []
    assert isinstance(items, list)
    found: list[Job] = []
    for item in items:
        if isinstance(item, str):
            found.append((item, ()))
            continue
        heads = item.get("command", ())
        names = [name for name in item if name != "command" and not isinstance(item[name], dict)]
        combinations: list[tuple[tuple[str, str], ...]] = [()]
        for name in names:
            values = item[name] if isinstance(item[name], list) else [item[name]]
            combinations = [(*one, (name, value)) for one in combinations for value in values]
        for head in heads if isinstance(heads, list) else [heads]:
            found += [(head, one) for one in combinations]
    return tuple(found)


def records(folder: Path) -> list[dict[str, Any]]:
    """Return the records of the journal; a line that was cut off at the end is left out.

    So is one in whose place a power loss has left zeros, as some file systems do.
    """
    path = folder / ".pegasus" / "queue.yaml" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    found = [json.loads(line) for line in lines if b"\0" not in line]
    if found:
        assert found[0]["journal"] == "pegasus"
    return found[1:]


def commits(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes of the files that records tell of, without those that were undone."""
    undone = {one["commit"] for one in found if one["event"] == "undone"}
    made = [one for one in found if one["event"] in ("jobs_taken", "jobs_requeued")]
    return [one for one in made if one["commit"] not in undone]


def taken(found: list[dict[str, Any]], folder: Path) -> dict[int, Job]:
    """Return the jobs that are taken by what records say, by their ids."""
    held: dict[int, Job] = {}
    for one in commits(found):
        if (folder / f".queue.yaml.{one['commit']}.next").exists():
            continue
        for job in one["jobs"]:
            known = job["template"], tuple(job["params"].items())
            if one["event"] == "jobs_taken":
                assert job["job"] not in held, f"job {job['job']} was taken twice"
                held[job["job"]] = known
            else:
                assert held.pop(job["job"], None) == known, f"job {job['job']} was not taken"
    return held


def strays(folder: Path) -> list[str]:
    """Return the files that nobody knows."""
    paths = folder / "queue.yaml", consumed_path(folder)
    found = [name for place in {path.parent for path in paths} for name in os.listdir(place)]
    found = [name for name in found if name not in _KNOWN]
    for path in paths:
        own = path.parent / ".pegasus" / path.name
        if own.exists():
            found += [f"{own.name}/{one}" for one in os.listdir(own) if one not in _OWN]
    return found
