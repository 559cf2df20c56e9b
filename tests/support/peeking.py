"""A look at the first jobs of a queue file, for tests."""

from __future__ import annotations

from pegasus.files.queuefile import QueueFile
from pegasus.model import Job


def peek(queue: QueueFile, count: int) -> list[Job]:
    """Return the first `count` jobs, or as many as there are; for errors see `QueueFile.look`."""
    queue.look()
    return queue.jobs_at(range(count))
