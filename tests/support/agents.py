"""An ssh-agent of a test's own, ended by its id."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path


class SshAgent:
    """A running ssh-agent.

    Attributes:
        path: its socket.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        """Start one whose socket lies in `directory`."""
        self.path = str(directory / "agent.sock")
        self._process = subprocess.Popen(
            ["ssh-agent", "-D", *options, "-a", self.path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not os.path.exists(self.path):
            assert time.monotonic() < deadline, "ssh-agent does not start"
            time.sleep(0.01)

    def add(self, *arguments: str) -> None:
        """Run ssh-add."""
        subprocess.run(
            ["ssh-add", "-q", *arguments],
            env={**os.environ, "SSH_AUTH_SOCK": self.path},
            stdin=subprocess.DEVNULL,
            check=True,
        )

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
