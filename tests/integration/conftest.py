"""Fixtures for tests against a real sshd and real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agents import SshAgent
from sshd import Sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An OpenSSH server for all tests of this worker. Leave it running, with its host key."""
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def make_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """Start servers of a test's own, to stop, restart or give another key: `make_sshd(extra)`."""
    servers: list[Sshd] = []

    def make(extra: str = "") -> Sshd:
        server = Sshd(Path(tmp_path_factory.mktemp("own-sshd")), extra)
        server.start()
        servers.append(server)
        return server

    try:
        yield make
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[SshAgent]:
    """An ssh-agent of the test's own, without keys."""
    running = SshAgent(tmp_path)
    try:
        yield running
    finally:
        running.end()
