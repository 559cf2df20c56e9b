"""What pegasus is compared with does the same work: here little of it, and for no figures."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from benchmarks.lab import Lab
from benchmarks.measuring import Verdict

#: What is made smaller in each: its constants.
SMALL: dict[str, dict[str, Any]] = {
    "queue": {"NODES": 1, "JOBS": 4, "OF_PARALLEL": 4},
    "broadcast": {"NODES": 2, "ROUNDS": 2},
    "connecting": {"FEW": 1, "MANY": 2},
    "in_turn": {"COMMANDS": 3},
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(times=1) as lab:
        yield lab


@pytest.mark.parametrize("name", SMALL)
def test_every_peer_that_is_there_does_the_work(
    name: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module(f"benchmarks.{name}")
    for constant, value in SMALL[name].items():
        assert hasattr(module, constant)
        monkeypatch.setattr(module, constant, value)
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")

    rows = list(module.measure(lab))

    assert any(row.verdict in (Verdict.REACHED, Verdict.MISSED) for row in rows)
    assert len({row.what for row in rows}) == len(rows)
    for row in rows:
        judged = row.verdict in (Verdict.REACHED, Verdict.MISSED)
        assert row.verdict is Verdict.NOT_RUN or judged == bool(row.target)
