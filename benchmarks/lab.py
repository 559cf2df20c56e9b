"""Where experiments are made: an SSH server, projects, and the program as its users start it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from ordinary_user import UnavailableError, server_for_ordinary_user
from sshd import Sshd

from benchmarks import ROOT

#: Nobody is turned away, and the log, which nobody reads, is short.
_SERVER = "MaxStartups 2000\nMaxSessions 200\nLogLevel ERROR"

#: All names that begin with n are this one server.
_ALIASES = "Host n*\n    HostName {0.address}\n    Port {0.port}\n    User {0.user}\n"

#: Where projects keep their journal.
_JOURNAL = Path(".pegasus", "queue.yaml", "journal.jsonl")

#: How long a program may take that is watched, in seconds.
PATIENCE = 120

_PEGASUS = (sys.executable, "-c", "from pegasus.cli import main; main()")


@dataclass(frozen=True)
class Event:
    """Something the journal tells of: when, in seconds since the program was started, and what."""

    at: float
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A program that was run to its end.

    Attributes:
        wall: how long it took, in seconds.
        cpu: processor time of its own and of its children, in seconds.
        rss: the most memory that one of them had, in bytes. Where the process that started it had
            more by then, it is that.
        status: its exit status.
        output, errors: the files with what it has written.
    """

    directory: Path
    begun: float
    wall: float
    cpu: float
    rss: int
    status: int

    @property
    def output(self) -> Path:
        return self.directory / "output"

    @property
    def errors(self) -> Path:
        return self.directory / "errors"

    @cached_property
    def events(self) -> list[Event]:
        """What the journal tells; times are to the millisecond."""
        lines = (self.directory / _JOURNAL).read_text().splitlines()[1:]
        records = (json.loads(line) for line in lines)
        return [
            Event(datetime.fromisoformat(one["at"]).timestamp() - self.begun, one["event"], one)
            for one in records
        ]

    def times(self, kind: str) -> list[float]:
        """Return when there were events of a kind, in seconds since the start."""
        return [event.at for event in self.events if event.kind == kind]


class Lab:
    """What experiments share.

    Attributes:
        scratch: a directory for their files, which is removed in the end.
        times: how often each thing is to be repeated.
        notes: what whoever reads the results must know.
    """

    def __init__(self, times: int = 5) -> None:
        self.times = times
        self.notes: list[str] = []
        self.scratch = Path(tempfile.mkdtemp(prefix="pegasus-bench-"))
        self.scratch.chmod(0o755)  # The server's user must find its home in it.
        self._servers: list[Sshd] = []
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                process.wait()
        for server in self._servers:
            server.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @cached_property
    def sshd(self) -> Sshd:
        """The server that experiments have in common, on loopback."""
        return self.server()

    def server(self, address: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> Sshd:
        """Start one more server; it ends with the lab, if nobody ends it before.

        Its user has /bin/sh as login shell where that can be had: what others read when they
        start would hide everything else. Its `ssh_config` has each name that begins with n.

        Args:
            prefix: a command that executes the server, such as `ip netns exec NAME`.
        """
        directory = self.directory()
        directory.chmod(0o755)
        try:
            server = server_for_ordinary_user(directory, _SERVER, address, prefix)
        except UnavailableError as problem:
            self._note(f"The login shell is that of whoever runs this: {problem}.")
            server = Sshd(self.directory(), _SERVER, address, prefix)
        server.start()
        self._servers.append(server)
        config = Path(server.ssh_config)
        config.write_text(_ALIASES.format(server) + config.read_text())
        server.known_hosts.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
        return server

    def directory(self) -> Path:
        """Return a new directory."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def project(
        self,
        hosts: int | Iterable[str],
        commands: str | Iterable[str],
        server: Sshd | None = None,
        **settings: Any,
    ) -> Path:
        """Make a directory with hosts.yaml, queue.yaml and invoke.yaml.

        Args:
            hosts: names, or how many of n0, n1, … there are to be.
            commands: the entries of the queue, or its text.
            server: where the names lead; without it, to the one that is shared.
            settings: what stands under `pegasus:` in invoke.yaml.
        """
        directory = self.directory()
        names = [f"n{number}" for number in range(hosts)] if isinstance(hosts, int) else hosts
        text = commands if isinstance(commands, str) else _entries(commands)
        settings.setdefault("ssh_config", (server or self.sshd).ssh_config)
        (directory / "hosts.yaml").write_text(_entries(names))
        (directory / "queue.yaml").write_text(text)
        (directory / "invoke.yaml").write_text(json.dumps({"pegasus": settings}))  # JSON is YAML.
        return directory

    def start(
        self, directory: Path, *argv: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program; what it writes goes to the files `output` and `errors`.

        It ends with the lab, if nobody ends it before.
        """
        with (
            (directory / "output").open("wb") as output,
            (directory / "errors").open("wb") as errors,
        ):
            process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={**environment(), **(env or {})},
            )
        self._started.append(process)
        return process

    def run(
        self, directory: Path, *argv: str, env: Mapping[str, str] | None = None, status: int = 0
    ) -> Run:
        """Run a program to its end.

        Raises:
            FailedError: it ends with another status than it should.
        """
        begun, begin = time.time(), time.perf_counter()
        process = self.start(directory, *argv, env=env)
        _, ended, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(ended)
        cpu = usage.ru_utime + usage.ru_stime
        run = Run(directory, begun, wall, cpu, usage.ru_maxrss * 1024, process.returncode)
        if run.status != status:
            raise FailedError(f"{argv[0]}: exit status {run.status}\n{_last_of(run.errors)}")
        return run

    def watch(
        self, directory: Path, *argv: str, env: Mapping[str, str] | None = None
    ) -> list[tuple[float, bytes]]:
        """Run a program to its end; return the lines that it has written, and when each came.

        Raises:
            FailedError: it ends with another status than 0, or takes longer than PATIENCE.
        """
        with subprocess.Popen(
            ["timeout", str(PATIENCE), *argv],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment(), **(env or {})},
        ) as process:
            try:
                lines = [(time.monotonic(), line) for line in process.stdout or ()]
            except BaseException:
                process.terminate()  # `timeout` passes it on.
                raise
        if process.returncode:
            raise FailedError(f"{argv[0]}: exit status {process.returncode}")
        return lines

    def start_pegasus(self, project: Path, *words: str) -> subprocess.Popen[bytes]:
        """Start `pegasus` with these words in a project, for as long as it lives."""
        return self.start(project, *_PEGASUS, *words)

    def pegasus(self, project: Path, *words: str, status: int = 0) -> Run:
        """Run `pegasus` with these words in a project, to its end."""
        return self.run(project, *_PEGASUS, *words, status=status)

    def peer(self, name: str) -> str | None:
        """Return where a program is that others have made, if it is installed."""
        return shutil.which(name)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class FailedError(Exception):
    """A program has not done what it should."""


def environment() -> dict[str, str]:
    """Return the environment of programs: this pegasus, and nothing that changes how Python runs.

    Without its cache of compiled modules, or with streams that aren't buffered, it would be
    another program than the one that people use.
    """
    unwanted = ("PYTHON", "INVOKE_", "PEGASUS_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "PYTHONPATH": str(ROOT)}


def processor_time(pid: int) -> float:
    """Return what a process has spent on processors, and its children that have ended, in s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Return the memory that a process occupies, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _entries(items: Iterable[str]) -> str:
    return "".join(f"- {item}\n" for item in items)


def _last_of(path: Path) -> str:
    return path.read_text(errors="replace")[-2000:]
