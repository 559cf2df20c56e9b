"""Rounds with parallel-ssh, which is made of libssh2 and gevent, and keeps its connections."""

from __future__ import annotations

from pssh.clients import ParallelSSHClient

from benchmarks.peers import Numbers, Server, answer


def broadcast(server: Server, nodes: int, rounds: int) -> Numbers:
    """Run a command on all nodes, so many times."""
    client = ParallelSSHClient(
        [server.host] * nodes,
        user=server.user,
        port=server.port,
        pkey=server.key,
        pool_size=nodes,
    )
    done = 0
    for _ in range(rounds):
        outputs = client.run_command("echo hi")
        client.join(outputs)
        done += sum(list(one.stdout) == ["hi"] and one.exit_code == 0 for one in outputs)
    return {"done": done}


if __name__ == "__main__":
    answer(broadcast)
