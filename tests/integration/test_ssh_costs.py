"""What connecting and commands cost, in counts that do not depend on the machine."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from project import wait_until, wait_until_settled
from ssh_client import run
from sshd import Sshd

from pegasus.model import Host, Node
from pegasus.ssh.connect import connector
from pegasus.ssh.login import keys
from pegasus.ssh.openssh import alike, config
from pegasus.ssh.unchanged import Unchanged
from pegasus.ssh.wire.keepalive import WatchedSocket
from pegasus.ssh.wire.packets import NodePacketizer

NODES = 12


def count(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, counts: Counter[str]) -> None:
    """Count the calls of a function that return."""
    original = getattr(owner, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        counts[name] += 1
        return result

    monkeypatch.setattr(owner, name, counted)


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


def test_a_command_takes_few_reads_and_writes(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, counts: Counter[str]
) -> None:
    connection = connector(ssh_config=sshd.ssh_config)(Node(0, Host("node-1", "node-1")))
    try:
        run(connection, "true")
        time.sleep(0.5)  # what the server says after a login
        count(monkeypatch, WatchedSocket, "recv", counts)
        count(monkeypatch, WatchedSocket, "send", counts)
        count(monkeypatch, NodePacketizer, "read_message", counts)
        for _ in range(10):
            run(connection, "true")
    finally:
        connection.close()
    assert counts["recv"] <= counts["read_message"]  # Paramiko reads each in two parts
    assert counts["recv"] <= 10 * 8
    assert counts["send"] <= 10 * 6


def test_many_nodes_are_connected_with_one_question_one_reading_of_the_key_and_a_thread_each(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, counts: Counter[str]
) -> None:
    key = Path(sshd.ssh_config).parent / "client_key"
    # What has just been written is not trusted to stay.
    wait_until_settled(sshd.ssh_config, key, f"{key}.pub")
    monkeypatch.setattr(alike, "_FRESH", 600.0)
    monkeypatch.setattr(config, "_answers", alike.Answers())
    monkeypatch.setattr(keys, "_private_keys", Unchanged(keys._read_private_key))
    count(monkeypatch, alike, "ask", counts)
    count(monkeypatch, keys.Ed25519Key, "from_private_key_file", counts)
    connect = connector(ssh_config=sshd.ssh_config)
    connections = [connect(Node(n, Host("node-1", "node-1"))) for n in range(NODES)]
    before = set(threading.enumerate())
    try:
        for connection in connections:
            connection.open()
        wait_until(lambda: len(set(threading.enumerate()) - before) == NODES, "a thread a node")
    finally:
        for connection in connections:
            connection.close()
    assert (counts["ask"], counts["from_private_key_file"]) == (1, 1)
