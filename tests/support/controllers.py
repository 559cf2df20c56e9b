"""Whole runs of `inv queue` over fake connections, which note what they run."""

from __future__ import annotations

import io
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pegasus import runs
from pegasus.events import Sink
from pegasus.model import Node
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.ssh.fake import Act, FakeHosts


class Executed:
    """A file outside of the queue's folder, with the commands that were run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(b"")

    def note(self, command: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, command.encode() + b"\n")
        os.close(descriptor)

    def count(self) -> Counter[str]:
        return Counter(self._path.read_text().splitlines())


def run_queue(
    folder: Path,
    executed: Executed,
    *,
    retries: int = 0,
    longest: float = 0.0,
    nodes: int = 4,
    on_command: Callable[[str], object] = lambda _: None,
    listener: Sink = lambda _: None,
) -> RunResult:
    """Run the queue in a folder; what a command says of itself is what happens to it.

    Args:
        retries: how many times what fails is run again.
        longest: how long a command runs at most, in seconds; the time is random.
        on_command: is called while a command runs.
        listener: hears what happens.
    """
    chance = random.Random(os.getpid())
    refused: set[str] = set()

    def act(node: Node, command: str) -> Act:
        if "never starts" in command and command not in refused:
            refused.add(command)
            return Act.never_starts()
        executed.note(command)
        on_command(command)
        time.sleep(chance.random() * longest)
        return Act.exits(3) if "fails" in command else Act.prints(command)

    hosts = folder.with_name(f"hosts-{os.getpid()}.yaml")  # Nobody else's.
    hosts.write_text("".join(f"- node-{n}\n" for n in range(nodes)))
    sys.stdout = sys.stderr = io.StringIO()
    fakes = FakeHosts(act)
    runs.connector_of = lambda settings: fakes.connect  # type: ignore[assignment]
    settings = Settings(
        queue_file=str(folder / "queue.yaml"),
        hosts_file=str(hosts),
        retries=retries,
        reconnect_for=60,
    )
    return runs.queue(settings, [listener])
