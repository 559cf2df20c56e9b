"""What nodes cost while their commands run and say nothing.

A broadcast of `sleep` on many connections to one sshd on loopback, and the same on a single one.
Only pegasus' own process is measured, once all commands run: its processor time as a share of
one core, and its resident memory beyond that of the run with one node.

    python benchmarks/idle_nodes.py [--nodes 256] [--seconds 60]

It needs an OpenSSH server and /proc. Everything it makes lies in a temporary directory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from sshd import Sshd  # noqa: E402 - the path comes first

#: What the project promises for 256 nodes: per cent of a core, and megabytes.
MOST_CPU, MOST_MEMORY = 5.0, 100.0

#: How long what the start has stirred up may take to settle, in seconds.
SETTLING = 5.0

_TICKS = os.sysconf("SC_CLK_TCK")
_RUN = "from pegasus.cli import main; main()"


def main() -> int:
    """Measure, print JSON and a table; return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pegasus-idle-") as name:
        directory = Path(name)
        # Each run has connections of its own; none may be turned away.
        server = Sshd(directory, f"MaxStartups {options.nodes + 10}")
        server.start()
        try:
            one = measure(server, 1, options.seconds)
            many = measure(server, options.nodes, options.seconds)
        finally:
            server.stop()
    return report(options.nodes, options.seconds, one, many)


def measure(server: Sshd, nodes: int, seconds: float) -> dict[str, float]:
    """Run `sleep` on so many nodes; return what that costs while all of them sleep."""
    directory = Path(tempfile.mkdtemp(dir=server.directory))
    (directory / "hosts.yaml").write_text("- node-1\n" * nodes)
    (directory / "queue.yaml").write_text("- sleep 3600\n")
    begun = server.log.read_text().count("Starting session")
    command = [sys.executable, "-c", _RUN, "broadcast", "--ssh-config", server.ssh_config]
    with (directory / "output").open("wb") as output:
        run = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    start = time.monotonic()
    try:
        while server.log.read_text().count("Starting session") < begun + nodes:
            if run.poll() is not None:
                raise SystemExit((directory / "output").read_text())
            time.sleep(0.1)
        connecting = processor_time(run.pid)
        begin = time.monotonic() - start
        time.sleep(SETTLING)
        before, since = processor_time(run.pid), time.monotonic()
        time.sleep(seconds)
        spent = processor_time(run.pid) - before
        return {
            "seconds_until_all_run": round(begin, 2),
            "cpu_seconds_until_all_run": round(connecting, 2),
            "cpu_percent": round(100 * spent / (time.monotonic() - since), 2),
            "memory_mb": round(resident(run.pid), 1),
        }
    finally:
        run.kill()
        run.wait()


def processor_time(pid: int) -> float:
    """Return the seconds that the threads of a process have spent on a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> float:
    """Return the memory that a process occupies, in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def report(nodes: int, seconds: float, one: dict[str, float], many: dict[str, float]) -> int:
    """Print both results; return the exit status."""
    extra = round(many["memory_mb"] - one["memory_mb"], 1)
    result = {"nodes": nodes, "seconds": seconds, "one": one, "many": many, "extra_mb": extra}
    print(json.dumps(result, indent=2))
    print(f"\n{'':26}{1:>10}{nodes:>10}")
    for name in one:
        print(f"{name:26}{one[name]:>10}{many[name]:>10}")
    print(f"{'memory beyond one node':26}{'':10}{extra:>10}")
    return int(many["cpu_percent"] > MOST_CPU or extra > MOST_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
