"""Fabric's configuration, which all trunks share, stays as it is whatever is made of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from invoke.config import Config

from pegasus.model import Host, Node
from pegasus.ssh.login.gate import Gate
from pegasus.ssh.trunk import Trunk


@pytest.fixture
def hurried() -> Iterator[None]:
    """Have threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def make(number: int) -> Trunk:
    host = Host(f"u{number}@h{number}:{number + 1}", f"h{number}", f"u{number}", number + 1)
    node = Node(number, host)
    return Trunk(node, threading.Event(), gate=Gate(), ssh_config=None, dead_after=None)


def test_making_a_trunk_works_no_configuration_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    make(0)
    merged: list[Config] = []
    monkeypatch.setattr(Config, "merge", merged.append)
    made = [make(number) for number in range(5)]
    assert not merged
    assert [(one.host, one.user, one.port) for one in made] == [
        (f"h{number}", f"u{number}", number + 1) for number in range(5)
    ]


@pytest.mark.usefixtures("hurried")
def test_trunks_can_be_made_by_many_threads_at_once() -> None:
    problems: list[Exception] = []

    def make_some() -> None:
        try:
            for number in range(20):
                make(number)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=make_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
