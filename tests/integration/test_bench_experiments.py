"""The experiments of the benchmarks can be run: here with little to do, and for no figures."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from benchmarks.lab import Lab
from benchmarks.measuring import Row, Verdict

#: What is made smaller in each: its constants.
SMALL: dict[str, dict[str, Any]] = {
    "link": {"JOBS": 2, "ONE_WAY": 0.002},
    "daemon": {"APPENDS": 2, "NODES": 2, "SECONDS": 0.1, "SETTLING": 0.0},
    "taking": {"MOST_MILLISECONDS": {10: 5.0, 20: 5.0}, "LARGEST": 30},
    "draining": {"JOBS": 20, "NODES": 2},
    "bursting": {"JOBS": 100},
    "output": {"LINES": 160, "FEW": 16},
    "starting": {"MORE": 1},
    "idle_nodes": {"NODES": 3, "SECONDS": 0.1, "SETTLING": 0.0},
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(times=1) as lab:
        yield lab


@pytest.mark.parametrize("name", SMALL)
def test_an_experiment_checks_what_it_does_and_yields_rows(
    name: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module(f"benchmarks.{name}")
    for constant, value in SMALL[name].items():
        assert hasattr(module, constant)
        monkeypatch.setattr(module, constant, value)
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")

    rows: list[Row] = list(module.measure(lab))

    assert rows
    assert len({row.what for row in rows}) == len(rows)
    for row in rows:
        assert row.figure
        # What has a target is judged, and nothing else is.
        judged = row.verdict in (Verdict.REACHED, Verdict.MISSED)
        assert row.verdict is Verdict.NOT_RUN or judged == bool(row.target)
