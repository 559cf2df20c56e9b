"""What it costs to wait: the threads of a broadcast's rounds, and a daemon with nothing to do."""

from __future__ import annotations

import builtins
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from modes import Bench, wait_until

from pegasus import nodesets, runs
from pegasus.events import Waiting
from pegasus.model import Host, Node
from pegasus.modes.feed import Feed
from pegasus.modes.queueing.schedule import Schedule
from pegasus.settings import Settings
from pegasus.ssh.fake import FakeHosts


def counting(counts: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        counts[name] += 1
        return function(*args, **kwargs)

    return call


def test_a_broadcast_keeps_its_threads_from_round_to_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, rounds, counts = 16, 20, Counter[str]()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yaml").write_text("".join(f"- n{number}\n" for number in range(nodes)))
    (tmp_path / "queue.yaml").write_text("- 'true'\n" * rounds)
    hosts = FakeHosts()
    monkeypatch.setattr(runs, "connector_of", lambda settings: hosts.connect)
    monkeypatch.setattr(
        threading.Thread, "start", counting(counts, "thread", threading.Thread.start)
    )
    assert runs.broadcast(Settings(quiet=True)).ok
    assert len(hosts.ran) == nodes * rounds
    # One a node, one that watches the queue in each round, and some that are not idle in time.
    assert counts["thread"] < nodes * rounds / 2


def test_nodes_that_are_named_again_are_folded_once() -> None:
    names = [f"rack-{number}" for number in range(64)]
    nodesets.fold_names(names)
    before = nodesets._fold_each.cache_info().misses
    assert nodesets.fold_names(iter(names)) == "rack-[0-63]"
    assert nodesets._fold_each.cache_info().misses == before


def test_an_idle_daemon_looks_at_its_files_and_does_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, FakeHosts(), [Node(n, Host(f"n{n}", f"n{n}")) for n in range(64)])
    bench.write("")
    bench.start_queue(daemon=True)
    bench.wait_for(Waiting)
    counts: Counter[str] = Counter()
    for name in ("stat", "open", "lstat", "scandir"):
        monkeypatch.setattr(os, name, counting(counts, name, getattr(os, name)))
    monkeypatch.setattr(builtins, "open", counting(counts, "open", open))
    monkeypatch.setattr(Schedule, "vacancies", counting(counts, "vacancies", Schedule.vacancies))
    monkeypatch.setattr(Feed, "take", counting(counts, "take", Feed.take))
    wait_until(lambda: counts["take"] >= 6, "looks at the queue file")
    assert bench.mode
    monkeypatch.undo()
    bench.mode.drain()
    bench.finish()
    assert counts["stat"] <= counts["take"] + 1  # Of queue.yaml; there is no roster here.
    assert {name for name in counts if counts[name]} <= {"take", "stat"}
