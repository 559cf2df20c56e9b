"""Processes of jobs, as the system sees them."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from project import wait_until


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False


def kill(pid: int) -> None:
    """Kill a process that may have ended by itself since it was seen."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Tree:
    """A job's processes: its shell, a child in the foreground and one in the background.

    All of them note their ids in a directory, and live until they are ended.

    Attributes:
        command: what the job is to run.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        note = f"echo $$ >{directory}"
        self.command = (
            f"readlink /proc/$$/exe >{directory}/exe; "
            f"sh -c '{note}/background; exec sleep 1000' & "
            f"{note}/shell; sh -c '{note}/foreground; sleep 1000; :'; :"
        )

    def wait(self) -> None:
        """Wait until all have begun."""
        names = ("background", "shell", "foreground")
        wait_until(lambda: all(self._read(name).endswith("\n") for name in names), "a job's tree")

    @property
    def shell(self) -> str:
        """The name of the program that ran the job."""
        return Path(self._read("exe").strip()).name

    @property
    def alive(self) -> list[int]:
        """The ids of those that run."""
        pids = [int(self._read(name)) for name in ("shell", "foreground", "background")]
        return [pid for pid in pids if is_alive(pid)]

    def end(self) -> None:
        """End what a failed test left."""
        for name in ("shell", "foreground", "background"):
            text = self._read(name)
            if text:
                kill(int(text))

    def _read(self, name: str) -> str:
        path = self._directory / name
        return path.read_text() if path.exists() else ""


def path_with_sh(directory: Path, shell: str) -> str:
    """Return a PATH on which `sh` is `shell`, from a directory that is made for it."""
    binary = shutil.which(shell)
    assert binary is not None, f"install {shell}: jobs are run with it here"
    directory.mkdir()
    (directory / "sh").symlink_to(binary)
    return f"{directory}:{os.environ['PATH']}"
