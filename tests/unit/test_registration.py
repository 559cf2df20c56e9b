"""A run enters among the others and leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pegasus.control.lease import is_alive
from pegasus.control.record import Record
from pegasus.errors import StorageError
from pegasus.journal.file import Journal, JournalReader
from pegasus.model import Host, Node
from pegasus.registration import Registration
from pegasus.settings import Settings

NODES = [Node(0, Host("n", "n"))]


def events(folder: Path) -> list[str]:
    return [str(line["event"]) for line in JournalReader(folder).read()]


def test_a_run_that_could_not_enter_has_nothing_to_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    run, journal = Record.of_this_process("queue"), Journal(tmp_path)
    registration = Registration(tmp_path / "runs", run, journal)
    append = journal.append

    def fail(*_: Any, **__: Any) -> None:
        raise StorageError("the disk is broken")

    monkeypatch.setattr(journal, "append", fail)
    with pytest.raises(StorageError, match="the disk is broken"):
        registration.enter(Settings(), NODES)
    assert not is_alive(tmp_path / "runs", run.id)
    monkeypatch.setattr(journal, "append", append)
    registration.leave(1, None)
    assert events(tmp_path) == []

    registration.enter(Settings(), NODES)
    assert is_alive(tmp_path / "runs", run.id)
    registration.leave(0, None)
    assert not is_alive(tmp_path / "runs", run.id)
    assert events(tmp_path) == ["run_started", "run_ended"]
