"""Rounds with Fabric as it comes: a ThreadingGroup, which keeps its connections."""

from __future__ import annotations

from io import StringIO

from fabric import Config, ThreadingGroup

from benchmarks.peers import Numbers, Server, answer


def broadcast(server: Server, nodes: int, rounds: int) -> Numbers:
    """Run a command on all nodes, so many times.

    What is counted is output: all nodes are one server here, which Fabric takes for one result.
    """
    config = Config(runtime_ssh_path=server.ssh_config)
    hosts = [f"n{number}" for number in range(nodes)]
    group = ThreadingGroup(*hosts, config=config)
    output = StringIO()
    for _ in range(rounds):
        group.run("echo hi", out_stream=output)
    group.close()
    return {"done": output.getvalue().count("hi")}


if __name__ == "__main__":
    answer(broadcast)
