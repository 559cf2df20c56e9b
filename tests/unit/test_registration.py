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


def entered(folder: Path, *nodes: Node) -> str:
    """Have a run begin and end with these nodes; return what it finds to be said."""
    (folder / "runs").mkdir(exist_ok=True)
    run = Record.of_this_process("queue")
    registration = Registration(folder / "runs", run, Journal(folder))
    registration.enter(Settings(), nodes)
    registration.leave(0, None)
    return "\n".join(registration.notices)


def test_it_is_said_once_that_slots_were_a_parameter_of_a_node(tmp_path: Path) -> None:
    host, other = Host("gpu-1", "gpu-1"), Host("gpu-2", "gpu-2")
    assert entered(tmp_path, Node(0, host, (("slots", "0"),)), Node(1, other)) == ""
    assert "`slots` was a parameter of gpu-1" in entered(tmp_path, Node(0, host, slots=(0, 1)))
    assert entered(tmp_path, Node(0, host, slots=(0, 1))) == ""


def test_other_nodes_and_those_without_slots_are_not_spoken_of(tmp_path: Path) -> None:
    host, other = Host("gpu-1", "gpu-1"), Host("gpu-2", "gpu-2")
    entered(tmp_path, Node(0, host, (("slots", "0"),)))
    assert entered(tmp_path, Node(0, host), Node(1, other, slots=(0, 1))) == ""


def beside(folder: Path, *nodes: Node, other: Node) -> str:
    """Have a run begin with these nodes while another one is on; return what is to be said."""
    (folder / "runs").mkdir(exist_ok=True)
    first, second = (
        Registration(folder / "runs", Record.of_this_process("queue"), Journal(folder))
        for _ in range(2)
    )
    first.enter(Settings(), [other])
    try:
        second.enter(Settings(), nodes)
        second.leave(0, None)
    finally:
        first.leave(0, None)
    return "\n".join(second.notices)


def test_it_is_said_that_another_run_gives_the_same_slots(tmp_path: Path) -> None:
    one, two = (Host(f"gpu-{n}", f"gpu-{n}") for n in (1, 2))
    nodes = (Node(0, one, slots=(0, 1)), Node(1, two))
    said = beside(tmp_path, *nodes, other=Node(0, one, slots=(0, 1)))
    assert " is on gpu-1, too, and may give the same slots" in said


def test_runs_that_share_nodes_of_one_slot_or_none_are_not_spoken_of(tmp_path: Path) -> None:
    one, two = (Host(f"gpu-{n}", f"gpu-{n}") for n in (1, 2))
    nodes = (Node(0, one, slots=(0, 1)), Node(1, two))
    assert beside(tmp_path, *nodes, other=Node(0, two)) == ""
