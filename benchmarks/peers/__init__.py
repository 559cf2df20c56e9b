"""What pegasus is compared with, and how it is asked.

What is a library is used by a program of this package, one a library, at its best settings: in a
process of its own, so that its time and memory are its own. What it does is a function with
numbers for arguments, such as `queue 16 1000`; it returns numbers, which are printed as JSON.

    python -m benchmarks.peers.raw_paramiko queue 16 1000

What is a program is in command_lines.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.lab import Lab, Run

#: The environment variable with the server, as JSON.
_SERVER = "BENCH_SERVER"

#: What a peer has measured: units are in the names.
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """Where a peer connects to: a server, and the files with the keys."""

    host: str
    port: int
    user: str
    key: str
    known_hosts: str
    ssh_config: str


def missing(module: str) -> str | None:
    """Return why a peer can't be asked that uses this module, if it can't."""
    if importlib.util.find_spec(module):
        return None
    return f"{module} is not installed (pip install -e '.[bench]')"


def ask(lab: Lab, peer: str, deed: str, *sizes: int) -> tuple[Numbers, Run]:
    """Have a program of this package do something; return what it tells, and its run."""
    sshd = lab.sshd
    key = str(sshd.directory / "client_key")
    server = Server(sshd.address, sshd.port, sshd.user, key, str(sshd.known_hosts), sshd.ssh_config)
    argv = [sys.executable, "-m", f"benchmarks.peers.{peer}", deed, *map(str, sizes)]
    run = lab.run(lab.directory(), *argv, env={_SERVER: json.dumps(asdict(server))})
    numbers: Numbers = json.loads(run.output.read_text().splitlines()[-1])
    return numbers, run


def answer(*deeds: Callable[..., Numbers]) -> None:
    """Do what the command line says, in a program of this package."""
    name, *sizes = sys.argv[1:]
    server = Server(**json.loads(os.environ[_SERVER]))
    deed = next(deed for deed in deeds if deed.__name__ == name)
    print(json.dumps(deed(server, *map(int, sizes))))


def own_cpu() -> float:
    """Return the processor time that this process has used, in seconds."""
    used = os.times()
    return used.user + used.system
