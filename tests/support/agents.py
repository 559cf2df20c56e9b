"""An ssh-agent of a test's own, ended by its id."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from project import wait_until


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
        wait_until(self._listens, "ssh-agent")

    def _listens(self) -> bool:
        """Whether it takes connections, which it does a moment after its socket is there."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.path) == 0

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
