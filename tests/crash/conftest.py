"""What all tests of crashes share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait neither for the disk, from which no kill takes anything, nor for editors."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("pegasus.files.content.SETTLING", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is made anew some thousand times: in memory, where that is possible."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else tmp_path
    made = Path(tempfile.mkdtemp(prefix="pegasus-", dir=place))
    yield made / "desk"
    shutil.rmtree(made)
