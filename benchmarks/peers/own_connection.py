"""pegasus' own connection without all that is around it: no queue, journal or output."""

from __future__ import annotations

import time

from benchmarks.peers import Numbers, Server, answer, own_cpu
from pegasus.model import Host, Node, Outcome
from pegasus.ssh.base import Cancellation
from pegasus.ssh.connect import connector


def in_turn(server: Server, commands: int) -> Numbers:
    """Run so many commands on one node, one after another."""
    connection = connector(ssh_config=server.ssh_config)(Node(0, Host("n0", "n0")))
    connection.open()
    done = 0
    begin, before = time.perf_counter(), own_cpu()
    for _ in range(commands):
        ending = connection.attempt("true", lambda stream, data: None, Cancellation())
        done += ending.outcome is Outcome.SUCCEEDED
    seconds, cpu = time.perf_counter() - begin, own_cpu() - before
    connection.close()
    return {"seconds": seconds, "cpu": cpu, "done": done}


if __name__ == "__main__":
    answer(in_turn)
