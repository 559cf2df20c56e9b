"""The same by hand with asyncssh: a task a node. `connect` only makes connections, all at once."""

from __future__ import annotations

import asyncio
import time

import asyncssh

from benchmarks.peers import Numbers, Server, answer, own_cpu
from pegasus.ssh.running import watchdog

_REQUEST, _LEASH = watchdog.exec_request(10.0), watchdog.leash("true")


def connect(server: Server, nodes: int) -> Numbers:
    """Make so many connections."""

    async def main() -> Numbers:
        begin, before = time.perf_counter(), own_cpu()
        connections = await _connect(server, nodes)
        seconds, cpu = time.perf_counter() - begin, own_cpu() - before
        _close(connections)
        return {"seconds": seconds, "cpu": cpu, "done": len(connections)}

    return asyncio.run(main())


def queue(server: Server, nodes: int, jobs: int) -> Numbers:
    """Run so many jobs on so many nodes, each on the next free one, wrapped as pegasus does it."""
    return asyncio.run(_timed(server, nodes, jobs))


async def _timed(server: Server, nodes: int, jobs: int) -> Numbers:
    connections = await _connect(server, nodes)
    left, done = iter(range(jobs)), []

    async def work(connection: asyncssh.SSHClientConnection) -> None:
        for job in left:
            await _run(connection)
            done.append(job)

    begin, before = time.perf_counter(), own_cpu()
    await asyncio.gather(*map(work, connections))
    seconds, cpu = time.perf_counter() - begin, own_cpu() - before
    _close(connections)
    return {"seconds": seconds, "cpu": cpu, "done": len(done)}


async def _run(connection: asyncssh.SSHClientConnection) -> None:
    process = await connection.create_process(_REQUEST, encoding=None)
    process.stdin.write(_LEASH)
    ended = await process.wait()
    if ended.exit_status != 0:
        raise SystemExit(f"exit status {ended.exit_status}")


async def _connect(server: Server, nodes: int) -> list[asyncssh.SSHClientConnection]:
    key = asyncssh.read_private_key(server.key)
    hosts = asyncssh.read_known_hosts(server.known_hosts)
    making = [
        asyncssh.connect(
            server.host,
            server.port,
            username=server.user,
            client_keys=[key],
            known_hosts=hosts,
            config=None,
            agent_path=None,
            gss_host=None,
            login_timeout=120,
        )
        for _ in range(nodes)
    ]
    return list(await asyncio.gather(*making))


def _close(connections: list[asyncssh.SSHClientConnection]) -> None:
    for connection in connections:
        connection.abort()


if __name__ == "__main__":
    answer(connect, queue)
