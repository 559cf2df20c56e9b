"""Programs that run commands on many hosts by `ssh`: how each is told what to do, at its best.

`ssh` itself can keep connections, for programs that don't: `persistent` is a configuration by
which it does. It has a socket a name, so the names of the one server here are as many hosts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks import original
from benchmarks.lab import FailedError, Lab

#: How many hosts are worked on at a time, at most.
FANOUT = 64

_PERSISTENT = """\
Host *
    ControlMaster auto
    ControlPersist 900
    ControlPath {directory}/%n
"""

#: From the client's configuration and the names to the command line.
CommandLine = Callable[[str, list[str]], list[str]]


def clush(config: str, names: list[str]) -> list[str]:
    """ClusterShell: `clush`."""
    return ["clush", "-f", str(FANOUT), "-o", f"-F {config}", "-w", ",".join(names), "echo hi"]


def pdsh(config: str, names: list[str]) -> list[str]:
    """`pdsh`; it has the options of ssh from the environment alone."""
    told = f"PDSH_SSH_ARGS_APPEND=-F {config}"
    words = ["pdsh", "-R", "ssh", "-f", str(FANOUT), "-w", ",".join(names), "echo hi"]
    return ["env", told, *words]


def pssh(config: str, names: list[str]) -> list[str]:
    """`parallel-ssh` of the package pssh: -i shows the output."""
    hosts = [word for name in names for word in ("-H", name)]
    return ["parallel-ssh", "-i", "-p", str(FANOUT), "-x", f"-F {config}", *hosts, "echo hi"]


#: What runs one command on all hosts and ends, by the name of its program.
BROADCASTERS: dict[str, CommandLine] = {"clush": clush, "pdsh": pdsh, "pssh": pssh}

#: The programs that are not called as they are known; parallel-ssh is a library, too.
_PROGRAMS = {"pssh": "parallel-ssh"}


def is_there(lab: Lab, name: str) -> bool:
    """Return whether one of them is installed."""
    return lab.peer(_PROGRAMS.get(name, name)) is not None


def broadcast(lab: Lab, program: str, nodes: int, config: str = "") -> float:
    """Have a program run `echo hi` on so many hosts; return the seconds it took.

    Raises:
        FailedError: not all of them have said it.
    """
    names = [f"n{number}" for number in range(nodes)]
    argv = BROADCASTERS[program](config or lab.sshd.ssh_config, names)
    run = lab.run(lab.directory(), *argv)
    said = sum(line.split()[-1:] == ["hi"] for line in run.output.read_text().splitlines())
    if said != nodes:
        raise FailedError(f"{program}: {said} of {nodes} nodes have answered")
    return run.wall


class Persistent:
    """A configuration by which `ssh` keeps its connections, until `close`.

    Attributes:
        config: its path.
    """

    def __init__(self, lab: Lab) -> None:
        self._directory = lab.directory()
        self.config = str(self._directory / "config")
        text = _PERSISTENT.format(directory=self._directory) + Path(lab.sshd.ssh_config).read_text()
        Path(self.config).write_text(text)

    def close(self) -> None:
        """End the connections."""
        for socket in self._directory.glob("n*"):
            words = ["ssh", "-F", self.config, "-O", "exit", socket.name]
            subprocess.run(words, capture_output=True, check=False)


def parallel(lab: Lab, nodes: int, jobs: int) -> list[float]:
    """Have GNU parallel run jobs, one at a time on each of so many hosts; return when each ended.

    With -M it keeps a connection to each host. What it finds out of hosts it remembers in its home,
    which is the lab's. Its jobs say that they have been run: its own log has some twice with -M.

    Raises:
        FailedError: not all of them have been run, or one has failed.
    """
    directory = lab.directory()
    (directory / "hosts").write_text("".join(f"n{number}\n" for number in range(nodes)))
    (directory / "jobs").write_text("true && echo done\n" * jobs)
    words = ["parallel", "--will-cite", "-M", "-j1", "--slf", "hosts", "-a", "jobs"]
    # With -M, `--ssh 'ssh -F FILE'` would be taken for one word, and no master be started.
    reaching = original.environment(lab)
    lines = lab.watch(directory, *words, env={**reaching, "HOME": str(lab.scratch)})
    ends = [at for at, line in lines if line == b"done\n"]
    if len(ends) != jobs:
        raise FailedError(f"GNU parallel: {len(ends)} of {jobs} jobs have been run")
    return ends
